//! Parameters, their gradient and the optimiser's moments: four buffers of one layout on the device, the weights of all
//! layers one after the other, then their delays, then constants of neurons if gradients by them are wanted, rows
//! padded.

use crate::abi::Address;
use crate::device::{Buffer, Device};
use crate::layer::{DenseLayer, Input, Synapses, WARP};
use crate::shared_weights::SharedWeights;
use lif_core::engine::EngineError;
use lif_core::{Network, ParameterId, Parameters};

/// The four buffers, and the matrices of layers that are not dense by themselves.
pub(crate) struct Weights {
    pub(crate) values: Buffer<f32>,
    pub(crate) gradient: Buffer<f32>,
    pub(crate) first: Buffer<f32>,
    pub(crate) second: Buffer<f32>,
    pub(crate) layout: Layout,
    /// By layer above the input.
    shared: Vec<Option<SharedWeights>>,
}

/// Where each layer's matrices lie.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    matrices: Vec<Matrix>,
    /// By layer above the input and connection into it: where its matrix starts. Those of a layer follow one another,
    /// so that dense ones are one matrix.
    starts: Vec<Vec<usize>>,
    /// The same for delays, of connections that have them.
    delays: Vec<Vec<Option<usize>>>,
    /// Where the delays of all layers start, and the constants.
    first_delay: usize,
    first_constant: usize,
}

/// A list of parameters: a matrix, or of constants a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix {
    pub(crate) id: ParameterId,
    /// The layer whose neurons it acts on.
    pub(crate) layer: usize,
    /// Where it starts.
    pub(crate) first: usize,
    sources: usize,
    pub(crate) targets: usize,
    stride: usize,
}

impl Weights {
    /// Zeros.
    pub(crate) fn new(
        device: &Device,
        network: &Network,
        layers: &[DenseLayer],
    ) -> Result<Self, EngineError> {
        let layout = Layout::new(layers);
        let zeros = || device.zeros(layout.len());
        Ok(Self {
            values: zeros()?,
            gradient: zeros()?,
            first: zeros()?,
            second: zeros()?,
            shared: layers
                .iter()
                .map(|layer| SharedWeights::new(device, network, layer))
                .collect::<Result<_, _>>()?,
            layout,
        })
    }

    /// Where the matrix of layer number `index` above the input lies, and its gradient.
    pub(crate) fn addresses(&self, index: usize) -> (Address, Address) {
        match &self.shared[index] {
            Some(shared) => shared.addresses(),
            None => self.layout.starts[index].first().map_or((0, 0), |&first| self.at(first)),
        }
    }

    /// The same for the delays of what the layer hears from below, and of what it hears of itself.
    pub(crate) fn delays(
        &self,
        index: usize,
        layer: &DenseLayer,
    ) -> [Option<(Address, Address)>; 2] {
        match &self.shared[index] {
            Some(shared) => shared.delays(layer),
            None => {
                let delays = &self.layout.delays[index];
                let first = |connection: usize| delays.get(connection).copied().flatten();
                [first(0), first(layer.inputs.len())].map(|first| first.map(|first| self.at(first)))
            }
        }
    }

    fn at(&self, first: usize) -> (Address, Address) {
        (self.values.at(first), self.gradient.at(first))
    }

    /// Whether weights of layer number `index` are learned.
    pub(crate) fn are_learned(&self, index: usize) -> bool {
        !self.shared[index].as_ref().is_some_and(SharedWeights::are_fixed)
    }

    /// Brings the matrices of shared weights and delays up to date.
    pub(crate) fn spread(&self, device: &Device) -> Result<(), EngineError> {
        self.shared.iter().enumerate().try_for_each(|(index, shared)| match shared {
            Some(shared) => shared.spread(device, &self.layout.places(&self.values, index)),
            None => Ok(()),
        })
    }

    /// Makes the gradient of shared weights and delays from that of the matrices of layer number `index`.
    pub(crate) fn gather(&self, device: &Device, index: usize) -> Result<(), EngineError> {
        match &self.shared[index] {
            Some(shared) => shared.gather(device, &self.layout.places(&self.gradient, index)),
            None => Ok(()),
        }
    }
}

impl Layout {
    pub(crate) fn new(layers: &[DenseLayer]) -> Self {
        let (mut first, mut matrices) = (0, Vec::new());
        let mut place = |id, layer, [sources, targets, stride]: [usize; 3]| {
            matrices.push(Matrix { id, layer, first, sources, targets, stride });
            first += sources * stride;
            first - sources * stride
        };
        let mut starts = Vec::new();
        for plan in layers {
            let own = plan.connections();
            let own = own
                .map(|input| place(ParameterId::Weights(input.connection), input.to, shape(input)));
            starts.push(own.collect());
        }
        let delays = layers.iter().map(|plan| {
            let own = plan.connections().map(|input| {
                let id = ParameterId::Delays(input.connection);
                input.delays.then(|| place(id, input.to, shape(input)))
            });
            own.collect()
        });
        let delays: Vec<Vec<Option<usize>>> = delays.collect();
        for plan in layers {
            for &(id, count) in &plan.constants {
                place(id, plan.layer, [1, count, count.next_multiple_of(WARP)]);
            }
        }
        let start_of = |is_wanted: fn(ParameterId) -> bool| {
            let found = matrices.iter().find(|matrix| is_wanted(matrix.id));
            found.map_or(first, |matrix| matrix.first)
        };
        let first_constant =
            start_of(|id| !matches!(id, ParameterId::Weights(_) | ParameterId::Delays(_)));
        let first_delay = start_of(|id| !matches!(id, ParameterId::Weights(_)));
        Self { matrices, starts, delays, first_delay, first_constant }
    }

    /// Values in a buffer, padding included.
    pub(crate) fn len(&self) -> usize {
        self.matrices.iter().map(|matrix| matrix.sources * matrix.stride).sum()
    }

    /// Parameters without padding.
    pub(crate) fn parameters(&self) -> usize {
        self.matrices.iter().map(|matrix| matrix.sources * matrix.targets).sum()
    }

    /// By connection into layer number `index` above the input: where a buffer holds its weights, and their delays if
    /// they have them.
    fn places(&self, buffer: &Buffer<f32>, index: usize) -> Vec<(Address, Option<Address>)> {
        let own = self.starts[index].iter().zip(&self.delays[index]);
        own.map(|(&first, delays)| (buffer.at(first), delays.map(|first| buffer.at(first))))
            .collect()
    }

    /// Where delays start, after all weights.
    pub(crate) fn first_delay(&self) -> usize {
        self.first_delay
    }

    /// Where constants start, after all delays.
    pub(crate) fn first_constant(&self) -> usize {
        self.first_constant
    }

    /// The lists of constants.
    pub(crate) fn constants(&self) -> impl Iterator<Item = &Matrix> {
        self.matrices.iter().filter(|matrix| matrix.first >= self.first_constant)
    }

    /// The layer that a position belongs to.
    pub(crate) fn layer_of(&self, position: usize) -> usize {
        let found = self.matrices.iter().rev().find(|matrix| matrix.first <= position);
        found.map_or(0, |matrix| matrix.layer)
    }

    /// The values of `parameters` as a buffer holds them.
    pub(crate) fn pack(&self, parameters: &Parameters<f32>) -> Vec<f32> {
        let mut packed = vec![0.0; self.len()];
        for matrix in &self.matrices {
            let values = parameters.list(matrix.id);
            let rows = packed[matrix.first..].chunks_exact_mut(matrix.stride);
            for (row, values) in rows.zip(values.chunks_exact(matrix.targets)) {
                row[..matrix.targets].copy_from_slice(values);
            }
        }
        packed
    }

    /// Replaces the values of `parameters` by those of a buffer.
    pub(crate) fn unpack(
        &self,
        packed: &[f32],
        mut parameters: Parameters<f32>,
    ) -> Parameters<f32> {
        for matrix in &self.matrices {
            let values = parameters.list_mut(matrix.id);
            let rows = packed[matrix.first..].chunks_exact(matrix.stride);
            for (row, values) in rows.zip(values.chunks_exact_mut(matrix.targets)) {
                values.copy_from_slice(&row[..matrix.targets]);
            }
        }
        parameters
    }
}

/// The sources, targets and stride of a connection into a layer: shared weights are one row, fixed ones none.
fn shape(input: &Input) -> [usize; 3] {
    match input.synapses {
        Synapses::Dense => [input.sources, input.targets, input.stride()],
        Synapses::Shared { weights } => [1, weights, weights.next_multiple_of(WARP)],
        Synapses::Fixed { .. } => [0, 1, WARP],
    }
}
