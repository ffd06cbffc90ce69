//! Losses on the voltages of an output layer that spikes and needs time to recover from it: the engine against the CPU
//! engine and the reference, and against itself.

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/kept.rs"]
mod kept;
#[path = "common/lively.rs"]
mod lively;
#[path = "common/recovering.rs"]
mod recovering;

use agree::{Settings, Unchanged, engines_agree_where};
use common::for_each_schedule;
use draw::{Draw, uniform, weights};
use eventprop_cuda::CudaOptions;
use kept::train_both_ways_with;
use lif_core::engine::{Engine, RateTarget, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec, OneOrMany};
use lif_core::{Network, Parameters, Real, SpikeBatch};
use lively::draw;
use proptest::prelude::*;
use recovering::{ADAPTIVE, BOTH, Kind, NEITHER, REFRACTORY, dense, is_clear};

const MEANS: [Loss; 2] = [Loss::MeanCrossEntropy {}, Loss::ExpMeanCrossEntropy {}];
const MAXIMUM: Loss = Loss::VmaxCrossEntropy {};

type Pairs = &'static [(&'static str, &'static str)];

const ITSELF: Pairs = &[("out", "out")];

/// A third of the outputs hear little.
fn silence(draw: &mut Draw) {
    for weights in draw.parameters.connections[2].weights.chunks_exact_mut(7) {
        weights.iter_mut().step_by(3).for_each(|weight| *weight *= 0.05);
    }
}

/// Hidden layers of one kind and outputs of the other; what leads `back` besides.
fn draws(kinds: &[[Kind; 2]], delayed: f64, back: Pairs) -> impl Strategy<Value = Draw> + use<> {
    let losses = proptest::sample::select(vec![MAXIMUM, MEANS[0], MEANS[1]]);
    let kinds = proptest::sample::select(kinds.to_vec());
    let cases = (losses, kinds, 2..=30_usize, 1..4_usize, any::<u64>());
    let draws = cases.prop_map(move |(loss, kinds, size, samples, seed)| {
        let mut uniform = uniform(seed);
        let network = dense(&mut uniform, kinds, size, true, delayed, back);
        let mut draw = draw(network, loss, samples, &mut uniform);
        silence(&mut draw);
        draw
    });
    draws.prop_filter("which comes first is a matter of precision", is_clear)
}

/// CUDA = CPU = reference, if there is a gradient: behind a threshold that stays all may spike. Layers that excite one another
/// may spike so often that the emulator takes minutes: those are left out.
fn compare(draw: &Draw, settings: &impl Settings) -> Result<Vec<usize>, TestCaseError> {
    let (reference, _) = draw.reference(settings);
    let weights = weights(&reference.gradient().cast());
    let moves = weights.iter().any(|by| by.abs() > 1e-3)
        && reference.input_gradient().iter().any(|by| by.abs() > 1e-4);
    if !moves {
        return Err(TestCaseError::reject("nothing moves what is measured"));
    }
    if (1..=3).any(|layer| reference.spikes(layer).spike_count() > 300) {
        return Err(TestCaseError::reject("many spikes"));
    }
    draw.compare_with(CudaOptions::default(), draw.some_constants(), settings)
}

fn check(kinds: &[[Kind; 2]], delayed: f64, back: Pairs) {
    engines_agree_where(|| draws(kinds, delayed, back), |draw| compare(draw, &Unchanged));
}

#[test]
fn engines_agree_on_refractory_times() {
    check(&[[NEITHER, REFRACTORY], [REFRACTORY; 2]], 0.0, &[]);
}

#[test]
fn engines_agree_on_adaptive_thresholds() {
    check(&[[NEITHER, ADAPTIVE], [NEITHER, BOTH]], 0.0, &[]);
}

#[test]
fn engines_agree_with_delays() {
    check(&[[NEITHER, REFRACTORY], [NEITHER, ADAPTIVE], [BOTH; 2]], 1.0, &[]);
}

#[test]
fn engines_agree_on_time_constants_of_single_neurons() {
    let own = |kind: Kind| [NEITHER, Kind { own_taus: true, ..kind }];
    check(&[own(REFRACTORY), own(ADAPTIVE), own(BOTH)], 0.4, &[]);
}

/// Over several connections.
#[test]
fn engines_agree_on_outputs_that_hear_themselves() {
    check(&[[NEITHER, REFRACTORY], [NEITHER, BOTH]], 0.0, &[("out", "out"), ("out", "out")]);
}

#[test]
fn engines_agree_on_outputs_that_hear_themselves_with_delays() {
    check(&[[NEITHER, ADAPTIVE], [NEITHER, BOTH]], 1.0, ITSELF);
}

/// Layers of which one needs no time, or the outputs do not, or none.
#[test]
fn engines_agree_on_outputs_that_are_heard_around() {
    check(&[[BOTH, NEITHER], [NEITHER, BOTH], [NEITHER; 2]], 0.4, &[("out", "1"), ("2", "2")]);
}

/// What is measured is what the CPU engine measures; batches may be cut into parts.
#[test]
fn outputs_are_measured() {
    for_each_schedule(|_, schedule| {
        let mut measured = 0;
        for (case, loss) in [MAXIMUM, MEANS[0], MEANS[1]].into_iter().cycle().take(12).enumerate() {
            let mut uniform = uniform(40 + 20 * schedule + case as u64);
            let kind = [REFRACTORY, ADAPTIVE, BOTH, BOTH][case / 3];
            let delayed = if case % 2 == 0 { 0.0 } else { 1.0 };
            let network = dense(&mut uniform, [NEITHER, kind], 24, true, delayed, &[]);
            let mut draw = draw(network, loss, 5, &mut uniform);
            silence(&mut draw);
            if !is_clear(&draw) {
                continue;
            }
            let mut cuda = draw.cuda(draw.training());
            draw.assert_measured(&mut cuda);
            let statistics = cuda.differentiate(draw.batch()).unwrap();
            draw.assert_same_in_parts(&cuda, statistics);
            measured += 1;
        }
        assert!(measured > 5, "{measured} measured");
    });
}

/// A current that decays while its neuron is held at a reset above it.
#[test]
fn voltages_that_are_held_do_not_count() {
    for_each_schedule(|_, _| {
        let mut out = lively::layer("out", 2, true);
        (out.tau_syn, out.reset, out.refractory) =
            (Some(OneOrMany::One(2.0)), Some(0.5), Some(10.0));
        let layers = vec![LayerSpec::input("in", 1), out];
        let network = Network::new(30.0, layers, vec![ConnectionSpec::dense("in", "out")]).unwrap();
        let mut parameters = Parameters::initial(&network);
        parameters.connections[0].weights = vec![40.0, 10.0];
        let mut spikes = SpikeBatch::new();
        spikes.push_sorted([(5.0, 0)]).unwrap();
        let draw = Draw { network, parameters, spikes, labels: vec![1], loss: MAXIMUM };
        let mut cuda = draw.cuda(draw.training());
        let outputs = cuda.infer(&draw.spikes).unwrap().values;
        assert!(outputs[0] == 1.0 && (0.5..1.0).contains(&outputs[1]), "{outputs:?}");
        draw.compare(CudaOptions::default(), &[]).unwrap();
    });
}

#[test]
fn kept_samples_train_as_given_ones() {
    let mean = MEANS[1];
    for (loss, delayed, back) in [(mean, 0.0, &[][..]), (MAXIMUM, 1.0, &[]), (mean, 1.0, ITSELF)] {
        let network = dense(&mut uniform(5), [NEITHER, BOTH], 12, true, delayed, back);
        train_both_ways_with(&network, |training| {
            let objective = Training::exact(loss).objective;
            Training { objective, ..training }
        });
    }
}

/// Slopes below a floor divide by it, and the outputs have a pull on their spikes.
struct Floored;

impl Settings for Floored {
    fn change<T: Real>(&self, training: Training<T>) -> Training<T> {
        let pull = RateTarget { layer: 3, target: 1.5, strength: 0.05 };
        Training { rate_targets: vec![pull], slope_floor: 1.5, ..training }
    }
}

/// Beside a highest voltage a floor acts at one of a neuron's spikes alone; where all have the threshold's, rounding decides
/// which.
#[test]
fn engines_agree_with_floors_and_rate_targets() {
    let check = |kinds: &[[Kind; 2]], losses: &[Loss]| {
        let draws = || draws(kinds, 0.4, &[]).prop_filter("the loss", |d| losses.contains(&d.loss));
        engines_agree_where(draws, |draw| compare(draw, &Floored));
    };
    check(&[[NEITHER, REFRACTORY], [NEITHER, BOTH]], &MEANS);
    check(&[[NEITHER, ADAPTIVE], [NEITHER, BOTH]], &[MAXIMUM]);
}
