use crate::draw;
use lif_core::engine::{Batch, EngineError, Training};
use lif_core::loss::{Loss, Objective};
use lif_core::reference::Reference;
use lif_core::{Network, Parameters, Real, SpikeBatch, engine::Engine};

/// The losses that are drawn, with constants that spread their gradients.
pub const LOSSES: [Loss; 5] = [
    Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 },
    Loss::VmaxCrossEntropy {},
    Loss::MeanCrossEntropy {},
    Loss::ExpMeanCrossEntropy {},
    Loss::SpikeTimeSum {},
];

/// Kinds of network. Every kind has the output that the loss asks for: spiking or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Feed-forward, dense, one to three layers, tau_mem = 4 tau_syn.
    Dense,
    /// The same with a tau_mem that is twice tau_syn, or any other small integer multiple.
    DenseInteger,
    /// The same with any time constants, also tau_syn > tau_mem.
    DenseOdd,
    /// The same with equal time constants.
    DenseEqual,
    /// The same with time constants that differ by 1e-3 to 1e-13.
    DenseNearEqual,
    /// Constants of each neuron's own.
    PerNeuron,
    /// Bias currents and a reset that is not 0.
    Bias,
    /// Refractory times and a reset that is not 0.
    Refractory,
    /// A recurrent hidden layer with self-synapses.
    Recurrent,
    /// Delays on feed-forward and recurrent synapses.
    Delays,
    /// Adaptive thresholds.
    Adaptive,
    /// A convolution with delays or without, a pooling, a dense readout.
    Conv,
    /// Several layers into one, one into several, around a layer.
    Skip,
    /// A voltage readout of neurons that spike, adaptive or refractory.
    SpikingReadout,
    /// Delays on feed-forward synapses alone, one to three layers.
    FeedForwardDelays,
    /// A recurrent hidden layer with delays on the synapses into it, and out of it, alone.
    DelaysIntoRecurrent,
    /// A recurrent hidden layer with delays on the synapses within it alone.
    RecurrentDelays,
    /// Several layers into one, one into several, around a layer, nothing backwards; some with delays.
    SkipForward,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Dense,
        Self::DenseInteger,
        Self::DenseOdd,
        Self::DenseEqual,
        Self::DenseNearEqual,
        Self::PerNeuron,
        Self::Bias,
        Self::Refractory,
        Self::Recurrent,
        Self::Delays,
        Self::Adaptive,
        Self::Conv,
        Self::Skip,
        Self::SpikingReadout,
        Self::FeedForwardDelays,
        Self::DelaysIntoRecurrent,
        Self::RecurrentDelays,
        Self::SkipForward,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense 4:1",
            Self::DenseInteger => "dense n:1",
            Self::DenseOdd => "dense odd taus",
            Self::DenseEqual => "dense equal taus",
            Self::DenseNearEqual => "dense near-equal",
            Self::PerNeuron => "per-neuron",
            Self::Bias => "bias",
            Self::Refractory => "refractory",
            Self::Recurrent => "recurrent",
            Self::Delays => "delays",
            Self::Adaptive => "adaptive",
            Self::Conv => "conv, pool",
            Self::Skip => "skip",
            Self::SpikingReadout => "spiking readout",
            Self::FeedForwardDelays => "delays forward",
            Self::DelaysIntoRecurrent => "delays into rec.",
            Self::RecurrentDelays => "delays within",
            Self::SkipForward => "skip forward",
        }
    }

    /// Whether its hidden layer hears itself.
    pub(crate) fn has_recurrent_layer(self) -> bool {
        matches!(
            self,
            Self::Recurrent | Self::Delays | Self::DelaysIntoRecurrent | Self::RecurrentDelays
        )
    }

    /// Whether the kind differs from others under this loss.
    pub fn goes_with(self, loss: Loss) -> bool {
        self != Self::SpikingReadout || !Objective::<f64>::readout(&loss).needs_spikes()
    }
}

/// A drawn network with parameters, input spikes and labels. All numbers are exact in single
/// precision, so that engines of both precisions are given the same.
#[derive(Clone, Debug)]
pub struct Case {
    /// The network.
    pub network: Network,
    /// Its parameters.
    pub parameters: Parameters<f64>,
    /// Input spikes.
    pub spikes: SpikeBatch<f64>,
    /// One a sample.
    pub labels: Vec<u32>,
    /// The loss.
    pub loss: Loss,
}

impl Case {
    /// The case number `number` of a kind and loss under `seed`: always the same.
    pub fn draw(kind: Kind, loss: Loss, seed: u64, number: u64) -> Self {
        draw::draw(kind, loss, seed, number)
    }

    /// The samples with their labels.
    pub fn batch(&self) -> Batch<'_, f64> {
        Batch { spikes: &self.spikes, labels: &self.labels }
    }

    /// The input spikes in another precision.
    pub fn spikes_in<T: Real>(&self) -> SpikeBatch<T> {
        let mut spikes = SpikeBatch::new();
        for train in self.spikes.iter() {
            let cast = train.iter().map(|(time, index)| (T::of(time), index));
            spikes.push_sorted(cast).expect("a cast keeps the order");
        }
        spikes
    }

    /// Whether the gradient is 0, or a neuron spikes so often that the network is about to run away:
    /// finite differences would take minutes and say little.
    pub(crate) fn is_degenerate(&self) -> Result<bool, EngineError> {
        const MANY: u64 = 60;
        let mut reference = self.reference()?;
        match reference.differentiate(self.batch()) {
            Ok(_) => {
                let busy = reference.take_activity().into_iter().flatten().any(|n| n > MANY);
                Ok(busy || reference.input_gradient().iter().all(|&g| g == 0.0))
            }
            Err(EngineError::Runaway { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The reference engine with this case's parameters and loss.
    ///
    /// # Errors
    /// None that a drawn case should cause.
    pub fn reference(&self) -> Result<Reference, EngineError> {
        self.reference_with(Training::exact(self.loss))
    }

    /// The same in a training of its own.
    pub(crate) fn reference_with(&self, training: Training<f64>) -> Result<Reference, EngineError> {
        let mut reference = Reference::new(&self.network, training)?;
        reference.load(&self.parameters)?;
        Ok(reference)
    }
}
