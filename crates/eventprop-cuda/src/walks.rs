//! The kernels in which neurons walk through what arrives, and on how many threads.

use crate::abi::{self, Address, Layer};
use crate::device::{Buffer, Shape};
use crate::layer::{DenseLayer, Recovery, WARP};
use crate::loss::kind;
use crate::program::{Program, WARPS};
use bytemuck::bytes_of;
use lif_core::engine::EngineError;
use lif_core::loss::Readout;

impl Program<'_> {
    /// What a walk of several neurons a thread is told besides: its layers, and where its neurons remember.
    pub(crate) fn shared(&self, index: usize) -> Option<[Address; 2]> {
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

    /// Walks layer number `index` above the input, the neurons of `layer`, from the first arrival to the last.
    pub(crate) fn walk_forward(&self, index: usize, layer: &Layer) -> Result<(), EngineError> {
        let plan = &self.plan[index];
        let by_arrival = self.by_arrival(index, layer.samples, false);
        let (kernel, shape) =
            by_arrival.unwrap_or_else(|| (self.walk(index, false), neurons(layer, layer.samples)));
        let control = self.queue.control.address();
        if !plan.spikes {
            return self.device.launch(kernel, shape, &[bytes_of(layer)]);
        }
        if !plan.is_recurrent() {
            let mut arguments = vec![bytes_of(layer), bytes_of(&control)];
            arguments.extend(self.descriptions.recoveries[index].as_ref().map(bytes_of));
            self.device.launch(kernel, shape, &arguments)?;
            return self.measure_voltages(index, layer);
        }
        let (copies, shared) = (plan.copies as i32, self.shared(index));
        let below = &self.descriptions.to_below[index];
        let mut arguments =
            vec![bytes_of(below), bytes_of(layer), bytes_of(&control), bytes_of(&copies)];
        arguments.extend(shared.iter().flatten().map(bytes_of));
        self.device.launch(kernel, whole(plan, layer.samples), &arguments)?;
        self.measure_recurrent(index, layer)
    }

    /// Measures the voltages of an output layer that spikes, if the loss looks at them.
    fn measure_voltages(&self, index: usize, layer: &Layer) -> Result<(), EngineError> {
        let Some(measured) = self.measured(index) else { return Ok(()) };
        let shape = neurons(layer, layer.samples);
        let measure = |kernel| self.device.launch(kernel, shape, &[bytes_of(layer)]);
        match (measured, self.plan[index].delays) {
            (Voltage::Mean, false) => measure("lif_mean"),
            (Voltage::Mean, true) => measure("lif_mean_delayed"),
            // The first of those that are silent.
            (Voltage::Maximum, delays) => {
                let follow = maximum_walk(delays, self.plan[index].heterogeneous);
                measure(follow).and_then(|()| measure("lif_maximum"))
            }
        }
    }

    /// The same of an output layer that is walked with others or hears itself.
    fn measure_recurrent(&self, index: usize, walk: &Layer) -> Result<(), EngineError> {
        let plan = &self.plan[index];
        if !self.is_driven(index) {
            return Ok(());
        }
        let (kernel, _) = recurrent_extras(plan);
        let before = plan.members.iter().take_while(|&&member| member + 1 < self.plan.len());
        let column: i32 = before.map(|&member| self.plan[member].stride as i32).sum();
        let output = self.output();
        let mut arguments = vec![
            bytes_of(output),
            bytes_of(walk),
            bytes_of(&self.descriptions.to_below[index]),
            bytes_of(&column),
            bytes_of(&self.loss.kind),
        ];
        let recovery = &self.descriptions.recoveries[self.plan.len() - 1];
        arguments.extend(recovery.as_ref().map(bytes_of));
        self.device.launch(kernel, neurons(output, output.samples), &arguments)
    }

    /// Whether layer number `index` above the input is walked recurrently, the output with it, and the loss looks at the
    /// output's voltages.
    fn is_driven(&self, index: usize) -> bool {
        let (plan, output) = (&self.plan[index], self.plan.len() - 1);
        plan.is_recurrent() && plan.members.contains(&output) && self.measured(output).is_some()
    }

    /// What walks back of layer number `index` above the input are told of the loss: what is measured, if they follow
    /// voltages; else whether every spike counts.
    pub(crate) fn told_of_loss(&self, index: usize) -> i32 {
        if self.is_driven(index) { self.loss.kind } else { self.every_spike() }
    }

    /// What is measured of the voltages of layer number `index` above the input: of those that are not the output the
    /// mean, if anything.
    pub(crate) fn measured(&self, index: usize) -> Option<Voltage> {
        let is_output = index + 1 == self.plan.len();
        let is = |readout| self.loss.kind == kind(readout);
        match is_output && is(Readout::VMax) {
            true => Some(Voltage::Maximum),
            false if !self.plan[index].spikes => Some(Voltage::Mean),
            false if is_output && !self.looks_at_spikes() => Some(Voltage::Mean),
            false => None,
        }
    }

    /// The kernel in which neurons walk through what arrives, or `back`: where synapses have delays, each
    /// in an order of its own.
    pub(crate) fn walk(&self, index: usize, back: bool) -> &'static str {
        let plan = &self.plan[index];
        let delays = usize::from(plan.delays);
        let kernels = match (plan.spikes, self.measured(index), back) {
            _ if back && self.is_driven(index) => return recurrent_extras(plan).1,
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
            (true, None, true) => [
                "lif_backward",
                "lif_backward_delayed",
                "lif_backward_heterogeneous",
                "lif_backward_delayed_heterogeneous",
            ],
            // These compute their decays themselves, or ask.
            (true, Some(Voltage::Maximum), true) => {
                return ["lif_maximum_backward", "lif_maximum_backward_delayed"][delays];
            }
            (true, Some(Voltage::Mean), true) => {
                return ["lif_mean_backward", "lif_mean_backward_delayed"][delays];
            }
            (false, Some(Voltage::Maximum), false) => {
                return maximum_walk(plan.delays, plan.heterogeneous);
            }
            (false, Some(Voltage::Maximum), true) => [
                "li_maximum_backward",
                "li_maximum_backward_delayed",
                "li_maximum_backward_heterogeneous",
                "li_maximum_backward_delayed_heterogeneous",
            ],
            (false, _, false) => [
                "li_mean",
                "li_mean_delayed",
                "li_mean_heterogeneous",
                "li_mean_delayed_heterogeneous",
            ],
            (false, _, true) => [
                "li_mean_backward",
                "li_mean_backward_delayed",
                "li_mean_backward_heterogeneous",
                "li_mean_backward_delayed_heterogeneous",
            ],
        };
        kernels[delays + 2 * usize::from(plan.heterogeneous)]
    }
}

/// What is measured of a voltage.
#[derive(Clone, Copy)]
pub(crate) enum Voltage {
    Maximum,
    Mean,
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

/// The kernels that measure its voltages, and that walk it back from there.
fn recurrent_extras(plan: &DenseLayer) -> (&'static str, &'static str) {
    if plan.recovery.is_some() {
        return recovering_extras(plan);
    }
    let (measure, [own, large]) = match (plan.has_delays(), plan.delays) {
        (false, _) => (
            "measure_recurrent",
            ["lif_recurrent_backward_driven", "lif_recurrent_backward_driven_large"],
        ),
        (true, false) => {
            ("measure_queued", ["lif_queued_backward_driven", "lif_queued_backward_driven_large"])
        }
        (true, true) => (
            "measure_queued_delayed",
            ["lif_queued_backward_delayed_driven", "lif_queued_backward_delayed_driven_large"],
        ),
    };
    (measure, if plan.is_large() { large } else { own })
}

/// The same where neurons need time to recover from a spike.
fn recovering_extras(plan: &DenseLayer) -> (&'static str, &'static str) {
    match (plan.has_delays(), plan.delays) {
        (false, _) => ("measure_recurrent_recovering", "lif_recurrent_recovering_backward_driven"),
        (true, false) => ("measure_queued_recovering", "lif_queued_recovering_backward_driven"),
        (true, true) => {
            ("measure_queued_recovering_delayed", "lif_queued_recovering_backward_delayed_driven")
        }
    }
}

/// The kernel in which neurons that do not spike follow their voltages to the maximum.
fn maximum_walk(delays: bool, heterogeneous: bool) -> &'static str {
    match (delays, heterogeneous) {
        (false, false) => "li_maximum",
        (true, false) => "li_maximum_delayed",
        (false, true) => "li_maximum_heterogeneous",
        (true, true) => "li_maximum_delayed_heterogeneous",
    }
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
pub(crate) fn whole(plan: &DenseLayer, samples: i32) -> Shape {
    Shape { grid: (samples as u32, 1), block: (plan.threads as u32, 1) }
}
