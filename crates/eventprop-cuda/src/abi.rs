//! What host and device share: the structs of `kernels/types.cuh`, field by field. Pointers are
//! addresses on the device.

use bytemuck::{Pod, Zeroable};

/// An address on the device.
pub(crate) type Address = u64;

/// Stands for no event and no place.
pub(crate) const NONE: u64 = u64::MAX;

/// How voltage and current of a layer decay.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Decay {
    pub(crate) tau_mem: f32,
    pub(crate) tau_syn: f32,
    pub(crate) difference: f32,
    pub(crate) gain: f32,
    pub(crate) ratio: f32,
    pub(crate) integer_ratio: i32,
}

/// A layer above the input and its part of a batch.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Layer {
    pub(crate) layer: i32,
    pub(crate) sources: i32,
    pub(crate) targets: i32,
    pub(crate) stride: i32,
    pub(crate) width: i32,
    pub(crate) slots: i32,
    pub(crate) samples: i32,
    pub(crate) tiles: i32,
    pub(crate) chunk: i32,
    pub(crate) wants_errors: i32,
    pub(crate) duration: f32,
    pub(crate) reset: f32,
    pub(crate) rate: f32,
    pub(crate) slope_floor: f32,
    pub(crate) target_count: f32,
    pub(crate) target_strength: f32,
    pub(crate) decay: Decay,
    pub(crate) weights: Address,
    pub(crate) delays: Address,
    pub(crate) gradient: Address,
    pub(crate) bias: Address,
    pub(crate) threshold: Address,
    pub(crate) counts: Address,
    pub(crate) records: Address,
    pub(crate) times: Address,
    pub(crate) factors: Address,
    pub(crate) heads: Address,
    pub(crate) links: Address,
    pub(crate) errors: Address,
    pub(crate) mu: Address,
    pub(crate) heard: Address,
    pub(crate) heard_counts: Address,
    pub(crate) by_time: Address,
    pub(crate) spike_counts: Address,
    pub(crate) spike_times: Address,
    pub(crate) spike_slopes: Address,
    pub(crate) spike_mems: Address,
    pub(crate) spike_drives: Address,
    pub(crate) spike_intervals: Address,
    pub(crate) spike_ranks: Address,
    pub(crate) needed: Address,
    pub(crate) activity: Address,
    pub(crate) outputs: Address,
    pub(crate) derivatives: Address,
    pub(crate) peaks: Address,
    pub(crate) peak_elapsed: Address,
    pub(crate) peak_currents: Address,
    pub(crate) peak_intervals: Address,
    pub(crate) decays: Address,
}

/// What else the neurons of a layer need time for after a spike, and what is kept of it.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Recovery {
    pub(crate) refractory: f32,
    pub(crate) padding: i32,
    pub(crate) adaptation_beta: Address,
    pub(crate) adaptation_tau: Address,
    pub(crate) rises: Address,
    pub(crate) mems: Address,
    pub(crate) drives: Address,
    pub(crate) intervals: Address,
}

/// One of several layers that are walked together.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Member {
    pub(crate) layer: Layer,
    pub(crate) above_errors: Address,
    pub(crate) above_width: i32,
    pub(crate) above_tiles: i32,
    pub(crate) recovery: Recovery,
}

/// The spikes of one layer in order of time, one of several that are joined to what a layer hears.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct List {
    pub(crate) counts: Address,
    pub(crate) times: Address,
    pub(crate) records: Address,
    pub(crate) heads: Address,
    pub(crate) links: Address,
    pub(crate) ranks: Address,
    pub(crate) width: i32,
    pub(crate) sources: i32,
    pub(crate) first: i32,
    pub(crate) padding: i32,
}

/// Kinds of constants that neurons have.
pub(crate) const CONSTANTS: usize = 6;

/// One of the constants of a layer's neurons.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Constant {
    pub(crate) values: Address,
    pub(crate) gradient: Address,
    pub(crate) is_common: i32,
    pub(crate) padding: i32,
}

/// All of them.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Constants {
    pub(crate) of: [Constant; CONSTANTS],
}

/// Parameters that follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Span {
    pub(crate) first: i32,
    pub(crate) end: i32,
}

/// A list of constants among all parameters.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Learned {
    pub(crate) first: i32,
    pub(crate) count: i32,
    pub(crate) constant: i32,
    pub(crate) lowest: f32,
}

/// How fast one kind of parameter learns.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Pace {
    pub(crate) learns: i32,
    pub(crate) rate: f32,
    pub(crate) decay: f32,
}

/// The constants of one update.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Rule {
    pub(crate) adam: i32,
    pub(crate) momentum_or_beta1: f32,
    pub(crate) beta2: f32,
    pub(crate) epsilon: f32,
    pub(crate) root_scale: f32,
    pub(crate) clip_value: f32,
    pub(crate) clip_norm: f64,
    pub(crate) weights: Pace,
    pub(crate) delays: Pace,
    pub(crate) constants: [Pace; CONSTANTS],
}

/// One step of a queue of steps.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Step {
    pub(crate) first: i32,
    pub(crate) samples: i32,
    pub(crate) rule: Rule,
}

/// How a loss is computed.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Loss {
    pub(crate) kind: i32,
    pub(crate) tau: f32,
    pub(crate) alpha: f32,
    pub(crate) tau_early: f32,
    pub(crate) skips_silent_label: i32,
}

/// The state of the queue: what went wrong, how far it is.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Control {
    pub(crate) runaway: u64,
    pub(crate) loss_not_finite: u64,
    pub(crate) parameter_not_finite: u64,
    pub(crate) capacity: i32,
    pub(crate) silent: i32,
    grazing: u64,
    clipped: u64,
    pub(crate) not_finite: u64,
    norm: f64,
    pub(crate) cursor: i32,
    at: i32,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Totals {
    pub(crate) loss: f64,
    pub(crate) samples: u64,
    pub(crate) correct: u64,
    pub(crate) grazing: u64,
    pub(crate) clipped: u64,
}

impl Control {
    /// Nothing wrong, at the first step.
    pub(crate) fn fresh() -> Self {
        Self {
            runaway: NONE,
            loss_not_finite: NONE,
            parameter_not_finite: NONE,
            not_finite: NONE,
            ..Self::zeroed()
        }
    }

    /// Whether a step failed.
    pub(crate) fn is_faulty(&self) -> bool {
        let places = [self.runaway, self.loss_not_finite, self.parameter_not_finite];
        places.iter().any(|&place| place != NONE) || self.capacity != 0 || self.silent != 0
    }
}

const _: () = {
    assert!(size_of::<Layer>() == 344 && size_of::<Step>() == 136);
    assert!(size_of::<Member>() == 416 && size_of::<Recovery>() == 56);
    assert!(size_of::<Constants>() == 144 && size_of::<Learned>() == 16 && size_of::<Span>() == 8);
    assert!(size_of::<Loss>() == 20 && size_of::<Control>() == 72 && size_of::<List>() == 64);
    assert!(size_of::<Totals>() == 40);
};
