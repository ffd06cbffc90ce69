//! This engine beside what others reach, from published figures.

use super::table::{Table, rate, ratio};
use crate::estimates::Estimates;
use crate::real::{GRID_PRESETS, Task};
use anyhow::Result;

/// Another program's training samples a second of wall time, and the benchmark that has the most in
/// common with its work.
struct Peer {
    program: &'static str,
    work: &'static str,
    benchmark: &'static str,
    one_thread: Option<f64>,
    two_threads: Option<f64>,
    /// What is not the same.
    difference: &'static str,
}

const fn peer(
    program: &'static str,
    work: &'static str,
    benchmark: &'static str,
    [one_thread, two_threads]: [Option<f64>; 2],
    difference: &'static str,
) -> Peer {
    Peer { program, work, benchmark, one_thread, two_threads, difference }
}

const PEERS: [Peer; 12] = [
    peer(
        "pytorch-eventprop, its script",
        "784-10, 20 steps, batch 128",
        "seed",
        [Some(2060.0), Some(3770.0)],
        "with its data loader",
    ),
    peer(
        "pytorch-eventprop, its step alone",
        "784-10, 20 steps, batch 128",
        "seed",
        [Some(3090.0), Some(4460.0)],
        "",
    ),
    peer(
        "pytorch-eventprop as its README says, its script",
        "784-10, 40 steps, batch 128",
        "seed-readme",
        [Some(2620.0), Some(4360.0)],
        "with its data loader",
    ),
    peer(
        "pytorch-eventprop as its README says, its step alone",
        "784-10, 40 steps, batch 128",
        "seed-readme",
        [Some(3540.0), Some(7180.0)],
        "",
    ),
    peer(
        "Wunderlich & Pehle's simulator (C++)",
        "MNIST 784-350-10, batch 5",
        "mnist-paper",
        [Some(261.0), Some(287.0)],
        "its two-thread figure is of a busy machine",
    ),
    peer(
        "Wunderlich & Pehle's simulator (C++)",
        "Yin-Yang 5-200-3, batch 32",
        "yin-yang",
        [Some(7680.0), Some(14_400.0)],
        "",
    ),
    peer(
        "mlGeNN 2.3 / GeNN 5.4",
        "MNIST 784-350-10, batch 1",
        "mnist-1",
        [Some(130.0), None],
        "it takes steps of 1 ms",
    ),
    peer(
        "jaxsnn 0.3",
        "Yin-Yang 5-100-3",
        "yin-yang",
        [None, Some(2540.0)],
        "half the neurons, one spike each at most",
    ),
    peer(
        "exact-snn-nn 3.2",
        "MNIST 784-128-10, first spikes",
        "mnist-1",
        [Some(10.0), None],
        "a third of the neurons; 5 to 10 a second",
    ),
    peer(
        "snnTorch 1.0",
        "784-350-10, surrogate, 20 steps, batch 128",
        "mnist-128",
        [Some(2050.0), Some(2210.0)],
        "approximate gradients on a grid",
    ),
    peer(
        "Norse 1.1",
        "784-350-10, surrogate, 20 steps, batch 128",
        "mnist-128",
        [Some(2280.0), Some(2190.0)],
        "approximate gradients on a grid",
    ),
    peer(
        "SpikingJelly 2.0",
        "784-350-10, surrogate, 20 steps, batch 128",
        "mnist-128",
        [Some(2310.0), Some(2850.0)],
        "approximate gradients on a grid",
    ),
];

pub(super) fn section(estimates: &Estimates) -> Result<String> {
    let mut table = Table::new([
        "program",
        "work",
        "threads",
        "its samples/s",
        "here",
        "ratio",
        "not the same",
    ]);
    for peer in &PEERS {
        for (threads, theirs) in [(1, peer.one_thread), (2, peer.two_threads)] {
            let Some(theirs) = theirs else { continue };
            let (here, shown) = match samples_per_second(estimates, peer.benchmark, threads) {
                Ok(here) => (rate(here), ratio(here / theirs)),
                // A machine with one thread.
                Err(_) if threads == 2 => ("-".into(), "-".into()),
                Err(error) => return Err(error),
            };
            table.row([
                peer.program.into(),
                peer.work.into(),
                threads.to_string(),
                rate(theirs),
                here,
                shown,
                peer.difference.into(),
            ]);
        }
    }
    Ok(format!(
        "## Beside other programs

Their figures were measured on two cores of another, quiet machine (PyTorch 2.15); on a newer processor part \
of a ratio is the processor's. `cargo xtask compare` runs them in the same minute. Whole training steps.

{table}"
    ))
}

/// Whole training steps of a task or a preset on a grid.
fn samples_per_second(estimates: &Estimates, benchmark: &str, threads: usize) -> Result<f64> {
    let batch = if GRID_PRESETS.contains(&benchmark) {
        eventprop::Config::preset(benchmark)?.training.batch_size
    } else {
        Task::named(benchmark)?.batch_size
    };
    Ok(batch as f64 / estimates.seconds(benchmark, "step", &threads.to_string())?)
}
