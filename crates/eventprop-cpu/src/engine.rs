use crate::lanes::{LaneReal, Lanes};
use crate::machine::Machine;
use crate::plan::{self, Plan};
use crate::threads::{Denormals, Threads};
use crate::trials::Kind;
use lif_core::engine::{
    Batch, BatchStatistics, Engine, EngineError, OptimiserState, Outputs, Training,
    UpdateStatistics, check_inputs,
};
use lif_core::network::Network;
use lif_core::{ParameterId, Parameters, SpikeBatch};

/// The exact engine on the CPU: chains of dense layers, event by event.
///
/// Its results do not depend on the number of threads, to the bit.
pub struct CpuEngine<T: LaneReal> {
    threads: Threads,
    chain: Vec<usize>,
    machine: Machine<T>,
}

/// How a [`CpuEngine`] runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuOptions {
    /// The number of threads; if none is given, as many as are found to be quickest, up to one a core. One alone is
    /// the caller's.
    pub threads: Option<usize>,
}

impl CpuOptions {
    pub(crate) fn start_threads(self) -> Result<Threads, EngineError> {
        Threads::start(plan::NAME, self.threads.unwrap_or(0), Denormals::Flush)
    }
}

impl<T: LaneReal> CpuEngine<T> {
    /// An engine for `network` with the constants it describes and all weights zero.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] for a network or training it cannot compute,
    /// [`EngineError::Unavailable`] if its threads cannot be started.
    pub fn new(
        network: &Network,
        training: Training<T>,
        options: CpuOptions,
    ) -> Result<Self, EngineError> {
        let chain = plan::check(network, &training)?;
        let threads = options.start_threads()?;
        let constants = Parameters::initial(network);
        let plan = Plan::new(network, &chain, &constants, training.objective.readout());
        Ok(Self { threads, chain, machine: Machine::new(network, training, plan) })
    }

    /// The parameters' shape with the weights taken from `rows`, everything else from `rest`.
    fn unpack(&self, rows: &[T::Lanes], mut rest: Parameters<T>) -> Parameters<T> {
        for input in &self.machine.plan.inputs {
            let rows = &rows[input.first_row..][..input.blocks.len()];
            rest.connections[input.connection].weights = input.blocks.unpack(rows);
        }
        rest
    }

    fn pack(&self, parameters: &Parameters<T>) -> Result<Vec<T::Lanes>, EngineError> {
        self.check_shape(parameters)?;
        let mut rows = vec![T::Lanes::zero(); self.machine.weights.len()];
        for input in &self.machine.plan.inputs {
            let rows = &mut rows[input.first_row..][..input.blocks.len()];
            input.blocks.pack(&parameters.connections[input.connection].weights, rows);
        }
        Ok(rows)
    }

    fn check_shape(&self, parameters: &Parameters<T>) -> Result<(), EngineError> {
        let lengths = |parameters: &Parameters<T>| {
            let mut lengths: Vec<(ParameterId, usize)> = Vec::new();
            parameters.for_each(|id, values| lengths.push((id, values.len())));
            lengths
        };
        let (expected, given) = (lengths(&self.machine.constants), lengths(parameters));
        match expected.iter().zip(&given).find(|(expected, given)| expected != given) {
            Some(((id, expected), (_, given))) => {
                Err(EngineError::Shape(format!("{id:?} has {given} values instead of {expected}")))
            }
            None if expected.len() != given.len() => {
                Err(EngineError::Shape("another number of layers or connections".to_owned()))
            }
            None => Ok(()),
        }
    }
}

impl<T: LaneReal> Engine<T> for CpuEngine<T> {
    fn name(&self) -> &'static str {
        plan::NAME
    }

    fn network(&self) -> &Network {
        &self.machine.network
    }

    fn parameters(&self) -> Parameters<T> {
        self.unpack(&self.machine.weights, self.machine.constants.clone())
    }

    fn load(&mut self, parameters: &Parameters<T>) -> Result<(), EngineError> {
        self.machine.weights = self.pack(parameters)?;
        if self.machine.constants.layers != parameters.layers {
            self.machine.constants.layers.clone_from(&parameters.layers);
            let Self { threads, chain, machine } = self;
            let readout = machine.training.objective.readout();
            let plan = Plan::new(&machine.network, chain, parameters, readout);
            threads.run(|| machine.set_plan(threads, plan));
        }
        Ok(())
    }

    fn optimiser_state(&self) -> OptimiserState<T> {
        let zeros = Parameters::zeros(&self.machine.network);
        OptimiserState {
            steps: self.machine.steps,
            first: self.unpack(&self.machine.first, zeros.clone()),
            second: self.unpack(&self.machine.second, zeros),
        }
    }

    fn load_optimiser_state(&mut self, state: &OptimiserState<T>) -> Result<(), EngineError> {
        let (first, second) = (self.pack(&state.first)?, self.pack(&state.second)?);
        (self.machine.first, self.machine.second) = (first, second);
        self.machine.steps = state.steps;
        Ok(())
    }

    fn infer(&mut self, spikes: &SpikeBatch<T>) -> Result<Outputs<T>, EngineError> {
        check_inputs(spikes, &self.machine.network)?;
        let Self { threads, machine, .. } = self;
        let _attempt = threads.attempt(Kind::Inference, spikes.len());
        threads.run(|| machine.forward(threads, spikes))?;
        let readout = machine.training.objective.readout();
        let duration = T::of(machine.network.duration());
        let outputs = machine.outputs.chunks_exact(machine.network.output().size);
        let predictions = outputs
            .map(|outputs| readout.predict(outputs, duration).map(|class| class as u32))
            .collect();
        Ok(Outputs { values: machine.outputs.clone(), predictions })
    }

    fn differentiate(&mut self, batch: Batch<'_, T>) -> Result<BatchStatistics, EngineError> {
        batch.check(&self.machine.network)?;
        let Self { threads, machine, .. } = self;
        let _attempt = threads.attempt(Kind::Differentiation, batch.len());
        threads.run(|| machine.differentiate(threads, batch))
    }

    fn gradient(&self) -> Parameters<T> {
        let Self { threads, machine, .. } = self;
        let gradient = threads.run(|| machine.gradient(threads));
        self.unpack(&gradient, Parameters::zeros(&machine.network))
    }

    fn input_gradient(&self) -> &[T] {
        &self.machine.input_gradient
    }

    fn losses(&self) -> &[T] {
        &self.machine.losses
    }

    fn spikes(&self, layer: usize) -> SpikeBatch<T> {
        let mut batch = SpikeBatch::new();
        let own = layer.checked_sub(1).and_then(|layer| self.machine.spikes.get(layer));
        for sample in 0..self.machine.outputs.len() / self.machine.network.output().size {
            // Spikes are ranked by time, which no rounding makes negative.
            let spikes = own.into_iter().flat_map(|samples| samples[sample].by_time());
            let pushed = batch.push_sorted(spikes);
            debug_assert!(pushed.is_ok());
        }
        batch
    }

    fn gradient_buffer(&mut self) -> &mut [T] {
        let Self { threads, machine, .. } = self;
        threads.run(|| machine.join_gradient(threads));
        T::Lanes::scalars_mut(&mut machine.gradient)
    }

    fn update(&mut self, learning_rate: f64) -> Result<UpdateStatistics, EngineError> {
        let Self { threads, machine, .. } = self;
        threads.run(|| machine.update(threads, learning_rate))
    }

    // The threads are called but once.
    fn train_step(
        &mut self,
        batch: Batch<'_, T>,
        learning_rate: f64,
    ) -> Result<(BatchStatistics, UpdateStatistics), EngineError> {
        batch.check(&self.machine.network)?;
        let Self { threads, machine, .. } = self;
        let _attempt = threads.attempt(Kind::Training, batch.len());
        threads.run(|| {
            let statistics = machine.differentiate(threads, batch)?;
            Ok((statistics, machine.update(threads, learning_rate)?))
        })
    }

    fn take_activity(&mut self) -> Vec<Vec<u64>> {
        let mut activity = vec![Vec::new()];
        activity.extend(self.machine.take_activity());
        activity.resize(self.machine.network.layers().len(), Vec::new());
        activity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lif_core::loss::Loss;
    use lif_core::network::{ConnectionSpec, LayerSpec};
    use proptest::prelude::*;

    /// Numbers that look drawn from [0, 1).
    fn scattered(position: usize) -> f32 {
        (position as f32 * 0.618_034).fract()
    }

    fn engine(threads: usize) -> CpuEngine<f32> {
        let layers = vec![
            LayerSpec::input("input", 5),
            LayerSpec::lif("hidden", 200, 20.0, 5.0),
            LayerSpec::li("output", 3, 20.0, 5.0),
        ];
        let connections = vec![
            ConnectionSpec::dense("input", "hidden"),
            ConnectionSpec::dense("hidden", "output"),
        ];
        let network = Network::new(60.0, layers, connections).unwrap();
        let exact = Training::exact(Loss::VmaxCrossEntropy {});
        let training = Training { constant_gradients: false, ..exact };
        let options = CpuOptions { threads: Some(threads) };
        let mut engine = CpuEngine::new(&network, training, options).unwrap();
        let mut parameters = Parameters::initial(&network);
        for (connection, scale) in parameters.connections.iter_mut().zip([3.0, 0.1]) {
            for (position, weight) in connection.weights.iter_mut().enumerate() {
                *weight = scale * scattered(position);
            }
        }
        engine.load(&parameters).unwrap();
        engine
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Some numbers of threads are tried where nobody said how many.
        #[test]
        fn threads_may_come_and_go_between_steps(
            steps in proptest::collection::vec((1_usize..=4, 1_usize..100, any::<bool>()), 1..8),
        ) {
            let (mut alone, mut shared) = (engine(1), engine(4));
            for (step, (threads, samples, whole)) in steps.into_iter().enumerate() {
                let mut spikes = SpikeBatch::new();
                for sample in 0..samples {
                    let time = |input| 30.0 * scattered(step + 7 * sample + 3 * input as usize);
                    let mut train: Vec<(f32, u32)> = (0..5).map(|input| (time(input), input)).collect();
                    train.sort_by(|a, b| a.0.total_cmp(&b.0));
                    spikes.push_sorted(train).unwrap();
                }
                let labels: Vec<u32> = (0..samples as u32).map(|sample| sample % 3).collect();
                let batch = Batch { spikes: &spikes, labels: &labels };
                shared.threads.share_among(threads);
                for engine in [&mut alone, &mut shared] {
                    if whole {
                        engine.train_step(batch, 0.01).unwrap();
                    } else {
                        engine.differentiate(batch).unwrap();
                    }
                }
                prop_assert!(!whole || alone.parameters() == shared.parameters());
                prop_assert!(whole || alone.gradient() == shared.gradient());
            }
            prop_assert_eq!(alone.take_activity(), shared.take_activity());
        }
    }
}
