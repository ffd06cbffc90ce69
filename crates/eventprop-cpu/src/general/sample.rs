use super::backward::Reverser;
use super::components::Component;
use super::gradient::{Gradient, Jumps, NotFinite};
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
            run(model, component, simulator, record)?;
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

/// Runs the blocks of a component.
fn run<T: LaneReal>(
    model: &Model<T>,
    component: &Component,
    simulator: &mut Simulator<T>,
    record: &mut Record<T>,
) -> Result<(), Runaway> {
    let layers = component.layers.iter();
    if component.recurrent {
        let blocks = layers.flat_map(|&layer| model.layouts[layer].range());
        return simulator.run(model, blocks, record);
    }
    // Nothing leads from one tile to another: each goes through its whole time alone.
    for &layer in layers {
        let layout = &model.layouts[layer];
        for block in layout.tiles() {
            let biased = || model.blocks[block..block + layout.tile].iter().any(|own| own.biased);
            if record.blocks[block].external.is_empty() && !biased() {
                continue;
            }
            match &model.walkers[layer] {
                Some(walker) => walker.forward(model, layout, block, record)?,
                None if model.blocks[block].spiking.is_none() => {
                    simulator.integrate(model, block, record);
                }
                None => simulator.run(model, std::iter::once(block), record)?,
            }
        }
    }
    Ok(())
}

/// Sends the spikes of earlier components to the tiles of a layer.
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
            model.arrivals_of(connection, neuron, id, time.as_f64(), |block, arrival| {
                if arrival.time <= model.end {
                    blocks[block as usize].external.push(arrival);
                }
            });
        }
    }
    let sorted = connections.len() <= 1
        && connections.iter().all(|&(connection, _)| !model.synapses.delayed(connection));
    if !sorted {
        for block in model.layouts[layer].tiles() {
            // Of those at one moment, the order is that of connections and spikes.
            blocks[block].external.sort_by(|a, b| a.time.total_cmp(&b.time));
        }
    }
}
