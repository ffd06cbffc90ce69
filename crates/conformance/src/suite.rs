//! What an engine does beside gradients: updates, state, bad input, determinism.
//!
//! Each check takes the engine's constructor and says what is wrong, if anything is.

use crate::build::build_for;
use crate::compare::compare_above;
use crate::{Build, Case, Kind, LOSSES, Tolerance};
use lif_core::engine::{Batch, Engine, EngineError, OptimiserState, RateTarget, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use lif_core::{Network, Parameters, Real, SpikeBatch, reference::Reference, update};

/// How a check ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The engine does what it should.
    Passed,
    /// It refused the network by name, with this message.
    Refused(String),
    /// It does not, and how.
    Failed(String),
}

/// The checks with their outcomes.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One entry a check and kind of network.
    pub checks: Vec<(String, Outcome)>,
}

impl Report {
    /// The checks that failed, in words.
    pub fn failures(&self) -> Vec<String> {
        let failed = self.checks.iter().filter_map(|(name, outcome)| match outcome {
            Outcome::Failed(why) => Some(format!("{name}: {why}")),
            _ => None,
        });
        failed.collect()
    }

    /// The checks that the engine refused to take part in.
    pub fn refusals(&self) -> Vec<String> {
        let refused = self.checks.iter().filter_map(|(name, outcome)| match outcome {
            Outcome::Refused(why) => Some(format!("{name}: {why}")),
            _ => None,
        });
        refused.collect()
    }

    fn add(&mut self, name: impl Into<String>, result: Result<(), Problem>) {
        let outcome = match result {
            Ok(()) => Outcome::Passed,
            Err(Problem::Engine(error @ EngineError::Unsupported { .. })) => {
                Outcome::Refused(error.to_string())
            }
            Err(Problem::Engine(error)) => Outcome::Failed(error.to_string()),
            Err(Problem::Wrong(why)) => Outcome::Failed(why),
        };
        self.checks.push((name.into(), outcome));
    }
}

/// What stops a check.
enum Problem {
    Engine(EngineError),
    Wrong(String),
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

type Check = Result<(), Problem>;

/// Runs every check on networks of every kind.
pub fn run<T: Real>(build: &Build<'_, T>, seed: u64) -> Report {
    let mut report = Report::default();
    for kind in Kind::ALL {
        let loss = LOSSES[1 + kind as usize % 3];
        let Some(case) = lively(kind, loss, seed) else { continue };
        let mut add = |what: &str, result| report.add(format!("{what}, {}", kind.name()), result);
        add("inference", inference(&case, build));
        add("order of samples", order_of_samples(&case, build));
        add("updates", updates(&case, build));
        add("rate target", rate_target(&case, build));
        add("activity", activity(&case, build));
        add("state", state(&case, build));
    }
    report.add("bad input", bad_input(build));
    report.add("overflow", overflow(build, seed));
    report.add("silence", silence(build));
    report.add("turn", turn(build));
    report.add("slope floor", slope_floor(build, seed));
    report.add("runaway", runaway(build));
    report
}

/// Checks that engines that differ only in how they are built (with other numbers of threads) end up
/// with the same bits after `steps` updates.
pub fn same_bits<T: Real>(builds: &[&Build<'_, T>], seed: u64, steps: usize) -> Report {
    let mut report = Report::default();
    for kind in Kind::ALL {
        let Some(case) = lively(kind, LOSSES[1], seed) else { continue };
        for clip in [None, Some(Clip::Norm(1e-3))] {
            let name = format!("same bits, {}, {clip:?}", kind.name());
            report.add(name, same_bits_of(&case, builds, steps, clip));
        }
    }
    report
}

fn same_bits_of<T: Real>(
    case: &Case,
    builds: &[&Build<'_, T>],
    steps: usize,
    clip: Option<Clip>,
) -> Check {
    let mut results = Vec::new();
    for build in builds {
        let mut engine = start(case, *build, Training { clip, ..adam(case.loss) })?;
        let spikes = case.spikes_in::<T>();
        let batch = Batch { spikes: &spikes, labels: &case.labels };
        let told = (0..steps).map(|_| engine.train_step(batch, 1e-3));
        let told: Vec<_> = told.collect::<Result<_, _>>()?;
        engine.differentiate(batch)?;
        results.push((told, engine.parameters(), engine.gradient()));
    }
    let same = results.windows(2).all(|pair| pair[0] == pair[1]);
    ensure(same, || "statistics, parameters or gradients differ".into())
}

/// A drawn case with a gradient whose spikes are robust; none if a hundred draws have none.
fn lively(kind: Kind, loss: Loss, seed: u64) -> Option<Case> {
    let margin = Tolerance::of::<f32>().margin;
    (0..100).map(|number| Case::draw(kind, loss, seed, number)).find(|case| {
        let robust = case.reference().and_then(|r| r.margins(&case.spikes));
        !case.is_degenerate().unwrap_or(true) && robust.is_ok_and(|m| m.at_least(margin))
    })
}

fn start<T: Real>(
    case: &Case,
    build: &Build<'_, T>,
    training: Training<T>,
) -> Result<Box<dyn Engine<T>>, EngineError> {
    let (mut engine, _) = build_for(build, &case.network, training)?;
    engine.load(&case.parameters.cast())?;
    Ok(engine)
}

fn adam<T: Real>(loss: Loss) -> Training<T> {
    Training { optimiser: Optimiser::ADAM, ..Training::exact(loss) }
}

/// Inference sees the spikes and outputs that differentiation sees.
fn inference<T: Real>(case: &Case, build: &Build<'_, T>) -> Check {
    let mut engine = start(case, build, Training::exact(case.loss))?;
    let spikes = case.spikes_in::<T>();
    let statistics = engine.differentiate(Batch { spikes: &spikes, labels: &case.labels })?;
    let trains: Vec<_> = (0..case.network.layers().len()).map(|l| engine.spikes(l)).collect();
    let outputs = engine.infer(&spikes)?;
    let same = trains.iter().enumerate().all(|(layer, train)| *train == engine.spikes(layer));
    ensure(same, || "infer and differentiate see different spikes".into())?;
    let expected = case.reference()?.infer(&case.spikes)?;
    let labels = case.labels.iter().map(|&label| Some(label));
    let correct = outputs.predictions.iter().zip(labels).filter(|(a, b)| *a == b).count();
    ensure(correct == statistics.correct, || {
        format!("{correct} predictions are right, differentiate counts {}", statistics.correct)
    })?;
    let sum: f64 = engine.losses().iter().map(|loss| loss.as_f64()).sum();
    near(statistics.loss, sum, 1e-5, "the sum of the losses")?;
    ensure(outputs.values.len() == expected.values.len(), || "wrong number of outputs".into())?;
    let tolerance = Tolerance::of::<T>().loss;
    let mut pairs = outputs.values.iter().zip(&expected.values);
    pairs.try_for_each(|(a, &b)| near(a.as_f64(), b, tolerance, "an output"))
}

/// Samples do not know of each other: in another order they have the same losses, to the bit, and
/// the same gradient but for the order of its sum.
fn order_of_samples<T: Real>(case: &Case, build: &Build<'_, T>) -> Check {
    let mut engine = start(case, build, Training::exact(case.loss))?;
    let spikes = case.spikes_in::<T>();
    engine.differentiate(Batch { spikes: &spikes, labels: &case.labels })?;
    let (losses, gradient) = (engine.losses().to_vec(), engine.gradient());
    let mut reversed = SpikeBatch::new();
    (0..spikes.len()).rev().for_each(|sample| reversed.push_train(spikes.get(sample)));
    let labels: Vec<u32> = case.labels.iter().rev().copied().collect();
    engine.differentiate(Batch { spikes: &reversed, labels: &labels })?;
    let same = losses.iter().rev().eq(engine.losses());
    ensure(same, || "losses change with the order of the samples".into())?;
    close(&engine.gradient(), &gradient, 64.0, "gradient in another order")
}

/// Updates are those of the optimiser's rule, with clipping, factors and bounds.
fn updates<T: Real>(case: &Case, build: &Build<'_, T>) -> Check {
    let everything = LearningRates {
        weights: 1.0,
        delays: 10.0,
        tau_mem: 2.0,
        tau_syn: 0.5,
        threshold: 0.1,
        bias: 1.0,
        adaptation: 0.3,
    };
    let momentum = Optimiser::Sgd { momentum: 0.9 };
    let decay = Optimiser::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    let weights = LearningRates::default();
    let delays = LearningRates { delays: 10.0, ..weights };
    let some = LearningRates { bias: 1.0, tau_mem: 2.0, ..weights };
    let nothing = LearningRates { weights: 0.0, ..weights };
    for (optimiser, clip, learning_rates) in [
        (momentum, Some(Clip::Norm(1e-3)), weights),
        (decay, Some(Clip::Value(1e-3)), weights),
        (momentum, None, delays),
        (decay, Some(Clip::Norm(1e-3)), delays),
        (Optimiser::ADAM, None, everything),
        // Of what does not learn neither the norm nor the count knows.
        (momentum, Some(Clip::Norm(1e-3)), some),
        (decay, Some(Clip::Value(1e-3)), some),
        (decay, Some(Clip::Value(1e-3)), nothing),
        (momentum, Some(Clip::Norm(1e-3)), nothing),
    ] {
        let training = Training { optimiser, clip, learning_rates, ..Training::exact(case.loss) };
        let built = start(case, build, training);
        // What learns beside weights is a capability of its own, which an engine may refuse.
        if matches!(built, Err(EngineError::Unsupported { .. })) && learning_rates != weights {
            continue;
        }
        let mut engine = built?;
        let spikes = case.spikes_in::<T>();
        let mut expected = engine.parameters();
        let mut state = engine.optimiser_state();
        for _ in 0..3 {
            engine.differentiate(Batch { spikes: &spikes, labels: &case.labels })?;
            let mut gradient = engine.gradient();
            let clipped = update::clip(&mut gradient, clip, &learning_rates);
            state.steps += 1;
            let rule = optimiser.rule(state.steps, 0.01);
            update::apply(
                &case.network,
                &mut expected,
                &gradient,
                &mut state,
                rule,
                &learning_rates,
            )?;
            let found = engine.update(0.01)?;
            ensure(found == clipped, || format!("{found:?} said, {clipped:?} is right"))?;
            close(&engine.parameters(), &expected, 16.0, "parameters after an update")?;
            // Those of what does not learn stay 0.
            let left = engine.optimiser_state();
            close(&left.first, &state.first, 16.0, "first moments after an update")?;
            close(&left.second, &state.second, 16.0, "second moments after an update")?;
            // Differences must not add up.
            expected = engine.parameters();
            state = left;
        }
        ensure(state.steps == 3, || format!("{} steps counted, not 3", state.steps))?;
    }
    Ok(())
}

/// Rate targets change the gradient as they change the reference's.
fn rate_target<T: Real>(case: &Case, build: &Build<'_, T>) -> Check {
    let Some(layer) = case.network.layers().iter().position(|layer| layer.is_lif()) else {
        return Ok(());
    };
    // Several on one layer add up.
    let pull = |target, strength| RateTarget { layer, target, strength };
    let rate_targets = vec![pull(3.5, 0.02), pull(0.5, 0.03)];
    let training = Training { rate_targets: rate_targets.clone(), ..Training::exact(case.loss) };
    let (mut engine, has_constants) = build_for(build, &case.network, training)?;
    engine.load(&case.parameters.cast())?;
    let spikes = case.spikes_in::<T>();
    engine.differentiate(Batch { spikes: &spikes, labels: &case.labels })?;
    let training = Training { rate_targets, ..Training::exact(case.loss) };
    let mut reference = Reference::new(&case.network, training)?;
    reference.load(&case.parameters)?;
    reference.differentiate(case.batch())?;
    let Tolerance { gradient, floor, .. } = Tolerance::of::<T>();
    let inputs: Vec<f64> = engine.input_gradient().iter().map(|g| g.as_f64()).collect();
    let errors = crate::compare::errors(
        &engine.gradient().cast(),
        &inputs,
        &reference.gradient(),
        reference.input_gradient(),
        floor,
    );
    let constants = if has_constants { errors.constants } else { 0.0 };
    let worst = errors.weights.max(errors.delays).max(errors.inputs).max(constants);
    ensure(worst <= gradient, || format!("gradient off by {worst:.1e}"))
}

/// Activity counts the spikes of samples differentiated, and starts again.
fn activity<T: Real>(case: &Case, build: &Build<'_, T>) -> Check {
    let mut engine = start(case, build, Training::exact(case.loss))?;
    let spikes = case.spikes_in::<T>();
    engine.differentiate(Batch { spikes: &spikes, labels: &case.labels })?;
    engine.infer(&spikes)?;
    let counts = engine.take_activity();
    for (layer, description) in case.network.layers().iter().enumerate() {
        let trains = engine.spikes(layer);
        let mut expected = vec![0; if description.is_lif() { description.size } else { 0 }];
        if description.is_lif() {
            let neurons = trains.iter().flat_map(|train| train.indices().to_vec());
            neurons.for_each(|neuron| expected[neuron as usize] += 1);
        }
        ensure(counts.get(layer) == Some(&expected), || format!("layer {layer} miscounted"))?;
        let last = engine.spike_counts(layer);
        ensure(last == expected, || format!("layer {layer} miscounted in its last batch"))?;
    }
    let rest: u64 = engine.take_activity().into_iter().flatten().sum();
    ensure(rest == 0, || "counts do not start again".into())
}

/// Parameters and the optimiser's state go out and in unchanged, and training continues from them as
/// if it had not stopped. The gradient buffer is what an update uses.
fn state<T: Real>(case: &Case, build: &Build<'_, T>) -> Check {
    let spikes = case.spikes_in::<T>();
    let batch = Batch { spikes: &spikes, labels: &case.labels };
    let mut engine = start(case, build, adam(case.loss))?;
    ensure(engine.parameters() == case.parameters.cast(), || "load changes parameters".into())?;
    engine.train_step(batch, 1e-3)?;
    let (mut other, _) = build_for(build, &case.network, adam(case.loss))?;
    other.load(&engine.parameters())?;
    other.load_optimiser_state(&engine.optimiser_state())?;
    ensure(other.optimiser_state() == engine.optimiser_state(), || "state changed".into())?;
    engine.train_step(batch, 1e-3)?;
    other.train_step(batch, 1e-3)?;
    ensure(engine.parameters() == other.parameters(), || "training continues elsewhere".into())?;

    let mut plain = start(case, build, Training::exact(case.loss))?;
    plain.differentiate(batch)?;
    plain.gradient_buffer().fill(T::zero());
    plain.update(1.0)?;
    let unchanged = plain.parameters() == case.parameters.cast();
    ensure(unchanged, || "an update does not use the gradient buffer".into())?;

    let mut misshapen: Parameters<T> = case.parameters.cast();
    misshapen.connections[0].weights.push(T::zero());
    let refused = matches!(plain.load(&misshapen), Err(EngineError::Shape(_)));
    ensure(refused, || "parameters of another shape are taken".into())?;
    let wrong = OptimiserState { steps: 1, first: misshapen.clone(), second: misshapen };
    let refused = matches!(plain.load_optimiser_state(&wrong), Err(EngineError::Shape(_)));
    ensure(refused, || "an optimiser state of another shape is taken".into())
}

/// Batches that do not fit are refused; the engine works on afterwards.
fn bad_input<T: Real>(build: &Build<'_, T>) -> Check {
    let (mut engine, _) = build_for(build, &small(2, 1.0), Training::exact(LOSSES[1]))?;
    let spikes = |index| {
        let mut spikes = SpikeBatch::new();
        spikes.push_sorted([(T::one(), index)]).expect("valid");
        spikes
    };
    let (good, bad) = (spikes(1), spikes(2));
    let refused = |result: Result<(), EngineError>, what: &str| match result {
        Err(EngineError::Batch(_)) => Ok(()),
        other => Err(Problem::Wrong(format!("{what}: {other:?}"))),
    };
    let unit = |_| ();
    refused(engine.infer(&bad).map(|_| ()), "input 2 of 2 inferred")?;
    let batch = |spikes, labels| Batch { spikes, labels };
    refused(engine.differentiate(batch(&bad, &[0])).map(unit), "input 2 of 2")?;
    refused(engine.differentiate(batch(&good, &[2])).map(unit), "label 2 of 2")?;
    refused(engine.differentiate(batch(&good, &[])).map(unit), "no label")?;
    engine.differentiate(batch(&good, &[1]))?;
    Ok(())
}

/// An update that leaves no numbers says so, and the engine goes on with what it is given then.
fn overflow<T: Real>(build: &Build<'_, T>, seed: u64) -> Check {
    let Some(case) = lively(Kind::DenseInteger, LOSSES[1], seed) else { return Ok(()) };
    let training = Training { optimiser: Optimiser::SGD, ..Training::exact(case.loss) };
    let mut engine = start(&case, build, training)?;
    let (spikes, state) = (case.spikes_in::<T>(), engine.optimiser_state());
    let batch = Batch { spikes: &spikes, labels: &case.labels };
    engine.differentiate(batch)?;
    let gradient = engine.gradient();
    let result = engine.update(f64::INFINITY);
    let told = matches!(result, Err(EngineError::NotFinite { .. }));
    ensure(told, || format!("an update by infinity: {result:?}"))?;
    engine.load(&case.parameters.cast())?;
    engine.load_optimiser_state(&state)?;
    engine.differentiate(batch)?;
    ensure(engine.gradient() == gradient, || "it is not the same afterwards".into())
}

/// Samples without spikes, and neurons that never spike, have a loss and no gradient.
fn silence<T: Real>(build: &Build<'_, T>) -> Check {
    let (mut engine, _) = build_for(build, &small(2, 1.0), Training::exact(LOSSES[1]))?;
    let mut spikes = SpikeBatch::new();
    spikes.push_sorted([]).expect("valid");
    spikes.push_sorted([(T::one(), 0)]).expect("valid");
    let statistics = engine.differentiate(Batch { spikes: &spikes, labels: &[0, 1] })?;
    near(statistics.loss, 2.0 * 2_f64.ln(), 1e-6, "the loss of silence")?;
    let mut zero = true;
    engine.gradient().for_each(|_, values| zero &= values.iter().all(|g| *g == T::zero()));
    ensure(zero, || "silence has a gradient".into())?;
    let outputs = engine.infer(&spikes)?;
    ensure(outputs.predictions == [None, None], || "silence is taken for a class".into())?;
    late_silence(build, &spikes)
}

/// A late spike of the label costs nothing where its price is 0, though its exp is infinite in single precision.
fn late_silence<T: Real>(build: &Build<'_, T>, spikes: &SpikeBatch<T>) -> Check {
    let layers = vec![LayerSpec::input("input", 2), LayerSpec::lif("out", 2, 20.0, 5.0)];
    let network = Network::new(200.0, layers, vec![ConnectionSpec::dense("input", "out")])
        .map_err(EngineError::from)?;
    let loss = Loss::TtfsCrossEntropy { tau: 50.0, alpha: 0.0, tau_early: 1.0 };
    let (mut engine, _) = build_for(build, &network, Training::exact(loss))?;
    let statistics = engine.differentiate(Batch { spikes, labels: &[0, 1] })?;
    near(statistics.loss, 2.0 * 2_f64.ln(), 1e-6, "the loss of late silence")
}

/// Voltages that an inhibitory spike turns move with it, and not with one that arrives at the same moment without weight:
/// so do finite differences.
fn turn<T: Real>(build: &Build<'_, T>) -> Check {
    const SPIKES: [(f64, u32); 3] = [(2.0, 0), (8.0, 1), (8.0, 2)];
    const STEP: f64 = 1e-4;
    let layers = vec![LayerSpec::input("input", 3), LayerSpec::li("out", 2, 20.0, 5.0)];
    let network = Network::new(30.0, layers, vec![ConnectionSpec::dense("input", "out")])
        .map_err(EngineError::from)?;
    let mut parameters = Parameters::<f64>::initial(&network);
    parameters.connections[0].weights = vec![8.0, 3.0, 0.0, 0.0, -30.0, -20.0];
    let training = Training::exact(Loss::VmaxCrossEntropy {});
    let mut reference = Reference::new(&network, training)?;
    reference.load(&parameters)?;
    let mut loss = |moved: usize, by: f64| -> Result<f64, EngineError> {
        let mut train = SPIKES.to_vec();
        train[moved].0 += by;
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut spikes = SpikeBatch::new();
        spikes.push_sorted(train).expect("valid");
        Ok(reference.differentiate(Batch { spikes: &spikes, labels: &[1] })?.loss)
    };
    let training = Training::exact(Loss::VmaxCrossEntropy {});
    let (mut engine, _) = build_for(build, &network, training)?;
    engine.load(&parameters.cast())?;
    let mut spikes = SpikeBatch::new();
    let train = SPIKES.map(|(time, source)| (T::of(time), source));
    spikes.push_sorted(train).expect("valid");
    engine.differentiate(Batch { spikes: &spikes, labels: &[1] })?;
    for (moved, found) in engine.input_gradient().iter().enumerate() {
        let expected = (loss(moved, STEP)? - loss(moved, -STEP)?) / (2.0 * STEP);
        near(found.as_f64(), expected, 1e-5, "the derivative by a spike's time")?;
    }
    Ok(())
}

/// A floor above every slope acts at every spike, whatever the reset: it counts in thresholds.
fn slope_floor<T: Real>(build: &Build<'_, T>, seed: u64) -> Check {
    const FLOOR: f64 = 1e3;
    let Some(case) = lively(Kind::Bias, LOSSES[4], seed) else { return Ok(()) };
    let (errors, bound) =
        (compare_above(FLOOR, &case, build)?.errors, Tolerance::of::<T>().gradient);
    let worst = errors.weights.max(errors.inputs).max(errors.constants);
    ensure(worst <= bound, || format!("under a floor the gradient is off by {worst:.1e}"))?;
    let training = Training { slope_floor: FLOOR, ..Training::exact(case.loss) };
    let mut engine = start(&case, build, training)?;
    let spikes = case.spikes_in::<T>();
    let statistics = engine.differentiate(Batch { spikes: &spikes, labels: &case.labels })?;
    let sent: usize =
        (0..case.network.layers().len()).map(|layer| engine.spikes(layer).spike_count()).sum();
    let grazing = statistics.grazing;
    // An engine may leave out spikes that no gradient flows through.
    ensure((1..=sent as u64).contains(&grazing), || format!("{grazing} of {sent} spikes graze"))?;
    let mut off = start(&case, build, Training::exact(case.loss))?;
    let statistics = off.differentiate(Batch { spikes: &spikes, labels: &case.labels })?;
    ensure(statistics.grazing == 0, || "spikes graze without a floor".into())
}

/// A neuron that excites itself without end is stopped by name.
fn runaway<T: Real>(build: &Build<'_, T>) -> Check {
    let layers = vec![
        LayerSpec::input("input", 1),
        LayerSpec::lif("loop", 2, 20.0, 20.0),
        LayerSpec::li("out", 2, 20.0, 5.0),
    ];
    let connections = vec![
        ConnectionSpec::dense("input", "loop"),
        ConnectionSpec::dense("loop", "loop"),
        ConnectionSpec::dense("loop", "out"),
    ];
    let network = Network::new(1000.0, layers, connections).expect("valid");
    let (mut engine, _) = build_for(build, &network, Training::exact(LOSSES[1]))?;
    let mut parameters = Parameters::initial(&network);
    parameters.connections.iter_mut().for_each(|c| c.weights.fill(T::of(50.0)));
    engine.load(&parameters)?;
    let mut spikes = SpikeBatch::new();
    spikes.push_sorted([]).expect("valid");
    spikes.push_sorted([(T::one(), 0)]).expect("valid");
    match engine.infer(&spikes) {
        Err(EngineError::Runaway { layer, sample: 1, .. }) if layer == "loop" => Ok(()),
        other => Err(Problem::Wrong(format!("a runaway network ends in {other:?}"))),
    }
}

/// Two inputs, two spiking neurons, two outputs.
fn small(hidden: usize, threshold: f64) -> Network {
    let mut lif = LayerSpec::lif("hidden", hidden, 20.0, 5.0);
    lif.threshold = Some(lif_core::network::OneOrMany::One(threshold));
    let layers = vec![LayerSpec::input("input", 2), lif, LayerSpec::li("out", 2, 20.0, 5.0)];
    let connections =
        vec![ConnectionSpec::dense("input", "hidden"), ConnectionSpec::dense("hidden", "out")];
    Network::new(30.0, layers, connections).expect("valid")
}

/// Whether two sets of parameters are equal but for `roundings` roundings of their list's largest.
fn close<T: Real>(
    found: &Parameters<T>,
    expected: &Parameters<T>,
    roundings: f64,
    what: &str,
) -> Check {
    let mut lists = Vec::new();
    expected.for_each(|id, values| lists.push((id, values)));
    let (mut position, mut worst) = (0, None);
    found.for_each(|_, values| {
        let (id, expected) = lists[position];
        position += 1;
        let scale = expected.iter().fold(T::zero(), |scale, value| scale.max(value.abs()));
        let bound = T::of(roundings) * T::epsilon() * scale;
        let differs = |(a, b): (&T, &T)| a.is_nan() || (*a - *b).abs() > bound;
        if values.len() != expected.len() || values.iter().zip(expected).any(differs) {
            worst.get_or_insert(id);
        }
    });
    ensure(worst.is_none(), || format!("{what}: {worst:?} differs"))
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) -> Check {
    let close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
    ensure(close, || format!("{what} is {found}, should be {expected}"))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Problem::Wrong(otherwise())) }
}
