use lif_core::grid::{GridLayer, GridVariant};
use std::ops::Range;
use wide::f32x16;

/// Added to I - theta before dividing by it, as in [`lif_core::grid`].
const SLOPE_GUARD: f32 = 1e-10;

/// What 16 neurons do at each step. The equations stand in [`lif_core::grid`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Dynamics {
    variant: GridVariant,
    silent_step: f32x16,
    /// a and 1 - a.
    membrane: (f32x16, f32x16),
    /// s and 1 - s.
    synapse: (f32x16, f32x16),
    threshold: f32x16,
}

/// The outcome of a pass over one sample.
pub(super) struct Pass {
    /// The first step at which each neuron spiked.
    pub(super) first: f32x16,
    /// The number of spikes of each.
    pub(super) spikes: f32x16,
}

impl Dynamics {
    pub(super) fn new(layer: &GridLayer, steps: usize) -> Self {
        let of = |value: f64| f32x16::splat(value as f32);
        Self {
            variant: layer.variant,
            silent_step: f32x16::splat(layer.variant.silent_step(steps) as f32),
            membrane: (of(layer.membrane_rate), of(1.0 - layer.membrane_rate)),
            synapse: (of(layer.synaptic_rate), of(1.0 - layer.synaptic_rate)),
            threshold: of(layer.threshold),
        }
    }

    /// Runs the steps in `steps`; before them there is no input. `drive` holds what arrives at each
    /// step. Writes what the adjoint multiplies by at each step (1 / (I - theta) where there is a
    /// spike, else 0) to `jumps`, and a bit for each spike to `fired`.
    #[inline(always)]
    pub(super) fn forward(
        &self,
        steps: Range<usize>,
        drive: &[f32x16],
        jumps: &mut [f32x16],
        fired: &mut [u16],
    ) -> Pass {
        let (a, keep_voltage) = self.membrane;
        let keep_current = self.synapse.1;
        let (one, guard) = (f32x16::splat(1.0), f32x16::splat(SLOPE_GUARD));
        let never = f32x16::splat(f32::INFINITY);
        let (mut voltage, mut current) = (f32x16::default(), f32x16::default());
        let mut pass = Pass { first: never, spikes: f32x16::default() };
        let mut now = f32x16::splat(steps.start as f32);
        let rows = drive[steps.clone()].iter().zip(&mut jumps[steps.clone()]);
        for ((&drive, jump), fired) in rows.zip(&mut fired[steps]) {
            voltage = a.mul_add(current, keep_voltage * voltage);
            let spike = voltage.simd_gt(self.threshold);
            voltage = spike.select(f32x16::default(), voltage);
            let before = current;
            current = keep_current.mul_add(current, drive);
            let slope_current = match self.variant {
                GridVariant::Head => before,
                GridVariant::First => current,
            };
            *jump = spike & (one / ((slope_current - self.threshold) + guard));
            *fired = spike.to_bitmask() as u16;
            pass.first = pass.first.fast_min(spike.select(now, never));
            pass.spikes += spike & one;
            now += one;
        }
        pass
    }

    /// The first steps with silent neurons counted as the variant does.
    #[inline(always)]
    pub(super) fn counted(&self, first: f32x16) -> f32x16 {
        first.fast_min(self.silent_step)
    }

    /// The step at which a spike of step `step` reaches the current of who hears it.
    pub(super) fn arrival(&self, step: usize) -> usize {
        self.variant.arrival(step)
    }

    /// The loss's derivative by the spikes of a step where that by the first steps `first` is `gradient`.
    #[inline(always)]
    pub(super) fn by_first(&self, first: f32x16, gradient: f32x16) -> impl Fn(usize) -> f32x16 {
        let variant = self.variant;
        move |step| match variant {
            GridVariant::Head => first.simd_eq(f32x16::splat(step as f32)) & gradient,
            GridVariant::First => gradient,
        }
    }

    /// Runs the adjoint over the same steps. `upstream` is the loss's derivative by the spikes of a step;
    /// writes lambda_I at each step to `adjoint`, and what an input of unit weight that arrives there
    /// would see, lambda_V - lambda_I, to `difference` if it is long enough.
    #[inline(always)]
    pub(super) fn backward(
        &self,
        steps: Range<usize>,
        upstream: impl Fn(usize) -> f32x16,
        jumps: &[f32x16],
        adjoint: &mut [f32x16],
        difference: &mut [f32x16],
    ) {
        let keep_voltage = self.membrane.1;
        let s = self.synapse.0;
        let (mut voltage, mut current) = (f32x16::default(), f32x16::default());
        let rows = jumps[steps.clone()].iter().zip(&mut adjoint[steps.clone()]);
        for (step, (&jump, adjoint)) in steps.zip(rows).rev() {
            if let Some(difference) = difference.get_mut(step) {
                *difference = voltage - current;
            }
            match self.variant {
                GridVariant::Head => {
                    current = s.mul_add(voltage - current, current);
                    let pull = self.threshold.mul_add(voltage, upstream(step));
                    voltage = jump.mul_add(pull, keep_voltage * voltage);
                }
                GridVariant::First => {
                    voltage *= keep_voltage;
                    let pull = self.threshold.mul_add(voltage, upstream(step));
                    voltage = jump.mul_add(pull, voltage);
                    current = s.mul_add(voltage - current, current);
                }
            }
            *adjoint = current;
        }
    }
}
