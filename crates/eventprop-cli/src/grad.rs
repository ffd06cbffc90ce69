use crate::out::Stdout;
use anyhow::{Context, ensure};
use eventprop::backend::{self, Precision};
use eventprop::lif_core::engine::Training;
use eventprop::problem::{Problem, Solution, solve, solve_by_finite_differences};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Compute the gradient of a problem file and write it as JSON to standard output.
///
/// A problem is a network, its input spikes and a loss; the result holds the loss, every spike and
/// the gradient by every weight, delay, constant and input spike time.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop grad problem.json                                 the exact gradient
  eventprop grad problem.json --method finite-difference      what it should be
  eventprop grad - --backend cpu --precision f32 < problem.json")]
pub(crate) struct Args {
    /// The problem file; "-" for standard input.
    problem: PathBuf,
    /// The engine.
    #[arg(long, default_value = "reference", value_parser = backend::NAMES)]
    backend: String,
    /// The precision to compute in.
    #[arg(long, default_value = "f64", value_parser = ["f64", "f32"])]
    precision: String,
    /// How the gradient is found: exactly, or by finite differences of the reference engine's loss.
    #[arg(long, default_value = "eventprop", value_parser = ["eventprop", "finite-difference"])]
    method: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let json = read(&args.problem)?;
    let problem = Problem::parse(&json).with_context(|| name(&args.problem))?;
    let solution = match (args.method.as_str(), args.precision.as_str()) {
        ("finite-difference", precision) => {
            ensure!(
                args.backend == "reference" && precision == "f64",
                "finite differences are taken of the reference engine in f64; leave out --backend \
                 and --precision"
            );
            solve_by_finite_differences(&problem)?
        }
        (_, "f32") => by_engine::<f32>(&problem, &args.backend)?,
        _ => by_engine::<f64>(&problem, &args.backend)?,
    };
    write(&solution)
}

fn by_engine<T: Precision>(problem: &Problem, backend: &str) -> anyhow::Result<Solution> {
    let training = Training::<T>::exact(problem.loss);
    let mut engine = backend::create(backend, &problem.network, training, None)?;
    Ok(solve(problem, engine.as_mut())?)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let mut json = Vec::new();
    std::io::stdin().read_to_end(&mut json).context("cannot read standard input")?;
    Ok(json)
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".into() } else { path.display().to_string() }
}

fn write(solution: &Solution) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec(solution)?;
    json.push(b'\n');
    Ok(Stdout.write_all(&json)?)
}
