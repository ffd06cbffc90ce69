//! Parameters of exact layers: those that are stored, and the matrices of layers that are not dense by themselves.

use crate::abi::Address;
use crate::device::Device;
use crate::layer::DenseLayer;
use crate::layout::Layout;
use crate::shared_weights::SharedWeights;
use crate::stored::Stored;
use lif_core::Network;
use lif_core::engine::EngineError;

/// Both.
pub(crate) struct Weights {
    pub(crate) stored: Stored,
    /// By layer above the input.
    shared: Vec<Option<SharedWeights>>,
}

impl Weights {
    /// Zeros.
    pub(crate) fn new(
        device: &Device,
        network: &Network,
        layers: &[DenseLayer],
    ) -> Result<Self, EngineError> {
        Ok(Self {
            stored: Stored::zeros(device, Layout::new(layers))?,
            shared: layers
                .iter()
                .map(|layer| SharedWeights::new(device, network, layer))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Where the matrix of layer number `index` above the input lies, and its gradient.
    pub(crate) fn addresses(&self, index: usize) -> (Address, Address) {
        match &self.shared[index] {
            Some(shared) => shared.addresses(),
            None => {
                self.stored.layout.starts[index].first().map_or((0, 0), |&first| self.at(first))
            }
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
                let delays = &self.stored.layout.delays[index];
                let first = |connection: usize| delays.get(connection).copied().flatten();
                [first(0), first(layer.inputs.len())].map(|first| first.map(|first| self.at(first)))
            }
        }
    }

    fn at(&self, first: usize) -> (Address, Address) {
        (self.stored.values.at(first), self.stored.gradient.at(first))
    }

    /// Whether weights of layer number `index` are learned.
    pub(crate) fn are_learned(&self, index: usize) -> bool {
        !self.shared[index].as_ref().is_some_and(SharedWeights::are_fixed)
    }

    /// Brings the matrices of shared weights and delays up to date.
    pub(crate) fn spread(&self, device: &Device) -> Result<(), EngineError> {
        self.shared.iter().enumerate().try_for_each(|(index, shared)| match shared {
            Some(shared) => {
                shared.spread(device, &self.stored.layout.places(&self.stored.values, index))
            }
            None => Ok(()),
        })
    }

    /// Makes the gradient of shared weights and delays from that of the matrices of layer number `index`.
    pub(crate) fn gather(&self, device: &Device, index: usize) -> Result<(), EngineError> {
        match &self.shared[index] {
            Some(shared) => {
                shared.gather(device, &self.stored.layout.places(&self.stored.gradient, index))
            }
            None => Ok(()),
        }
    }
}
