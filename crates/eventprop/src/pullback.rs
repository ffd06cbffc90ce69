use lif_core::engine::{Batch, BatchStatistics, Engine, EngineError};
use lif_core::loss::{Objective, Readout};
use lif_core::{Real, SpikeBatch};
use std::sync::{PoisonError, RwLock};

/// The objective of an engine that sits inside a larger model: the derivatives by its outputs come
/// from there, and the gradient is a vector-Jacobian product.
///
/// ```
/// use eventprop::lif_core::engine::Training;
/// use eventprop::lif_core::loss::{Loss, Readout};
/// use eventprop::lif_core::network::{ConnectionSpec, LayerSpec};
/// use eventprop::lif_core::{Network, Parameters, SpikeBatch};
/// use eventprop::{Pullback, backend};
/// use std::sync::Arc;
///
/// let layers = vec![LayerSpec::input("in", 1), LayerSpec::li("out", 2, 20.0, 5.0)];
/// let network = Network::new(50.0, layers, vec![ConnectionSpec::dense("in", "out")])?;
/// let pullback = Arc::new(Pullback::<f64>::new(Readout::VMax));
/// let training = Training { objective: pullback.clone(), ..Training::exact(Loss::VmaxCrossEntropy {}) };
/// let mut engine = backend::create("reference", &network, training, None)?;
/// let mut parameters = Parameters::initial(&network);
/// parameters.connections[0].weights = vec![1.0, 2.0];
/// engine.load(&parameters)?;
/// let mut spikes = SpikeBatch::new();
/// spikes.push_sorted([(10.0, 0)])?;
/// let outputs = engine.infer(&spikes)?.values;
/// // d (3 z_0 + z_1) / d w: without spikes z is linear in w.
/// pullback.differentiate(engine.as_mut(), &spikes, &[3.0, 1.0])?;
/// let gradient = &engine.gradient().connections[0].weights;
/// assert!((gradient[0] - 3.0 * outputs[0]).abs() < 1e-12);
/// assert!((gradient[1] - outputs[1] / 2.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pullback<T> {
    readout: Readout,
    /// `[sample][output neuron]`, times the number of samples.
    by_outputs: RwLock<Vec<T>>,
}

impl<T: Real> Pullback<T> {
    /// An objective that measures `readout`.
    pub fn new(readout: Readout) -> Self {
        Self { readout, by_outputs: RwLock::default() }
    }

    /// Lets `engine`, built for this objective, differentiate the sum over samples and outputs of
    /// `by_outputs` (`[sample][output neuron]`, flat) times outputs. It runs forward and backward.
    ///
    /// # Errors
    /// Those of [`Engine::differentiate`]; [`EngineError::Batch`] if there is not one number an output
    /// and sample.
    pub fn differentiate(
        &self,
        engine: &mut dyn Engine<T>,
        spikes: &SpikeBatch<T>,
        by_outputs: &[T],
    ) -> Result<BatchStatistics, EngineError> {
        let (samples, outputs) = (spikes.len(), engine.network().output().size);
        if by_outputs.len() != samples * outputs {
            let given = by_outputs.len();
            let reason = format!("{given} derivatives for {samples} samples of {outputs} outputs");
            return Err(EngineError::Batch(reason));
        }
        // Engines differentiate the mean over the batch.
        let count = T::of(samples as f64);
        *self.by_outputs.write().unwrap_or_else(PoisonError::into_inner) =
            by_outputs.iter().map(|&derivative| derivative * count).collect();
        engine.differentiate(Batch { spikes, labels: &vec![0; samples] })
    }
}

impl<T: Real> Objective<T> for Pullback<T> {
    fn readout(&self) -> Readout {
        self.readout
    }

    /// There is no loss of a sample by itself: not a number.
    fn evaluate(&self, _: &[T], _: usize, gradient: &mut [T]) -> T {
        gradient.fill(T::nan());
        T::nan()
    }

    fn evaluate_in_batch(&self, sample: usize, outputs: &[T], _: usize, gradient: &mut [T]) -> T {
        let all = self.by_outputs.read().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = all.get(sample * outputs.len()..(sample + 1) * outputs.len()) else {
            return self.evaluate(outputs, 0, gradient);
        };
        gradient.copy_from_slice(own);
        own.iter().zip(outputs).map(|(&derivative, &output)| derivative * output).sum()
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::backend;
    use lif_core::engine::Training;
    use lif_core::loss::Loss;
    use lif_core::network::{ConnectionSpec, LayerSpec};
    use lif_core::{Network, Parameters};
    use std::sync::Arc;

    /// Fed the derivatives of a loss, it gives that loss's gradient, on every engine.
    #[test]
    fn the_chain_rule_holds() {
        let network = Network::new(
            60.0,
            vec![
                LayerSpec::input("in", 3),
                LayerSpec::lif("hidden", 4, 20.0, 5.0),
                LayerSpec::li("out", 2, 20.0, 5.0),
            ],
            vec![ConnectionSpec::dense("in", "hidden"), ConnectionSpec::dense("hidden", "out")],
        )
        .unwrap();
        let mut parameters = Parameters::<f64>::initial(&network);
        for (k, weight) in parameters.connections[0].weights.iter_mut().enumerate() {
            *weight = 2.0 + 0.3 * k as f64;
        }
        for (k, weight) in parameters.connections[1].weights.iter_mut().enumerate() {
            *weight = 0.2 * k as f64 - 0.5;
        }
        let mut spikes = SpikeBatch::new();
        spikes.push_sorted([(1.0, 0), (4.0, 1), (9.0, 2)]).unwrap();
        spikes.push_sorted([(2.0, 2), (2.5, 1), (7.0, 0), (11.0, 0)]).unwrap();
        spikes.push_sorted([]).unwrap();
        let labels = [1, 0, 1];
        let loss = Loss::VmaxCrossEntropy {};
        for (name, constant_gradients) in [("reference", true), ("cpu", true), ("cpu", false)] {
            let training = Training { constant_gradients, ..Training::exact(loss) };
            let mut whole = backend::create(name, &network, training.clone(), Some(2)).unwrap();
            whole.load(&parameters).unwrap();
            whole.differentiate(Batch { spikes: &spikes, labels: &labels }).unwrap();

            let pullback = Arc::new(Pullback::new(Readout::VMax));
            let training = Training { objective: pullback.clone(), ..training };
            let mut inner = backend::create(name, &network, training, Some(2)).unwrap();
            inner.load(&parameters).unwrap();
            let outputs = inner.infer(&spikes).unwrap().values;
            let mut by_outputs = vec![0.0; 6];
            for ((z, g), label) in outputs.chunks(2).zip(by_outputs.chunks_mut(2)).zip(labels) {
                loss.evaluate(z, label as usize, g);
                g.iter_mut().for_each(|g| *g /= 3.0);
            }
            pullback.differentiate(inner.as_mut(), &spikes, &by_outputs).unwrap();
            let mut expected = whole.input_gradient().to_vec();
            let mut found = inner.input_gradient().to_vec();
            whole.gradient().for_each(|_, values| expected.extend_from_slice(values));
            inner.gradient().for_each(|_, values| found.extend_from_slice(values));
            assert!(expected.iter().any(|g| g.abs() > 1e-3));
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-12, "{name}: {found} {expected}");
            }
            let short = pullback.differentiate(inner.as_mut(), &spikes, &[1.0]).unwrap_err();
            assert_eq!(short.to_string(), "1 derivatives for 3 samples of 2 outputs");
        }
    }
}
