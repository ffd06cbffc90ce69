use super::spec::GridVariant;
use crate::Real;

/// Added to I - theta before dividing by it: the script's guard, which bounds nothing in practice.
const SLOPE_GUARD: f64 = 1e-10;

/// Who spikes at each step, in one sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raster {
    steps: Vec<Vec<u32>>,
}

impl Raster {
    /// A raster of `steps` steps in which nobody spikes.
    pub fn new(steps: usize) -> Self {
        Self { steps: vec![Vec::new(); steps] }
    }

    /// Adds a spike of `neuron` at `step`; one after the last step is ignored. Spikes of one neuron at
    /// one step add up.
    pub fn push(&mut self, step: usize, neuron: u32) {
        if let Some(spikes) = self.steps.get_mut(step) {
            spikes.push(neuron);
        }
    }

    /// Who spikes at `step`.
    pub fn at(&self, step: usize) -> &[u32] {
        &self.steps[step]
    }

    /// The first step at which each of `neurons` neurons spikes.
    pub fn first_spikes(&self, neurons: usize) -> Vec<Option<usize>> {
        let mut first = vec![None; neurons];
        for (step, spikes) in self.steps.iter().enumerate() {
            for &neuron in spikes {
                first[neuron as usize].get_or_insert(step);
            }
        }
        first
    }
}

/// A dense layer of leaky integrate-and-fire neurons on the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct GridLayer {
    /// The order of operations within a step.
    pub variant: GridVariant,
    /// The position of the connection that feeds it.
    pub connection: usize,
    /// The number of neurons that feed it.
    pub inputs: usize,
    /// The number of its neurons.
    pub neurons: usize,
    /// a = dt / tau_mem.
    pub membrane_rate: f64,
    /// s = dt / tau_syn.
    pub synaptic_rate: f64,
    /// The threshold theta.
    pub threshold: f64,
}

/// What the adjoint needs of a layer's pass over one sample.
#[derive(Clone, Debug, PartialEq)]
pub struct GridTrace<T> {
    /// The current I, `[step][neuron]`, flat.
    pub current: Vec<T>,
    /// The spikes sent.
    pub spikes: Raster,
    /// The least distance of a voltage from the threshold: how far the spikes are from changing.
    pub margin: T,
}

/// Is told lambda_V and lambda_I of all neurons of a layer after a step.
pub type Observe<'a, T> = dyn FnMut(usize, &[T], &[T]) + 'a;

/// Where the adjoint of a layer leaves what it finds.
pub struct GridSink<'a, T> {
    /// The gradient by the weights, `[input][neuron]`, to be added to.
    pub gradient: &'a mut [T],
    /// The derivative at a spike of each input and step, `[step][input]`, where it is wanted.
    pub input_gradient: Option<&'a mut [T]>,
    /// Looks on.
    pub observe: &'a mut Observe<'a, T>,
}

impl GridLayer {
    /// Runs the layer over one sample of `steps` steps; weights are `[input][neuron]`.
    pub fn forward<T: Real>(&self, weights: &[T], input: &Raster, steps: usize) -> GridTrace<T> {
        let (a, s) = (T::of(self.membrane_rate), T::of(self.synaptic_rate));
        let threshold = T::of(self.threshold);
        let mut voltage = vec![T::zero(); self.neurons];
        let mut current = vec![T::zero(); self.neurons];
        let mut trace = GridTrace {
            current: Vec::with_capacity(steps * self.neurons),
            spikes: Raster::new(steps),
            margin: T::infinity(),
        };
        for step in 0..steps {
            for j in 0..self.neurons {
                voltage[j] = (T::one() - a) * voltage[j] + a * current[j];
                trace.margin = trace.margin.min((voltage[j] - threshold).abs());
                if voltage[j] > threshold {
                    voltage[j] = T::zero();
                    trace.spikes.push(step, j as u32);
                }
                current[j] *= T::one() - s;
            }
            for &i in self.variant.arriving(step).map_or(&[][..], |from| input.at(from)) {
                for (current, &weight) in current.iter_mut().zip(self.row(weights, i as usize)) {
                    *current += weight;
                }
            }
            trace.current.extend_from_slice(&current);
        }
        trace
    }

    /// Runs the adjoint of [`forward`](Self::forward) over one sample.
    ///
    /// `upstream` holds the loss's derivative at each spike sent, `[step][neuron]`.
    pub fn backward<T: Real>(
        &self,
        weights: &[T],
        input: &Raster,
        trace: &GridTrace<T>,
        upstream: &[T],
        sink: GridSink<'_, T>,
    ) {
        let GridSink { gradient, mut input_gradient, observe } = sink;
        let mut adjoint = Adjoint {
            voltage: vec![T::zero(); self.neurons],
            current: vec![T::zero(); self.neurons],
        };
        for step in (0..upstream.len() / self.neurons).rev() {
            let arriving = self.variant.arriving(step);
            if let (Some(from), Some(input_gradient)) = (arriving, input_gradient.as_deref_mut()) {
                for i in 0..self.inputs {
                    let row = self.row(weights, i).iter().enumerate();
                    input_gradient[from * self.inputs + i] =
                        row.map(|(j, &w)| w * (adjoint.voltage[j] - adjoint.current[j])).sum();
                }
            }
            let upstream = &upstream[step * self.neurons..];
            match self.variant {
                GridVariant::Head => {
                    let before = adjoint.voltage.clone();
                    adjoint.follow(T::of(self.synaptic_rate));
                    adjoint.decay(T::of(self.membrane_rate));
                    for j in trace.spikes.at(step).iter().map(|&j| j as usize) {
                        // A spike at step 0 is impossible: V[0] = 0.
                        let slope = self.slope(trace, step - 1, j);
                        adjoint.voltage[j] +=
                            (T::of(self.threshold) * before[j] + upstream[j]) / slope;
                    }
                }
                GridVariant::First => {
                    adjoint.decay(T::of(self.membrane_rate));
                    for j in trace.spikes.at(step).iter().map(|&j| j as usize) {
                        let slope = self.slope(trace, step, j);
                        let jump = T::of(self.threshold) * adjoint.voltage[j] + upstream[j];
                        adjoint.voltage[j] += jump / slope;
                    }
                    adjoint.follow(T::of(self.synaptic_rate));
                }
            }
            for &i in arriving.map_or(&[][..], |from| input.at(from)) {
                let row = i as usize * self.neurons..(i as usize + 1) * self.neurons;
                for (gradient, &current) in gradient[row].iter_mut().zip(&adjoint.current) {
                    *gradient -= current;
                }
            }
            observe(step, &adjoint.voltage, &adjoint.current);
        }
    }

    fn row<'a, T>(&self, weights: &'a [T], input: usize) -> &'a [T] {
        &weights[input * self.neurons..(input + 1) * self.neurons]
    }

    /// tau_mem V' at the threshold, by the current of `step`.
    fn slope<T: Real>(&self, trace: &GridTrace<T>, step: usize, neuron: usize) -> T {
        trace.current[step * self.neurons + neuron] - T::of(self.threshold) + T::of(SLOPE_GUARD)
    }
}

/// lambda_V and lambda_I of every neuron.
struct Adjoint<T> {
    voltage: Vec<T>,
    current: Vec<T>,
}

impl<T: Real> Adjoint<T> {
    fn decay(&mut self, a: T) {
        for voltage in &mut self.voltage {
            *voltage *= T::one() - a;
        }
    }

    fn follow(&mut self, s: T) {
        for (current, &voltage) in self.current.iter_mut().zip(&self.voltage) {
            *current += s * (voltage - *current);
        }
    }
}
