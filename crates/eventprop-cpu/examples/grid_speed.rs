//! Training samples a second of the clock-driven engine on one thread: 784-10, batch 128, about 100
//! of the inputs of a sample at one time and the rest at another. Two ways: spikes given anew for
//! each batch, and a set prepared once and read in random order; and the parts of the time.

use eventprop_cpu::GridEngine;
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::grid::{GridSpec, GridVariant};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::{Clip, Optimiser};
use lif_core::{Network, SpikeBatch};
use std::time::Instant;

const INPUTS: u32 = 784;
const BATCH: usize = 128;
/// As many batches as MNIST has, so that caches see what they would.
const BATCHES: usize = 468;
const REPEATS: usize = 7;

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
    // At a learning rate of 0 every run does the same work, updates included.
    report("train_step from spikes", |batch| {
        engine.train_step(Batch { spikes: &batches[batch], labels: &labels }, 0.0).map(drop)
    })?;
    let prepared = engine.prepare(&all)?;
    let mut samples: Vec<u32> = (0..(BATCH * BATCHES) as u32).collect();
    (1..samples.len()).for_each(|i| samples.swap(i, random.below(i as u32 + 1) as usize));
    let batch_of = |batch: usize| &samples[batch * BATCH..(batch + 1) * BATCH];
    report("train step from a prepared set", |batch| {
        engine.differentiate_prepared(&prepared, batch_of(batch), &labels)?;
        engine.update(0.0).map(drop)
    })?;
    report("  without the update", |batch| {
        engine.differentiate_prepared(&prepared, batch_of(batch), &labels).map(drop)
    })?;
    report("prepare", |batch| engine.prepare(&batches[batch]).map(drop))?;
    report("infer from spikes", |batch| engine.infer(&batches[batch]).map(drop))?;
    Ok(())
}

/// Runs every batch a few times and prints the median time, which other programs on the machine
/// disturb little.
fn report(
    what: &str,
    mut run: impl FnMut(usize) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let mut times = Vec::new();
    for _ in 0..REPEATS {
        for batch in 0..BATCHES {
            let start = Instant::now();
            run(batch)?;
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    let time = times[times.len() / 2].as_secs_f64() / BATCH as f64;
    println!("  {what:<34} {:>7.0} ns a sample {:>10.0} samples/s", time * 1e9, time.recip());
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
