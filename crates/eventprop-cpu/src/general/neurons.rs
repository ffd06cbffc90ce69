use super::flow::Decays;
use super::layout::Layout;
use crate::lanes::{LANES, LaneReal, Lanes};
use lif_core::flow::TimeConstants;
use lif_core::network::{Layer, Network, Neuron};
use lif_core::{LayerParameters, Parameters, per_neuron};

/// The constants of the neurons of a block; voltages count from the bias (u = V - b).
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockNeurons<T: LaneReal> {
    /// The position of their layer.
    pub(super) layer: usize,
    /// How many lanes hold a neuron.
    pub(super) lanes: usize,
    pub(super) decays: Decays<T::Lanes>,
    pub(super) bias: T::Lanes,
    /// Whether a bias is not 0.
    pub(super) biased: bool,
    /// What makes them spike; none for leaky integrators.
    pub(super) spiking: Option<Spiking<T>>,
}

/// The constants of neurons that spike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spiking<T: LaneReal> {
    /// As described, not counted from the bias.
    pub(super) threshold: T::Lanes,
    /// The threshold, counted from the bias; infinite in lanes without a neuron.
    pub(super) u_threshold: T::Lanes,
    /// The voltage after a spike, counted from the bias.
    pub(super) u_reset: T::Lanes,
    pub(super) reset: T,
    /// In ms.
    pub(super) refractory: T,
    /// beta and tau_b of the threshold's adaptation, where the layer has it.
    pub(super) adaptation: Option<Adaptation<T>>,
}

/// The constants of adaptive thresholds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adaptation<T> {
    pub(super) beta: T,
    pub(super) tau: T,
}

impl<T: LaneReal> BlockNeurons<T> {
    /// The time constants of one neuron.
    #[inline]
    pub(super) fn time_constants(&self, lane: usize) -> TimeConstants<T> {
        TimeConstants {
            tau_mem: super::lane(&self.decays.tau_mem, lane),
            tau_syn: super::lane(&self.decays.tau_syn, lane),
        }
    }
}

/// The neurons of all blocks at `parameters`.
pub(super) fn blocks<T: LaneReal>(
    network: &Network,
    layouts: &[Layout],
    parameters: &Parameters<T>,
) -> Vec<BlockNeurons<T>> {
    let mut blocks = Vec::new();
    for (layer, layout) in layouts.iter().enumerate() {
        let (description, values) = (&network.layers()[layer], &parameters.layers[layer]);
        let neurons = |block| of_block(layer, description, layout, values, block);
        blocks.extend(layout.range().map(neurons));
    }
    blocks
}

fn of_block<T: LaneReal>(
    layer: usize,
    description: &Layer,
    layout: &Layout,
    values: &LayerParameters<T>,
    block: usize,
) -> BlockNeurons<T> {
    let lanes = layout.lanes(block);
    let gather = |fill: Option<T>, value: &dyn Fn(usize) -> T| {
        T::Lanes::from_array(std::array::from_fn(|lane| match fill {
            Some(fill) if lane >= lanes => fill,
            _ => value(layout.neuron(block, lane.min(lanes - 1))),
        }))
    };
    let bias = gather(Some(T::zero()), &|neuron| values.bias[neuron]);
    let spiking = match &description.neuron {
        Neuron::Lif(constants) => {
            let of = |neuron: usize| *per_neuron(&values.threshold, neuron);
            let reset = T::of(constants.reset);
            let beta = values.adaptation_beta.first().zip(values.adaptation_tau.first());
            Some(Spiking {
                threshold: gather(Some(T::one()), &of),
                u_threshold: gather(Some(T::infinity()), &|n| of(n) - values.bias[n]),
                u_reset: gather(Some(T::zero()), &|n| reset - values.bias[n]),
                reset,
                refractory: T::of(constants.refractory),
                adaptation: beta.map(|(&beta, &tau)| Adaptation { beta, tau }),
            })
        }
        _ => None,
    };
    BlockNeurons {
        layer,
        lanes,
        decays: Decays::new(
            gather(None, &|neuron| *per_neuron(&values.tau_mem, neuron)),
            gather(None, &|neuron| *per_neuron(&values.tau_syn, neuron)),
        ),
        bias,
        biased: bias.to_array().iter().take(LANES).any(|&bias| bias != T::zero()),
        spiking,
    }
}
