use super::convolution::convolve;
use super::neuron::{Neuron, NeuronState};
use crate::flow::Adjoint;
use crate::parameters::LayerParameters;

/// The adjoint variables of a neuron on their way back.
#[derive(Clone, Copy)]
pub(super) struct Costate {
    /// How far back they have come.
    pub(super) time: f64,
    pub(super) lambda: Adjoint<f64>,
    pub(super) lambda_b: f64,
    /// tau_mem V'+ lambda_V+ of a release met on the way to its spike.
    pub(super) release: f64,
}

impl Costate {
    pub(super) fn new(time: f64) -> Self {
        Self { time, lambda: Adjoint::default(), lambda_b: 0.0, release: 0.0 }
    }
}

/// A time without events, from the state at its start and the adjoint at its end. In reversed time
/// sigma lambda_V is driven by `drive` exp(-growth sigma).
#[derive(Clone, Copy)]
pub(super) struct Interval<'a> {
    pub(super) neuron: &'a Neuron,
    pub(super) dt: f64,
    pub(super) start: NeuronState,
    pub(super) end: Costate,
    pub(super) drive: f64,
    pub(super) growth: f64,
}

impl Interval<'_> {
    /// The adjoint at the start.
    pub(super) fn rewound(&self) -> Costate {
        let (m, s) = self.rates();
        let flow = self.neuron.time_constants.flow(self.dt);
        let mut lambda = flow.backward(self.end.lambda, self.neuron.time_constants.ratio());
        if self.start.held {
            // lambda_V is 0 here: lambda_I only decays.
            lambda = Adjoint { v: 0.0, i: flow.es * self.end.lambda.i };
        } else if self.drive != 0.0 {
            lambda.v += self.drive * convolve([m, self.growth], self.dt);
            lambda.i += self.drive * s * convolve([m, s, self.growth], self.dt);
        }
        Costate { lambda, lambda_b: self.end.lambda_b * self.decay_b(), ..self.end }
    }

    /// Adds the integrals over this time to the gradient by the layer's constants:
    /// tau_mem: lambda_V V'; tau_syn: lambda_I (-I/tau_syn); bias: -lambda_V; tau_b: lambda_B (-B/tau_b).
    pub(super) fn add_gradients(&self, gradient: &mut LayerParameters<f64>) {
        let (m, s) = self.rates();
        let (dt, growth, drive, index) = (self.dt, self.growth, self.drive, self.neuron.index);
        let Adjoint { v: lambda_v, i: lambda_i } = self.end.lambda;
        let current = self.start.membrane.i;
        let mut by_current = lambda_i * convolve([s, s], dt);
        if !self.start.held {
            // V' starts at `slope` and is driven by I' = -I/tau_syn.
            let slope = self.neuron.time_constants.slope(self.start.membrane, self.neuron.bias);
            let pull = -current * s * m;
            let mut by_slope =
                lambda_v * (slope * convolve([m, m], dt) + pull * convolve([m, m, s], dt));
            let mut area = lambda_v * convolve([m, 0.0], dt);
            by_current += lambda_v * s * convolve([m, s, s], dt);
            if drive != 0.0 {
                by_slope += drive
                    * (slope * convolve([m, m, growth], dt)
                        + pull * convolve([m, m, s, growth], dt));
                area += drive * convolve([m, growth, 0.0], dt);
                by_current += drive * s * convolve([m, s, s, growth], dt);
            }
            *slot(&mut gradient.tau_mem, index) += by_slope;
            gradient.bias[index] -= area;
        }
        *slot(&mut gradient.tau_syn, index) -= s * current * by_current;
        if let Some(gradient) = gradient.adaptation_tau.first_mut() {
            let tau_b = self.neuron.spiking.map_or(f64::INFINITY, |spiking| spiking.tau_b);
            *gradient -= self.start.b / tau_b * self.end.lambda_b * dt * self.decay_b();
        }
    }

    fn rates(&self) -> (f64, f64) {
        let constants = self.neuron.time_constants;
        (constants.tau_mem.recip(), constants.tau_syn.recip())
    }

    fn decay_b(&self) -> f64 {
        self.neuron.spiking.map_or(1.0, |spiking| (-self.dt / spiking.tau_b).exp())
    }
}

/// The value for neuron `index` in a list of one value for all or one a neuron.
pub(super) fn slot(values: &mut [f64], index: usize) -> &mut f64 {
    let index = if values.len() == 1 { 0 } else { index };
    &mut values[index]
}
