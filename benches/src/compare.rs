//! Other libraries beside this engine: same machine, same data, one after the other in one go.

mod environment;
mod measurement;

pub use environment::Environment;
pub use measurement::{Measurement, measure_ours};

use crate::machine;
use crate::report::{Table, rate, ratio};
use anyhow::{Context, Result};
use mnist_spikes::mnist;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Samples a batch, of every program.
pub const BATCH: usize = 128;

/// Images that everyone trains on: the first of MNIST.
pub const IMAGES: usize = 8192;

/// A preset of this engine and the peers whose work is most like it.
struct Pairing {
    preset: &'static str,
    work: &'static str,
    /// Script, name, and what it does.
    peers: &'static [(&'static str, &'static str, &'static str)],
}

const PAIRINGS: [Pairing; 2] = [
    Pairing {
        preset: "seed",
        work: "784-10 on a grid, 20 steps",
        peers: &[("seed_torch.py", "PyTorch", "the same model, written in PyTorch")],
    },
    Pairing {
        preset: "mnist-paper",
        work: "784-350-10, exact gradients",
        peers: &[
            ("snntorch_peer.py", "snnTorch", "784-350-10, surrogate gradients, 20 steps"),
            ("spikingjelly_peer.py", "SpikingJelly", "784-350-10, surrogate gradients, 20 steps"),
        ],
    },
];

/// Why this page has two figures of `seed`, here and in other sections, and two of its PyTorch.
const SEED_TWICE: &str = "\
`seed` has other figures under *Clock-driven* and *Beside other programs*: there a step takes samples prepared once, as training \
does, at learning rate 0; here each step reads its batch from spike trains, and weights change at the recipe's rate. Its PyTorch is \
the model written anew (`benches/compare/seed_torch.py`), with a raster of floats and the gradient as a product of matrices; *its \
step alone* in the other section is the published script's, which casts a raster of 64-bit integers and makes a gradient a sample, on \
another machine.";

/// Runs everything for `seconds` each, on one and two threads, and returns the section of the report.
/// `program` is this program: it measures this engine when called as `ours PRESET THREADS SECONDS`.
///
/// # Errors
/// If this engine fails, or files cannot be written.
pub fn run(environment: &Environment, program: &Path, seconds: f64) -> Result<String> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    export(folder.path())?;
    let mut table = Table::new([
        "program",
        "work",
        "threads",
        "samples/s",
        "peak memory, MB",
        "this engine is faster by",
    ]);
    let threads_here = std::thread::available_parallelism().map_or(1, usize::from);
    for Pairing { preset, work, peers } in PAIRINGS {
        for threads in [1, 2].into_iter().filter(|&threads| threads <= threads_here) {
            let mut row = |name: &str, work: &str, it: Option<&Measurement>, faster: String| {
                let or_dash = |value: Option<f64>| value.map_or("-".into(), rate);
                let speed = or_dash(it.map(|it| it.samples_per_second));
                let memory = or_dash(it.map(|it| it.peak_bytes / 1e6));
                eprintln!("{name}, {work}, {threads} threads: {speed} samples/s {faster}");
                table.row([name.into(), work.into(), threads.to_string(), speed, memory, faster]);
            };
            let mut ours = Command::new(program);
            ours.args(["ours", preset]).arg(threads.to_string()).arg(seconds.to_string());
            let ours = Measurement::of(&mut ours)?;
            row(&format!("this engine, `{preset}`"), work, Some(&ours), String::new());
            for (script, name, work) in peers {
                let mut peer = environment.python();
                peer.arg(crate::root().join("benches/compare").join(script)).arg(folder.path());
                peer.args([threads, BATCH].map(|number| number.to_string()));
                peer.arg(seconds.to_string()).env("OMP_NUM_THREADS", threads.to_string());
                match Measurement::of(&mut peer) {
                    Ok(theirs) => {
                        let faster = ours.samples_per_second / theirs.samples_per_second;
                        row(name, work, Some(&theirs), ratio(faster));
                    }
                    // One library that does not run here is no reason to do without the others.
                    Err(error) => row(name, work, None, format!("not run: {error:#}")),
                }
            }
        }
    }
    let mut section = String::from("## In the same minute\n\n");
    let busy = machine::share_in_use().unwrap_or(f64::NAN) * 100.0;
    writeln!(
        section,
        "Written by `cargo xtask compare --write` on {}: whole training steps at batch {BATCH} on the first {IMAGES} \
         images of MNIST, {seconds} s each, one program after the other on the same machine ({busy:.0} % of it \
         in use by other work afterwards). {}. Samples are encoded beforehand where the program's own training \
         does so. Surrogate gradients are approximate and their networks step through time: not the same \
         work, but what one would use in place of this engine.\n\n{SEED_TWICE}\n\n{table}",
        machine::today(),
        environment.versions()?,
    )?;
    Ok(section)
}

/// Pixels and labels as bytes, in the files `images` and `labels` of `folder`.
///
/// # Errors
/// If they cannot be written.
fn export(folder: &Path) -> Result<()> {
    let images = mnist::load().train.slice(0..IMAGES);
    let labels: Vec<u8> = images.labels().iter().map(|&label| label as u8).collect();
    fs::write(folder.join("images"), images.pixels()).context("cannot write the images")?;
    fs::write(folder.join("labels"), labels).context("cannot write the labels")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_why_it_has_two_figures_of_one_model() {
        let page = fs::read_to_string(crate::root().join("docs/BENCHMARKS.md")).unwrap();
        assert!(page.contains(SEED_TWICE));
    }
}
