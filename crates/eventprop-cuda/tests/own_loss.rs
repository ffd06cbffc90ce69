//! Losses that no kernel knows: the host evaluates them between the two parts of a step.

#[path = "common/agree.rs"]
mod agree;
#[path = "common/chain.rs"]
mod chain;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/kept.rs"]
mod kept;
#[path = "common/lively.rs"]
mod lively;

use agree::{Settings, engines_agree_where, error};
use chain::{chain, chain_with};
use common::for_each_schedule;
use draw::{Draw, spikes, uniform, weights};
use eventprop_cuda::{CudaEngine, CudaOptions};
use kept::train_both_ways_with;
use lif_core::engine::{Engine, EngineError, RateTarget, Training};
use lif_core::loss::{Loss, Objective, Readout};
use lif_core::network::ConnectionSpec;
use lif_core::{Parameters, Real};
use lively::{draw, is_spiking, losses};
use proptest::prelude::*;
use std::sync::Arc;

/// Half the squared distance of the outputs from what they should be, in other units for each sample of a batch.
struct Squares(Readout);

impl<T: Real> Objective<T> for Squares {
    fn readout(&self) -> Readout {
        self.0
    }

    fn evaluate(&self, outputs: &[T], label: usize, gradient: &mut [T]) -> T {
        self.evaluate_in_batch(0, outputs, label, gradient)
    }

    fn evaluate_in_batch(&self, sample: usize, z: &[T], label: usize, gradient: &mut [T]) -> T {
        let unit = T::of(if self.0.needs_spikes() { 12.0 } else { 0.3 + sample as f64 });
        let mut sum = T::zero();
        for (neuron, (gradient, &z)) in gradient.iter_mut().zip(z).enumerate() {
            let off = z / unit - T::of(if neuron == label { 1.0 } else { 0.5 });
            *gradient = off / unit;
            sum += off * off / T::of(2.0);
        }
        sum
    }
}

/// What the draw's loss measures, by [`Squares`]; and activity of the first hidden layer is wanted.
struct BySquares(Loss);

impl Settings for BySquares {
    fn change<T: Real>(&self, training: Training<T>) -> Training<T> {
        let objective = Arc::new(Squares(Objective::<T>::readout(&self.0)));
        let rate_targets = vec![RateTarget { layer: 1, target: 1.5, strength: 0.05 }];
        Training { objective, rate_targets, ..training }
    }
}

#[test]
fn engines_agree_on_own_losses() {
    let draws = || {
        let wiring = (1..=2_usize, any::<bool>(), any::<bool>());
        (losses(), wiring, 2..=60_usize, 1..6_usize, any::<u64>()).prop_map(
            |(loss, (hidden, delays, recurrent), size, samples, seed)| {
                let mut sizes = vec![size; hidden];
                sizes.push(7);
                let own = ConnectionSpec { delays, ..ConnectionSpec::dense("1", "1") };
                let own = recurrent.then_some(own);
                let network = chain_with(&sizes, (20.0, 5.0), is_spiking(loss), delays, own);
                draw(network, loss, samples, &mut uniform(seed))
            },
        )
    };
    engines_agree_where(draws, |draw| {
        draw.compare_with(CudaOptions::default(), draw.some_constants(), &BySquares(draw.loss))
    });
}

/// A loss that kernels know, of which they are not told.
struct Untold(Loss);

impl Objective<f32> for Untold {
    fn readout(&self) -> Readout {
        Objective::<f32>::readout(&self.0)
    }

    fn evaluate(&self, outputs: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
        self.0.evaluate(outputs, label, gradient)
    }
}

/// A training by the draw's loss, of which the engine is told or not, with a slope floor.
fn training_of(draw: &Draw, is_untold: bool) -> Training<f32> {
    let training = Training { slope_floor: 0.6, ..draw.training() };
    match is_untold {
        true => Training { objective: Arc::new(Untold(draw.loss)), ..training },
        false => training,
    }
}

/// A draw whose hidden layer sends more spikes than there is room for at first.
fn crowded(loss: Loss, seed: u64) -> Draw {
    let network = chain(&[70, 7], (10.0, 5.0), is_spiking(loss));
    let mut parameters = Parameters::<f32>::initial(&network);
    let mut uniform = uniform(seed);
    for (connection, scale) in parameters.connections.iter_mut().zip([0.7, 0.1]) {
        connection.weights.fill_with(|| uniform() as f32 * scale);
    }
    Draw {
        network,
        parameters,
        spikes: spikes(5, 200, &mut uniform),
        labels: vec![0, 1, 2, 3, 6],
        loss,
    }
}

/// Evaluated by the host it is the loss that it is on the device, with the same statistics; room is made for spikes.
#[test]
fn known_losses_are_found_again() {
    for_each_schedule(|_, schedule| {
        for loss in [
            Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 },
            Loss::SpikeTimeSum {},
            Loss::VmaxCrossEntropy {},
            Loss::MeanCrossEntropy {},
        ] {
            let draw = crowded(loss, 30 + schedule);
            let [mut told, mut untold] =
                [false, true].map(|is_untold| draw.cuda(training_of(&draw, is_untold)));
            let statistics =
                [&mut told, &mut untold].map(|e| e.differentiate(draw.batch()).unwrap());
            let [known, own] = statistics;
            assert!(told.spikes(1).spike_count() > 5 * (2 * 70 + 62));
            assert_eq!((own.samples, own.correct, own.grazing), (5, known.correct, known.grazing));
            assert!((own.loss - known.loss).abs() < 1e-5 * known.loss.abs(), "{own:?} {known:?}");
            assert!(known.grazing > 0 || !matches!(loss, Loss::VmaxCrossEntropy {}));
            assert!(error(untold.losses(), told.losses()) < 1e-5);
            assert!(error(&weights(&untold.gradient()), &weights(&told.gradient())) < 1e-5);
            assert!(error(untold.input_gradient(), told.input_gradient()) < 1e-5);
            assert_eq!(untold.take_activity(), told.take_activity());
            let options = CudaOptions { adjoint_bytes: Some(1), ..CudaOptions::default() };
            let mut parts =
                CudaEngine::new(&draw.network, training_of(&draw, true), options).unwrap();
            parts.load(&draw.parameters).unwrap();
            assert_eq!(parts.differentiate(draw.batch()).unwrap(), own);
            assert!(error(&weights(&parts.gradient()), &weights(&untold.gradient())) < 1e-6);
            assert_eq!(parts.input_gradient(), untold.input_gradient());
            assert_eq!(untold.infer(&draw.spikes).unwrap(), told.infer(&draw.spikes).unwrap());
            for engine in [&mut told, &mut untold] {
                engine.train_step(draw.batch(), 0.05).unwrap();
                engine.differentiate(draw.batch()).unwrap();
                engine.update(0.05).unwrap();
            }
            let trained = error(&weights(&untold.parameters()), &weights(&told.parameters()));
            assert!(trained < 1e-4, "{trained}");
            assert_eq!(told.optimiser_state().steps, untold.optimiser_state().steps);
        }
    });
}

#[test]
fn kept_samples_train_as_given_ones() {
    let squares = |training| BySquares(Loss::VmaxCrossEntropy {}).change(training);
    train_both_ways_with(&chain(&[36, 7], (20.0, 5.0), false), squares);
}

/// Not a number for samples of label 3 by its loss, for those of label 4 by its derivatives alone.
struct Broken;

impl Objective<f32> for Broken {
    fn readout(&self) -> Readout {
        Readout::VMax
    }

    fn evaluate(&self, outputs: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
        gradient.fill(if label == 4 { f32::NAN } else { 1.0 });
        if label == 3 { f32::INFINITY } else { outputs.iter().sum() }
    }
}

/// What is not finite is named with its sample, the batches before it are trained, and the engine works on.
#[test]
fn what_is_not_finite_is_named() {
    for_each_schedule(|_, schedule| {
        let mut draw = crowded(Loss::VmaxCrossEntropy {}, 50 + schedule);
        let training = Training { objective: Arc::new(Broken), ..draw.training() };
        let mut engine = draw.cuda(training);
        for (labels, expected) in [([0, 1, 4, 2, 3], "the gradient"), ([0, 1, 3, 4, 4], "the loss")]
        {
            draw.labels = labels.to_vec();
            for error in [
                engine.differentiate(draw.batch()).unwrap_err(),
                engine.train_step(draw.batch(), 0.1).unwrap_err(),
            ] {
                let EngineError::NotFinite { what, layer, sample: 2 } = error else {
                    panic!("{error}")
                };
                assert_eq!((what, layer.as_str()), (expected, "2"));
            }
        }
        assert_eq!(
            (engine.optimiser_state().steps, engine.parameters()),
            (0, draw.parameters.clone())
        );
        let resident = engine.resident().unwrap();
        resident.keep(draw.batch()).unwrap();
        let mut trained = 0;
        let failure =
            resident.train(&[0, 1, 1, 3], 2, &[0.1, 0.1], &mut |_, _| trained += 1).unwrap_err();
        assert_eq!((failure.batch, trained), (1, 1));
        assert!(matches!(
            failure.error,
            EngineError::NotFinite { what: "the gradient", sample: 1, .. }
        ));
        assert_eq!(engine.optimiser_state().steps, 1);
        draw.labels.fill(0);
        engine.differentiate(draw.batch()).unwrap();
        assert!(weights(&engine.gradient()).iter().all(|g| g.is_finite()));
    });
}
