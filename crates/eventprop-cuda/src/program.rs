//! Which kernels run, in which order and on how many threads.

use crate::abi::{self, Address, Layer};
use crate::batch::{BatchBuffers, Constants, Descriptions};
use crate::data::Data;
use crate::device::{Buffer, Device, Shape};
use crate::plan::{DenseLayer, Recovery, WARP};
use crate::sizes::GROUP;
use crate::weights::Weights;
use bytemuck::bytes_of;
use lif_core::engine::EngineError;
use lif_core::loss::{KnownLoss, Loss, Readout};

/// Threads of a block where nothing else decides.
pub(crate) const THREADS: u32 = 256;
/// Warps of a block that walks neurons: WALKERS of `kernels/walk.cuh`.
const WARPS: usize = 4;
/// Warps that share the samples of one gradient: SUMMERS of `kernels/weight_gradient.cu`.
const SUMMERS: u32 = 16;
/// Neurons of a block that sorts: SORT_NEURONS of `kernels/sort_arrivals.cu`.
const SORT_NEURONS: u32 = 4;

/// The steps that are to be made: which samples of the data, at which learning rate.
pub(crate) struct Queue {
    pub(crate) control: Buffer<abi::Control>,
    pub(crate) steps: Buffer<abi::Step>,
    pub(crate) order: Buffer<i32>,
}

/// A batch's kernels with their arguments.
pub(crate) struct Program<'a> {
    pub(crate) device: &'a Device,
    pub(crate) plan: &'a [DenseLayer],
    /// The layers that are walked, in this order.
    pub(crate) order: Vec<usize>,
    pub(crate) descriptions: Descriptions,
    /// By position of a layer in the network: the lists that its spikes are put into.
    pub(crate) lists: Vec<Vec<Layer>>,
    /// By layer above the input: those walked with it, for walks that ask.
    pub(crate) members: Vec<Option<Buffer<abi::Member>>>,
    pub(crate) batch: &'a BatchBuffers,
    pub(crate) weights: &'a Weights,
    pub(crate) data: &'a Data,
    pub(crate) queue: &'a Queue,
    pub(crate) norm_parts: &'a Buffer<f64>,
    pub(crate) loss: abi::Loss,
    pub(crate) constants: &'a [Constants],
    /// The lists of constants among all parameters.
    pub(crate) learned: &'a Buffer<abi::Learned>,
    /// Whether any of them changes.
    pub(crate) learns_constants: bool,
}

impl Program<'_> {
    /// From the input spikes to the outputs and predictions.
    pub(crate) fn infer(&self) -> Result<(), EngineError> {
        self.forward()?;
        let predictions = self.batch.predictions.address();
        self.device.launch(
            "predict",
            self.warp_a_sample(),
            &[bytes_of(self.output()), bytes_of(&self.loss.kind), bytes_of(&predictions)],
        )
    }

    fn forward(&self) -> Result<(), EngineError> {
        let Self { device, data, queue, weights, .. } = self;
        weights.spread(device)?;
        self.spread_constants()?;
        let (control, steps) = (queue.control.address(), queue.steps.address());
        for list in &self.lists[0] {
            // A thread an arrival, if a block has so many.
            let threads = (list.width as u32).next_multiple_of(WARP as u32).min(1024);
            device.launch(
                "stream_inputs",
                Shape { grid: (self.samples(), 1), block: (threads, 1) },
                &[
                    bytes_of(list),
                    bytes_of(&control),
                    bytes_of(&steps),
                    bytes_of(&queue.order.address()),
                    bytes_of(&data.offsets.address()),
                    bytes_of(&data.times.address()),
                    bytes_of(&data.sources.address()),
                    bytes_of(&data.links.address()),
                ],
            )?;
        }
        for &index in &self.order {
            let (layer, plan) = (&self.descriptions.walks[index], &self.plan[index]);
            self.join_arrivals(index)?;
            if plan.delays {
                self.sort_arrivals(index)?;
            }
            self.walk_forward(index, layer)?;
            plan.members.iter().try_for_each(|&member| self.merge(member))?;
        }
        Ok(())
    }

    fn walk_forward(&self, index: usize, layer: &Layer) -> Result<(), EngineError> {
        let plan = &self.plan[index];
        let (kernel, shape) = (self.walk(index, false), neurons(layer, layer.samples));
        let control = self.queue.control.address();
        if !plan.spikes {
            return self.device.launch(kernel, shape, &[bytes_of(layer)]);
        }
        if !plan.is_recurrent() {
            let mut arguments = vec![bytes_of(layer), bytes_of(&control)];
            arguments.extend(self.descriptions.recoveries[index].as_ref().map(bytes_of));
            return self.device.launch(kernel, shape, &arguments);
        }
        let (copies, shared) = (plan.copies as i32, self.shared(index));
        let below = &self.descriptions.to_below[index];
        let mut arguments =
            vec![bytes_of(below), bytes_of(layer), bytes_of(&control), bytes_of(&copies)];
        arguments.extend(shared.iter().flatten().map(bytes_of));
        self.device.launch(kernel, whole(plan, layer.samples), &arguments)
    }

    /// Puts the spikes of layer number `index` above the input into the lists of those who hear it.
    fn merge(&self, index: usize) -> Result<(), EngineError> {
        let Some(lists) = self.lists.get(index + 1) else { return Ok(()) };
        lists.iter().try_for_each(|list| {
            self.device.launch(
                "lif_merge",
                self.block_a_sample(),
                &[
                    bytes_of(&self.descriptions.layers[index]),
                    bytes_of(list),
                    bytes_of(&self.queue.control.address()),
                    bytes_of(&self.batch.list_times.address()),
                    bytes_of(&self.batch.list_places.address()),
                ],
            )
        })
    }

    /// What a walk of several neurons a thread is told besides: its layers, and where its neurons remember.
    fn shared(&self, index: usize) -> Option<[Address; 2]> {
        let members = self.members[index].as_ref()?;
        Some([members.address(), self.batch.states.address()])
    }

    /// The layers of walks that ask for them.
    pub(crate) fn describe_members(&self) -> Result<Vec<Option<Buffer<abi::Member>>>, EngineError> {
        let walks = self.plan.iter().map(|plan| {
            let members = plan.members.iter().filter(|_| plan.is_large()).map(|&member| {
                let layer = self.descriptions.layers[member];
                let (above_errors, above_width, above_tiles) = self.above(member);
                abi::Member {
                    layer,
                    above_errors,
                    above_width,
                    above_tiles,
                    recovery: self.descriptions.recoveries[member].unwrap_or_default(),
                }
            });
            let members: Vec<abi::Member> = members.collect();
            (!members.is_empty()).then(|| self.device.copy(&members)).transpose()
        });
        walks.collect()
    }

    /// Where the errors of the spikes of layer number `index` above the input lie, how wide the rows are, and how many
    /// parts each has: none where they are the loss's, -1 where there are none.
    pub(crate) fn above(&self, index: usize) -> (Address, i32, i32) {
        match self.errors(index + 1) {
            Some(above) => (above.errors, above.width, above.tiles),
            None => (0, 0, if index + 1 == self.plan.len() { 0 } else { -1 }),
        }
    }

    /// Outputs and predictions, the losses, the gradient, the statistics.
    pub(crate) fn differentiate(&self, input_errors: bool) -> Result<(), EngineError> {
        self.gradient(input_errors)?;
        self.finish("finish_batch")
    }

    /// Changes weights and delays by the gradient; `norm` says whether its norm is needed.
    pub(crate) fn update(&self, norm: bool) -> Result<(), EngineError> {
        self.change(norm)?;
        let control = self.queue.control.address();
        let one = Shape { grid: (1, 1), block: (1, 1) };
        self.device.launch("finish_update", one, &[bytes_of(&control)])
    }

    /// [`Program::differentiate`], then [`Program::update`].
    pub(crate) fn train(&self, input_errors: bool, norm: bool) -> Result<(), EngineError> {
        self.gradient(input_errors)?;
        self.change(norm)?;
        self.finish("finish_step")
    }

    fn gradient(&self, input_errors: bool) -> Result<(), EngineError> {
        self.forward()?;
        self.evaluate()?;
        for &index in self.order.iter().rev() {
            self.layer_backward(index)?;
        }
        let Self { device, batch, .. } = self;
        if input_errors && let Some(errors) = self.errors(0) {
            self.collect_errors(0)?;
            device.launch(
                "input_gradient",
                self.block_a_sample(),
                &[
                    bytes_of(&errors),
                    bytes_of(&self.queue.control.address()),
                    bytes_of(&batch.input_gradient.address()),
                ],
            )?;
        }
        Ok(())
    }

    /// The end of a task on a batch: its statistics.
    fn finish(&self, kernel: &'static str) -> Result<(), EngineError> {
        let Self { device, batch, queue, data, .. } = self;
        device.launch(
            kernel,
            Shape { grid: (1, 1), block: (THREADS, 1) },
            &[
                bytes_of(&queue.control.address()),
                bytes_of(&batch.losses.address()),
                bytes_of(&batch.predictions.address()),
                bytes_of(&queue.steps.address()),
                bytes_of(&queue.order.address()),
                bytes_of(&data.labels.address()),
            ],
        )
    }

    fn change(&self, norm: bool) -> Result<(), EngineError> {
        let Self { device, weights, queue, norm_parts, .. } = self;
        let all = weights.layout.len() as i32;
        let count = weights.layout.first_constant() as i32;
        let real = weights.layout.parameters() as i32;
        let delays = weights.layout.first_delay() as i32;
        let control = queue.control.address();
        if norm {
            let parts = norm_parts.address();
            device.launch(
                "gradient_squares",
                Shape { grid: (norm_parts.len() as u32, 1), block: (THREADS, 1) },
                &[bytes_of(&weights.gradient.address()), bytes_of(&all), bytes_of(&parts)],
            )?;
            device.launch(
                "gradient_norm",
                Shape { grid: (1, 1), block: (THREADS, 1) },
                &[bytes_of(&parts), bytes_of(&control)],
            )?;
        }
        device.launch(
            "update_parameters",
            Shape { grid: ((count as u32).div_ceil(THREADS), 1), block: (THREADS, 1) },
            &[
                bytes_of(&weights.values.address()),
                bytes_of(&weights.gradient.address()),
                bytes_of(&weights.first.address()),
                bytes_of(&weights.second.address()),
                bytes_of(&count),
                bytes_of(&real),
                bytes_of(&delays),
                bytes_of(&control),
                bytes_of(&queue.steps.address()),
            ],
        )?;
        self.change_constants()
    }

    fn evaluate(&self) -> Result<(), EngineError> {
        let Self { device, queue, data, batch, .. } = self;
        device.launch(
            "evaluate_loss",
            self.warp_a_sample(),
            &[
                bytes_of(self.output()),
                bytes_of(&self.loss),
                bytes_of(&queue.control.address()),
                bytes_of(&queue.steps.address()),
                bytes_of(&queue.order.address()),
                bytes_of(&data.labels.address()),
                bytes_of(&batch.losses.address()),
                bytes_of(&batch.predictions.address()),
            ],
        )
    }

    /// The kernel in which neurons walk through what arrives, or `back`: where synapses have delays, each
    /// in an order of its own.
    fn walk(&self, index: usize, back: bool) -> &'static str {
        let plan = &self.plan[index];
        let is_maximum = self.loss.kind == kind(Readout::VMax);
        let names = match (plan.spikes, is_maximum, back) {
            _ if plan.is_recurrent() => return recurrent_walk(plan, back),
            (true, _, back) if let Some(recovery) = plan.recovery => {
                recovering_walk(recovery, back)
            }
            (true, _, false) => [
                "lif_forward",
                "lif_forward_delayed",
                "lif_forward_heterogeneous",
                "lif_forward_delayed_heterogeneous",
            ],
            (true, _, true) => [
                "lif_backward",
                "lif_backward_delayed",
                "lif_backward_heterogeneous",
                "lif_backward_delayed_heterogeneous",
            ],
            (false, true, false) => [
                "li_maximum",
                "li_maximum_delayed",
                "li_maximum_heterogeneous",
                "li_maximum_delayed_heterogeneous",
            ],
            (false, true, true) => [
                "li_maximum_backward",
                "li_maximum_backward_delayed",
                "li_maximum_backward_heterogeneous",
                "li_maximum_backward_delayed_heterogeneous",
            ],
            (false, false, false) => [
                "li_mean",
                "li_mean_delayed",
                "li_mean_heterogeneous",
                "li_mean_delayed_heterogeneous",
            ],
            (false, false, true) => [
                "li_mean_backward",
                "li_mean_backward_delayed",
                "li_mean_backward_heterogeneous",
                "li_mean_backward_delayed_heterogeneous",
            ],
        };
        names[usize::from(plan.delays) + 2 * usize::from(plan.heterogeneous)]
    }

    /// Puts what each neuron of a layer with delays hears into its order, in the memory of the adjoint,
    /// which is not in use yet.
    fn sort_arrivals(&self, index: usize) -> Result<(), EngineError> {
        let layer = &self.descriptions.to_below[index];
        // Each of a neuron's threads sorts four arrivals or more.
        let threads = (layer.width as u32 / 4).next_power_of_two().clamp(8, THREADS / SORT_NEURONS);
        parts(layer).try_for_each(|(first, samples)| {
            self.device.launch(
                "sort_arrivals",
                Shape {
                    grid: (samples as u32, layer.stride as u32 / SORT_NEURONS),
                    block: (threads * SORT_NEURONS, 1),
                },
                &[bytes_of(layer), bytes_of(&layer.mu), bytes_of(&first)],
            )
        })
    }

    /// The adjoint of one layer and the gradient by its weights and delays, part of the batch by part.
    fn layer_backward(&self, index: usize) -> Result<(), EngineError> {
        let (layer, plan) = (&self.descriptions.walks[index], &self.plan[index]);
        plan.members.iter().try_for_each(|&member| self.collect_errors(member + 1))?;
        let (above_errors, above_width, above_tiles) = self.above(index);
        let every_spike = i32::from(self.loss.kind == kind(Readout::SpikeTimeSum));
        let control = self.queue.control.address();
        let shared = self.shared(index);
        let below = &self.descriptions.to_below[index];
        let kernel = self.walk(index, true);
        for (first, samples) in parts(layer) {
            let shape = neurons(layer, samples);
            if plan.spikes {
                let mut arguments: Vec<&[u8]> = vec![bytes_of(layer), bytes_of(&control)];
                if shared.is_none() {
                    arguments.extend([
                        bytes_of(&above_errors),
                        bytes_of(&above_width),
                        bytes_of(&above_tiles),
                    ]);
                }
                arguments.extend([bytes_of(&every_spike), bytes_of(&first)]);
                let shape = if plan.is_recurrent() {
                    arguments.push(bytes_of(below));
                    arguments.extend(shared.iter().flatten().map(bytes_of));
                    whole(plan, samples)
                } else {
                    arguments.push(bytes_of(&samples));
                    arguments.extend(self.descriptions.recoveries[index].as_ref().map(bytes_of));
                    shape
                };
                self.device.launch(kernel, shape, &arguments)?;
            } else {
                let arguments: [&[u8]; 3] = [bytes_of(layer), bytes_of(&first), bytes_of(&samples)];
                self.device.launch(kernel, shape, &arguments)?;
            }
            if self.weights.are_learned(index) {
                self.weight_gradient(layer, first, samples)?;
            }
            for by_delays in self.by_delays(index) {
                self.weight_gradient(&by_delays, first, samples)?;
            }
            if plan.has_delays() && layer.wants_errors != 0 {
                self.sum_errors(index, first, samples)?;
            }
        }
        self.constant_gradient(index)?;
        self.weights.gather(self.device, index)
    }

    /// The layer with the derivatives by its delays in the place of those by its weights: what it is to the
    /// connections from below, and to those within, whose sources come after.
    fn by_delays(&self, index: usize) -> impl Iterator<Item = Layer> {
        let (layer, plan) = (self.descriptions.walks[index], &self.plan[index]);
        let sources = [(0, plan.below()), (plan.below(), plan.sources - plan.below())];
        let connections = self.weights.delays(index, plan).into_iter().zip(sources);
        connections.filter_map(move |(delays, (first, sources))| {
            let (_, gradient) = delays?;
            let heads = layer.heads + (first * layer.samples as usize * size_of::<i32>()) as u64;
            Some(Layer { mu: layer.by_time, gradient, heads, sources: sources as i32, ..layer })
        })
    }

    fn weight_gradient(&self, layer: &Layer, first: i32, samples: i32) -> Result<(), EngineError> {
        // Large batches are shared among many warps, small ones leave room for several tiles in a block.
        let shares = (samples as u32).div_ceil(GROUP as u32).min(SUMMERS);
        let tiles = (layer.tiles as u32).min((WARPS as u32).div_ceil(shares));
        self.device.launch(
            "weight_gradient",
            Shape {
                grid: (layer.sources as u32, (layer.tiles as u32).div_ceil(tiles)),
                block: (WARP as u32, tiles * shares),
            },
            &[
                bytes_of(layer),
                bytes_of(&self.queue.control.address()),
                bytes_of(&first),
                bytes_of(&samples),
                bytes_of(&(shares as i32)),
            ],
        )
    }

    fn sum_errors(&self, index: usize, first: i32, samples: i32) -> Result<(), EngineError> {
        let Descriptions { walks, to_below, .. } = &self.descriptions;
        let (layer, below) = (&walks[index], &to_below[index]);
        self.device.launch(
            "sum_errors",
            Shape {
                // Some eight events a warp.
                grid: (samples as u32, (below.width as u32).div_ceil(8 * WARPS as u32).min(1024)),
                block: (WARP as u32, WARPS as u32),
            },
            &[
                bytes_of(layer),
                bytes_of(below),
                bytes_of(&self.queue.control.address()),
                bytes_of(&first),
            ],
        )
    }

    fn warp_a_sample(&self) -> Shape {
        let warps = WARPS as u32;
        Shape { grid: (self.samples().div_ceil(warps), 1), block: (WARP as u32, warps) }
    }

    fn samples(&self) -> u32 {
        self.descriptions.layers[0].samples as u32
    }

    fn output(&self) -> &Layer {
        &self.descriptions.layers[self.plan.len() - 1]
    }
}

/// The same where neurons need time to recover from a spike.
fn recovering_walk(recovery: Recovery, back: bool) -> [&'static str; 4] {
    match (back, recovery.adaptation) {
        (false, None) => [
            "lif_refractory",
            "lif_refractory_delayed",
            "lif_refractory_heterogeneous",
            "lif_refractory_delayed_heterogeneous",
        ],
        (false, Some(_)) => [
            "lif_adaptive",
            "lif_adaptive_delayed",
            "lif_adaptive_heterogeneous",
            "lif_adaptive_delayed_heterogeneous",
        ],
        (true, _) => [
            "lif_recovering_backward",
            "lif_recovering_backward_delayed",
            "lif_recovering_backward_heterogeneous",
            "lif_recovering_backward_delayed_heterogeneous",
        ],
    }
}

/// The same in a layer whose neurons hear one another: with delays each has a queue of its own, and where there are
/// many a thread walks several.
fn recurrent_walk(plan: &DenseLayer, back: bool) -> &'static str {
    let [forward, backward, large, large_backward] = match (plan.has_delays(), plan.delays) {
        (false, _) => [
            "lif_recurrent",
            "lif_recurrent_backward",
            "lif_recurrent_large",
            "lif_recurrent_backward_large",
        ],
        (true, false) => {
            ["lif_queued", "lif_queued_backward", "lif_queued_large", "lif_queued_backward_large"]
        }
        (true, true) => [
            "lif_queued_delayed",
            "lif_queued_backward_delayed",
            "lif_queued_delayed_large",
            "lif_queued_backward_delayed_large",
        ],
    };
    if plan.recovery.is_some() {
        return recurrent_recovering_walk(plan, back);
    }
    match (plan.is_large(), back) {
        (false, false) => forward,
        (false, true) => backward,
        (true, false) => large,
        (true, true) => large_backward,
    }
}

/// The same where neurons need time to recover from a spike: a thread always walks several.
fn recurrent_recovering_walk(plan: &DenseLayer, back: bool) -> &'static str {
    let [forward, backward] = match (plan.has_delays(), plan.delays) {
        (false, _) => ["lif_recurrent_recovering", "lif_recurrent_recovering_backward"],
        (true, false) => ["lif_queued_recovering", "lif_queued_recovering_backward"],
        (true, true) => ["lif_queued_recovering_delayed", "lif_queued_recovering_backward_delayed"],
    };
    if back { backward } else { forward }
}

/// The loss as kernels are given it.
pub(crate) fn describe_loss(known: KnownLoss, readout: Readout) -> abi::Loss {
    let kind = kind(readout);
    match known.loss {
        Loss::TtfsCrossEntropy { tau, alpha, tau_early } => abi::Loss {
            kind,
            tau: tau as f32,
            alpha: alpha as f32,
            tau_early: tau_early as f32,
            skips_silent_label: i32::from(known.skips_silent_label),
        },
        _ => abi::Loss { kind, ..abi::Loss::default() },
    }
}

/// See the READOUT_ constants of `kernels/types.cuh`.
pub(crate) fn kind(readout: Readout) -> i32 {
    match readout {
        Readout::FirstSpike => 0,
        Readout::SpikeTimeSum => 1,
        Readout::VMax => 2,
        Readout::Mean => 3,
        Readout::ExpMean => 4,
    }
}

/// The parts of a batch whose adjoint is kept at once: (first, samples).
fn parts(layer: &Layer) -> impl Iterator<Item = (i32, i32)> {
    let (all, chunk) = (layer.samples, layer.chunk);
    (0..all).step_by(chunk as usize).map(move |first| (first, chunk.min(all - first)))
}

/// A thread a neuron and sample; small layers put several samples into a block.
pub(crate) fn neurons(layer: &Layer, samples: i32) -> Shape {
    let tiles = (layer.tiles as usize).min(WARPS);
    let together = WARPS / tiles;
    Shape {
        grid: (
            (samples as u32).div_ceil(together as u32),
            (layer.tiles as usize).div_ceil(tiles) as u32,
        ),
        block: ((tiles * WARP) as u32, together as u32),
    }
}

/// A block a sample, all neurons of the layer in it.
fn whole(plan: &DenseLayer, samples: i32) -> Shape {
    Shape { grid: (samples as u32, 1), block: (plan.threads as u32, 1) }
}
