//! Training samples a second of the clock-driven engine on one thread: 784-10, batch 128, about 100
//! of the inputs of a sample at one time and the rest at another. Two ways: spikes given anew for
//! each batch, and a set prepared once; and the parts of the time.

use eventprop_cpu::GridEngine;
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::grid::{GridSpec, GridVariant};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::{Clip, Optimiser};
use lif_core::{Network, SpikeBatch};
use std::time::{Duration, Instant};

const INPUTS: u32 = 784;
const BATCH: usize = 128;
/// As many batches as MNIST has, so that caches see what they would.
const BATCHES: usize = 468;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (variant, duration, times) in
        [(GridVariant::Head, 20.0, [2.0, 12.0]), (GridVariant::First, 40.0, [10.0, 20.0])]
    {
        println!("{variant:?}, {duration} steps");
        measure(variant, duration, times)?;
    }
    Ok(())
}

fn measure(
    variant: GridVariant,
    duration: f64,
    times: [f32; 2],
) -> Result<(), Box<dyn std::error::Error>> {
    let mut random = Random(1);
    let batches: Vec<_> = (0..BATCHES).map(|_| batch(&mut random, times)).collect();
    let mut all = SpikeBatch::new();
    batches.iter().flat_map(|batch| batch.iter()).for_each(|train| all.push_train(train));
    let labels: Vec<u32> = (0..BATCH).map(|_| random.below(10)).collect();

    let mut engine = engine(variant, duration)?;
    engine.train_step(Batch { spikes: &batches[0], labels: &labels }, 0.0)?;
    let rate = |time: Duration| (BATCH * BATCHES) as f64 / time.as_secs_f64();
    let report = |what: &str, time: Duration| {
        let nanoseconds = time.as_nanos() as f64 / (BATCH * BATCHES) as f64;
        println!("  {what:<34} {nanoseconds:>7.0} ns a sample {:>10.0} samples/s", rate(time));
    };

    // At a learning rate of 0 every run does the same work, updates included.
    let time = best(|| {
        for spikes in &batches {
            engine.train_step(Batch { spikes, labels: &labels }, 0.0).map(drop)?;
        }
        Ok(())
    })?;
    report("train_step from spikes", time);
    let prepared = engine.prepare(&all)?;
    let samples: Vec<u32> = (0..(BATCH * BATCHES) as u32).collect();
    let time = best(|| {
        for samples in samples.chunks(BATCH) {
            engine.differentiate_prepared(&prepared, samples, &labels)?;
            engine.update(0.0)?;
        }
        Ok(())
    })?;
    report("train step from a prepared set", time);
    let time = best(|| {
        for samples in samples.chunks(BATCH) {
            engine.differentiate_prepared(&prepared, samples, &labels)?;
        }
        Ok(())
    })?;
    report("  without the update", time);
    let time = best(|| engine.prepare(&all).map(drop))?;
    report("prepare", time);
    let time = best(|| engine.infer(&all).map(drop))?;
    report("infer from spikes", time);
    Ok(())
}

fn engine(variant: GridVariant, duration: f64) -> Result<GridEngine, Box<dyn std::error::Error>> {
    let layers =
        vec![LayerSpec::input("in", INPUTS as usize), LayerSpec::lif("out", 10, 20.0, 5.0)];
    let network = Network::new(duration, layers, vec![ConnectionSpec::dense("in", "out")])?;
    let loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };
    let (optimiser, clip) = match variant {
        GridVariant::Head => (Optimiser::SGD, None),
        GridVariant::First => (Optimiser::ADAM, Some(Clip::Value(0.1))),
    };
    let training = Training { optimiser, clip, input_gradients: false, ..Training::exact(loss) };
    let mut engine = GridEngine::new(&network, GridSpec::new(1.0, variant), training, 1)?;
    let mut parameters = engine.parameters();
    let mut random = Random(7);
    for weight in &mut parameters.connections[0].weights {
        *weight = 0.1 + 0.1 * random.normal();
    }
    engine.load(&parameters)?;
    Ok(engine)
}

/// Images with strokes: a random walk of runs over the middle of 28 by 28 pixels.
fn batch(random: &mut Random, [white, black]: [f32; 2]) -> SpikeBatch<f32> {
    let mut batch = SpikeBatch::new();
    for _ in 0..BATCH {
        let mut is_white = [false; INPUTS as usize];
        let mut x = 8 + random.below(8);
        for y in 4..24 {
            x = (x + random.below(5)).clamp(6, 22) - 2;
            let width = 3 + random.below(5);
            (x..x + width).for_each(|x| is_white[(y * 28 + x) as usize] = true);
        }
        let of = |white: bool| (0..INPUTS).filter(move |&i| is_white[i as usize] == white);
        let spikes = of(true).map(|i| (white, i)).chain(of(false).map(|i| (black, i)));
        batch.push_sorted(spikes).expect("two times in order");
    }
    batch
}

/// The best of seven runs.
fn best(mut run: impl FnMut() -> Result<(), EngineError>) -> Result<Duration, EngineError> {
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        (self.next() % u64::from(bound)) as u32
    }

    /// The sum of twelve uniform numbers, about normal.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| (self.next() >> 40) as f32 / (1 << 24) as f32).sum::<f32>() - 6.0
    }
}
