//! Which kernels run, in which order.

use crate::abi::Layer;
use crate::batch::Descriptions;
use crate::device::Shape;
use crate::layer::WARP;
use crate::program::{Program, THREADS, WARPS};
use crate::sizes::GROUP;
use crate::update::{End, Left, change, finish, finish_update};
use crate::walks::{neurons, whole};
use bytemuck::bytes_of;
use lif_core::engine::EngineError;

/// Warps that share the samples of one gradient: SUMMERS of `kernels/weight_gradient.cu`.
const SUMMERS: u32 = 16;
/// Neurons of a block that sorts: SORT_NEURONS of `kernels/sort_arrivals.cu`.
const SORT_NEURONS: u32 = 4;

impl Program<'_> {
    /// From the input spikes to the outputs and predictions.
    pub(crate) fn infer(&self) -> Result<(), EngineError> {
        self.forward()?;
        self.predict()
    }

    /// The same, and the losses and their derivatives, if kernels know them.
    pub(crate) fn evaluate(&self) -> Result<(), EngineError> {
        self.forward()?;
        self.evaluate_loss()
    }

    /// From the input spikes to the output layer.
    pub(crate) fn forward(&self) -> Result<(), EngineError> {
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

    /// The gradient and the statistics, from the losses and their derivatives.
    pub(crate) fn differentiate(&self, input_errors: bool) -> Result<(), EngineError> {
        self.backward(input_errors)?;
        self.finish(End::Batch)
    }

    /// Changes weights and delays by the gradient.
    pub(crate) fn update(&self) -> Result<(), EngineError> {
        self.change()?;
        finish_update(self.device, self.queue)
    }

    /// [`Program::differentiate`], then [`Program::update`].
    pub(crate) fn train(&self, input_errors: bool) -> Result<(), EngineError> {
        self.backward(input_errors)?;
        self.change()?;
        self.finish(End::Step)
    }

    fn backward(&self, input_errors: bool) -> Result<(), EngineError> {
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
    fn finish(&self, end: End) -> Result<(), EngineError> {
        let Self { device, batch, queue, data, .. } = self;
        let (losses, predictions) = (&batch.losses, &batch.predictions);
        finish(device, end, queue, Left { losses, predictions, labels: &data.labels })
    }

    fn change(&self) -> Result<(), EngineError> {
        let Self { device, weights, queue, norm, .. } = self;
        change(device, &weights.stored, queue, *norm)?;
        self.change_constants()
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
        // Where nobody hears the layer, the loss's derivatives, which are 0 unless it is the output.
        let above_tiles = if plan.is_recurrent() { above_tiles } else { above_tiles.max(0) };
        let told_of_loss = self.told_of_loss(index);
        let control = self.queue.control.address();
        let shared = self.shared(index);
        let below = &self.descriptions.to_below[index];
        for (first, samples) in parts(layer) {
            let by_arrival = self.by_arrival(index, samples, true);
            let (kernel, shape) =
                by_arrival.unwrap_or_else(|| (self.walk(index, true), neurons(layer, samples)));
            // Threads of warps that have several samples ask whether theirs exists.
            let samples_of_all = by_arrival.is_none().then_some(samples);
            if plan.spikes {
                let mut arguments: Vec<&[u8]> = vec![bytes_of(layer), bytes_of(&control)];
                if shared.is_none() {
                    arguments.extend([
                        bytes_of(&above_errors),
                        bytes_of(&above_width),
                        bytes_of(&above_tiles),
                    ]);
                }
                arguments.extend([bytes_of(&told_of_loss), bytes_of(&first)]);
                let shape = if plan.is_recurrent() {
                    arguments.push(bytes_of(below));
                    arguments.extend(shared.iter().flatten().map(bytes_of));
                    whole(plan, samples)
                } else {
                    arguments.extend(samples_of_all.iter().map(bytes_of));
                    arguments.extend(self.descriptions.recoveries[index].as_ref().map(bytes_of));
                    shape
                };
                self.device.launch(kernel, shape, &arguments)?;
            } else {
                let mut arguments = vec![bytes_of(layer), bytes_of(&first)];
                arguments.extend(samples_of_all.iter().map(bytes_of));
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
        if layer.sources == 0 {
            return Ok(());
        }
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
}

/// The parts of a batch whose adjoint is kept at once: (first, samples).
fn parts(layer: &Layer) -> impl Iterator<Item = (i32, i32)> {
    let (all, chunk) = (layer.samples, layer.chunk);
    (0..all).step_by(chunk as usize).map(move |first| (first, chunk.min(all - first)))
}
