use super::backward::{Gradient, Jumps, NotFinite, Reverser};
use super::model::Model;
use super::readout::Measurement;
use super::record::{Record, Spike};
use super::simulate::{Runaway, Simulator};
use crate::lanes::LaneReal;
use lif_core::SpikeTrain;

/// Everything that one sample at a time needs; its allocations are kept from sample to sample.
#[derive(Debug, Default)]
pub(super) struct Workspace<T: LaneReal> {
    pub(super) record: Record<T>,
    pub(super) measurement: Measurement<T>,
    simulator: Simulator<T>,
    reverser: Reverser<T>,
    inputs: usize,
}

impl<T: LaneReal> Workspace<T> {
    /// Runs a sample forward, component by component, and measures the output layer.
    pub(super) fn forward(
        &mut self,
        model: &Model<T>,
        inputs: SpikeTrain<'_, T>,
    ) -> Result<(), Runaway> {
        let Self { record, simulator, .. } = self;
        record.clear(model.layouts.len(), model.blocks.len());
        self.inputs = inputs.len();
        for (id, (time, neuron)) in inputs.iter().enumerate() {
            record.spikes.push(Spike { time, neuron });
            record.trains[0].push(T::key(time, id as u32));
        }
        for component in &model.components {
            for &layer in &component.layers {
                gather(model, layer, record);
            }
            let layers = component.layers.iter();
            let mut blocks = layers.flat_map(|&layer| model.layouts[layer].range());
            if component.recurrent {
                simulator.run(model, blocks, record)?;
            } else {
                // Nothing leads from one block to another: each goes through its whole time alone.
                blocks.try_for_each(|block| {
                    let idle = record.blocks[block].external.is_empty();
                    if idle && !model.blocks[block].biased {
                        return Ok(());
                    }
                    simulator.run(model, std::iter::once(block), record)
                })?;
            }
            for &layer in &component.layers {
                record.trains[layer].sort_unstable();
            }
        }
        self.measurement.take(model, record);
        Ok(())
    }

    /// Runs the adjoint of the sample last run forward and adds its gradient to `gradient`; returns
    /// the number of grazing spikes.
    pub(super) fn backward(
        &mut self,
        model: &Model<T>,
        jumps: &Jumps<T>,
        by_output: &[T],
        gradient: &mut Gradient<T>,
    ) -> Result<u64, NotFinite> {
        let Self { record, measurement, reverser, .. } = self;
        reverser.run(model, jumps, record, measurement, by_output, gradient)
    }

    /// The loss's derivative by the time of each input spike, after the backward pass.
    pub(super) fn input_gradient(&self) -> &[T] {
        &self.reverser.errors[..self.inputs]
    }
}

/// Sends the spikes of earlier components to the blocks of a layer.
fn gather<T: LaneReal>(model: &Model<T>, layer: usize, record: &mut Record<T>) {
    let Record { spikes, trains, blocks, .. } = record;
    let connections = &model.outside[layer];
    for &(connection, from) in connections {
        for &key in &trains[from] {
            let id = T::slot(key);
            let Spike { time, neuron } = spikes[id as usize];
            if time > model.duration {
                break;
            }
            model.arrivals_of(connection, neuron, id, time, |block, arrival| {
                if arrival.time <= model.duration {
                    blocks[block as usize].external.push(arrival);
                }
            });
        }
    }
    let sorted = connections.len() <= 1
        && connections.iter().all(|&(connection, _)| !model.synapses.delayed(connection));
    if !sorted {
        for block in model.layouts[layer].range() {
            // Of those at one moment, the order is that of connections and spikes.
            let by_time = |a: &T, b: &T| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
            blocks[block].external.sort_by(|a, b| by_time(&a.time, &b.time));
        }
    }
}
