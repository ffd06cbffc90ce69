//! Times everything that `docs/BENCHMARKS.md` reports: `cargo xtask bench` runs it, or `cargo bench -p
//! eventprop-benches -- FILTER` a part of it.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use eventprop_benches::ceilings;
use eventprop_benches::estimates::Estimates;
use eventprop_benches::machine::share_in_use;
use eventprop_benches::real::{GRID_PRESETS, GridTask, TASKS};
use eventprop_benches::synthetic::{CURVES, workload};
use eventprop_benches::workload::{Part, Workload};
use mnist_spikes::{Latency, SpikeData, mnist};
use std::hint::black_box;
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    if let (Some(folder), Some(share)) = (std::env::var_os("CRITERION_HOME"), share_in_use()) {
        Estimates::new(folder.as_ref()).note_use(share)?;
    }
    // Medians of few short samples: hundreds of benchmarks are to take minutes.
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .nresamples(1000)
        .configure_from_args();
    machine(&mut criterion);
    real(&mut criterion)?;
    grid(&mut criterion)?;
    curves(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// What the machine can do at most, and what comes before training.
fn machine(criterion: &mut Criterion) {
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

    let mut group = criterion.benchmark_group("setup");
    group.bench_function(BenchmarkId::new("decode", "all"), |b| b.iter(mnist::load));
    let images = mnist::load().train;
    let encoder = Latency::new(0.0, 20.0, 1).expect("valid times");
    group.bench_function(BenchmarkId::new("encode", "all"), |b| {
        b.iter(|| SpikeData::<f32>::from_images(&images, |images| encoder.encode(images)));
    });
    group.finish();
}

/// Real data on one and two threads.
fn real(criterion: &mut Criterion) -> anyhow::Result<()> {
    for task in &TASKS {
        let workload = task.workload()?;
        let mut group = criterion.benchmark_group(task.name);
        for threads in threads() {
            parts(&mut group, &workload, threads, threads as f64)?;
        }
        group.finish();
    }
    Ok(())
}

/// The clock-driven model.
fn grid(criterion: &mut Criterion) -> anyhow::Result<()> {
    for preset in GRID_PRESETS {
        let mut group = criterion.benchmark_group(preset);
        for threads in threads() {
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
        }
        group.finish();
    }
    Ok(())
}

/// One quantity varied at a time, on one thread.
fn curves(criterion: &mut Criterion) -> anyhow::Result<()> {
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

fn parts(
    group: &mut BenchmarkGroup<'_, WallTime>,
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
