//! Convolutions and poolings as dense matrices on the device: kernels walk every arrival with every
//! neuron, so a sparse matrix costs them nothing but its memory.

use crate::abi::Address;
use crate::device::{Buffer, Device};
use crate::layer::{DenseLayer, Synapses};
use crate::name::NAME;
use crate::spread::Spread;
use lif_core::Network;
use lif_core::engine::EngineError;

/// The matrices of a layer of whose synapses some share weights and delays, or have a fixed weight, or have no
/// delays where others have them.
pub(crate) struct SharedWeights {
    weights: Matrix,
    delays: Option<Matrix>,
    /// By connection into it: which synapses its weights and delays belong to.
    spreads: Vec<Spread>,
}

/// A value a synapse, and the derivatives by them.
struct Matrix {
    values: Buffer<f32>,
    gradient: Buffer<f32>,
}

impl SharedWeights {
    /// The matrices of a layer; none for a layer that is dense by itself.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if the device has too little memory for it.
    pub(crate) fn new(
        device: &Device,
        network: &Network,
        layer: &DenseLayer,
    ) -> Result<Option<Self>, EngineError> {
        if layer.is_dense() {
            return Ok(None);
        }
        let len = layer.sources * layer.columns;
        check_size(layer, len, device.free_memory()?)?;
        let mut matrix = vec![0.0_f32; len];
        for input in layer.connections() {
            let Synapses::Fixed { weight } = input.synapses else { continue };
            for source in 0..input.sources {
                let row = (input.first + source) * layer.columns + input.column;
                let fan_out = |target, _| matrix[row + target] = weight;
                network.fan_out(input.connection, source, fan_out);
            }
        }
        let spreads = layer.connections().map(|input| Spread::new(device, network, layer, input));
        Ok(Some(Self {
            spreads: spreads.collect::<Result<_, _>>()?,
            weights: Matrix { values: device.copy(&matrix)?, gradient: device.zeros(len)? },
            // Without a synapse there is no weight, and no matter when it is heard.
            delays: match layer.has_delays() {
                true => Some(Matrix { values: device.zeros(len)?, gradient: device.zeros(len)? }),
                false => None,
            },
        }))
    }

    /// The addresses of the matrix of weights and of its gradient.
    pub(crate) fn addresses(&self) -> (Address, Address) {
        self.weights.addresses()
    }

    /// The same of the delays from below, and of those within, if there are any.
    pub(crate) fn delays(&self, layer: &DenseLayer) -> [Option<(Address, Address)>; 2] {
        let rows = |is_wanted, first: usize| {
            let matrix = self.delays.as_ref().filter(|_| is_wanted)?;
            let first = first * layer.columns;
            Some((matrix.values.at(first), matrix.gradient.at(first)))
        };
        [rows(layer.delays, 0), rows(layer.recurrent_delays, layer.below())]
    }

    /// Whether all weights are fixed: no gradient is wanted.
    pub(crate) fn are_fixed(&self) -> bool {
        self.spreads.iter().all(Spread::is_empty)
    }

    /// Puts the weights and delays at `places`, a pair a connection, into their matrices.
    pub(crate) fn spread(
        &self,
        device: &Device,
        places: &[(Address, Option<Address>)],
    ) -> Result<(), EngineError> {
        self.each(places, |spread, matrix, own| spread.spread(device, own, &matrix.values))
    }

    /// Adds up the matrices' gradients to those at `places`.
    pub(crate) fn gather(
        &self,
        device: &Device,
        places: &[(Address, Option<Address>)],
    ) -> Result<(), EngineError> {
        self.each(places, |spread, matrix, own| spread.gather(device, own, &matrix.gradient))
    }

    /// Calls `act` with the weights of each connection, and with its delays if it has them.
    fn each(
        &self,
        places: &[(Address, Option<Address>)],
        act: impl Fn(&Spread, &Matrix, Address) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        self.spreads.iter().zip(places).try_for_each(|(spread, &(weights, delays))| {
            act(spread, &self.weights, weights)?;
            let delays = self.delays.iter().zip(delays);
            delays.into_iter().try_for_each(|(matrix, delays)| act(spread, matrix, delays))
        })
    }
}

impl Matrix {
    fn addresses(&self) -> (Address, Address) {
        (self.values.address(), self.gradient.address())
    }
}

/// Positions are 32-bit numbers; the matrices, their gradients and the list of synapses must fit.
fn check_size(layer: &DenseLayer, len: usize, free: usize) -> Result<(), EngineError> {
    let is_mixed = layer.connections().any(|input| input.synapses == Synapses::Dense);
    let each = if layer.has_delays() { 20_usize } else { 12 } + if is_mixed { 4 } else { 0 };
    let bytes = each.saturating_mul(len);
    let DenseLayer { sources, own_rows: targets, .. } = layer;
    let reason = if i32::try_from(len).is_err() {
        format!("a matrix of {sources} x {targets} synapses is more than this engine numbers")
    } else if bytes > free {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        format!(
            "the {sources} x {targets} synapses of a layer that is not dense need {} MiB of device memory, {} MiB \
             more than is free; a smaller layer or --backend cpu would fit",
            mib(bytes),
            mib(bytes - free),
        )
    } else {
        return Ok(());
    };
    Err(EngineError::Unavailable { engine: NAME, reason })
}
