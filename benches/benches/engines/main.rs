//! Times everything that `docs/BENCHMARKS.md` reports: `cargo xtask bench` runs it, or `cargo bench -p
//! eventprop-benches -- FILTER` a part of it.

mod processor_time;

use criterion::measurement::Measurement;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use eventprop_benches::ceilings;
use eventprop_benches::estimates::Estimates;
use eventprop_benches::machine::share_in_use;
use eventprop_benches::real::{GRID_PRESETS, GridTask, TASKS};
use eventprop_benches::synthetic::{CURVES, workload};
use eventprop_benches::workload::{Part, Workload};
use mnist_spikes::{Latency, SpikeData, mnist};
use processor_time::ProcessorTime;
use std::hint::black_box;
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    if let (Some(folder), Some(share)) = (std::env::var_os("CRITERION_HOME"), share_in_use()) {
        Estimates::new(folder.as_ref()).note_use(share)?;
    }
    // What runs on one thread is timed by the processor time it takes, the rest by the wall.
    let (mut wall, mut one) = (few_samples(), few_samples().with_measurement(ProcessorTime));
    machine(&mut one);
    together(&mut wall);
    setup(&mut wall);
    for threads in threads() {
        if threads == 1 {
            real(&mut one, threads)?
        } else {
            exchange(&mut wall, "before");
            real(&mut wall, threads)?
        }
        if threads == 1 {
            grid(&mut one, threads)?
        } else {
            grid(&mut wall, threads)?
        }
        if threads > 1 {
            exchange(&mut wall, "after");
        }
    }
    curves(&mut one)?;
    wall.final_summary();
    Ok(())
}

/// Medians of few short samples: hundreds of benchmarks are to take minutes.
fn few_samples() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .nresamples(1000)
        .configure_from_args()
}

/// What the machine can do at most.
fn machine(criterion: &mut Criterion<ProcessorTime>) {
    let mut group = criterion.benchmark_group("ceiling");
    group.throughput(Throughput::Elements(ceilings::MULTIPLY_ADDS));
    group.bench_function(BenchmarkId::new("multiply-adds", "1"), |b| {
        b.iter(ceilings::multiply_adds)
    });
    group.throughput(Throughput::Elements(ceilings::ROOTS));
    group.bench_function(BenchmarkId::new("roots", "1"), |b| b.iter(ceilings::roots));
    for level in ceilings::levels() {
        let mut rows = ceilings::rows(level.working_set);
        group.throughput(Throughput::Bytes(level.working_set as u64));
        group.bench_function(BenchmarkId::new("read", level.name), |b| {
            b.iter(|| ceilings::read(black_box(&rows)));
        });
        group.throughput(Throughput::Bytes(2 * level.working_set as u64));
        group.bench_function(BenchmarkId::new("modify", level.name), |b| {
            b.iter(|| ceilings::modify(black_box(&mut rows)));
        });
    }
    group.finish();
}

/// What its threads can do at once.
fn together(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ceiling");
    for threads in threads() {
        group.throughput(Throughput::Elements(threads as u64 * ceilings::TOGETHER));
        group.bench_function(BenchmarkId::new("together", threads), |b| {
            b.iter(|| ceilings::together(threads));
        });
    }
    group.finish();
}

/// How fast one core hears from the other.
fn exchange(criterion: &mut Criterion, when: &str) {
    let mut group = criterion.benchmark_group("ceiling");
    group.throughput(Throughput::Elements(ceilings::EXCHANGES));
    group.bench_function(BenchmarkId::new("exchange", when), |b| b.iter(ceilings::exchange));
    group.finish();
}

/// What comes before training, on all cores.
fn setup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("setup");
    group.bench_function(BenchmarkId::new("decode", "all"), |b| b.iter(mnist::load));
    let images = mnist::load().train;
    let encoder = Latency::new(0.0, 20.0, 1).expect("valid times");
    group.bench_function(BenchmarkId::new("encode", "all"), |b| {
        b.iter(|| SpikeData::<f32>::from_images(&images, |images| encoder.encode(images)));
    });
    group.finish();
}

/// Real data.
fn real<M: Measurement>(criterion: &mut Criterion<M>, threads: usize) -> anyhow::Result<()> {
    for task in &TASKS {
        let workload = task.workload()?;
        let mut group = criterion.benchmark_group(task.name);
        parts(&mut group, &workload, threads, threads as f64)?;
        group.finish();
    }
    Ok(())
}

/// The clock-driven model.
fn grid<M: Measurement>(criterion: &mut Criterion<M>, threads: usize) -> anyhow::Result<()> {
    for preset in GRID_PRESETS {
        let mut group = criterion.benchmark_group(preset);
        let mut task = GridTask::new(preset, threads)?;
        group.throughput(Throughput::Elements(task.batch_size() as u64));
        let mut batch = 0;
        group.bench_function(BenchmarkId::new("step", threads), |b| {
            b.iter(|| {
                batch += 1;
                task.step(batch).expect("a step of the clock-driven engine")
            });
        });
        let GridTask { mut engine, batches, spikes, .. } = task;
        for part in Part::ALL.into_iter().filter(|&part| part != Part::Step) {
            group.bench_function(BenchmarkId::new(part.name(), threads), |b| {
                b.iter(|| {
                    batch += 1;
                    let (spikes, (_, labels)) =
                        (&spikes[batch % spikes.len()], &batches[batch % batches.len()]);
                    let batch = lif_core::engine::Batch { spikes, labels };
                    part.run(&mut engine, batch).expect("a part of a step")
                });
            });
        }
        group.finish();
    }
    Ok(())
}

/// One quantity varied at a time, on one thread.
fn curves(criterion: &mut Criterion<ProcessorTime>) -> anyhow::Result<()> {
    for curve in &CURVES {
        let mut group = criterion.benchmark_group(curve.name);
        for &value in curve.values {
            let workload = workload((curve.size)(value))?;
            parts(&mut group, &workload, 1, value)?;
        }
        group.finish();
    }
    Ok(())
}

fn parts<M: Measurement>(
    group: &mut BenchmarkGroup<'_, M>,
    workload: &Workload,
    threads: usize,
    value: f64,
) -> anyhow::Result<()> {
    let mut engine = workload.engine(threads)?;
    // A gradient for the update, and everything allocated.
    engine.differentiate(workload.batch(0))?;
    group.throughput(Throughput::Elements(workload.batch_size() as u64));
    let mut batch = 0;
    for part in Part::ALL {
        group.bench_function(BenchmarkId::new(part.name(), value), |b| {
            b.iter(|| {
                batch += 1;
                part.run(&mut *engine, workload.batch(batch)).expect("a part of a step")
            });
        });
    }
    Ok(())
}

/// One, and two where the machine has them.
fn threads() -> impl Iterator<Item = usize> {
    let here = std::thread::available_parallelism().map_or(1, usize::from);
    [1, 2].into_iter().filter(move |&threads| threads <= here)
}
