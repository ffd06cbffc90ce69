//! Developer commands: `cargo xtask COMMAND`. Each has a file; the logic is in the crates.

mod bench;
mod built;
mod ci;
mod compare;
mod cuda_check;
mod cuda_emulate;
mod cuda_mutate;
mod deny;
mod emulator;
mod fuzz;
mod glibc;
mod gpu_pack;
mod gradcheck;
mod mpi;
mod mpi_check;
mod native;
mod nir_check;
mod pictures;
mod publish_check;
mod pypi;
mod results;
mod scaling;
mod side_by_side;
mod soak;
mod tensorboard;
mod train;
mod wheel;

use anyhow::Context;
use clap::{Parser, Subcommand};
use std::path::Path;
use std::process::ExitCode;

/// Developer commands of eventprop.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bench(bench::Args),
    Ci(ci::Args),
    CudaCheck(cuda_check::Args),
    CudaEmulate(cuda_emulate::Args),
    GpuPack(gpu_pack::Args),
    Compare(compare::Args),
    Deny(deny::Args),
    Fuzz(fuzz::Args),
    Gradcheck(gradcheck::Args),
    MpiCheck(mpi_check::Args),
    PublishCheck(publish_check::Args),
    NirCheck(nir_check::Args),
    Results(results::Args),
    Pictures(pictures::Args),
    Scaling(scaling::Args),
    Soak(soak::Args),
    Tensorboard(tensorboard::Args),
    Train(train::Args),
    Wheel(wheel::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::CudaCheck(args) => cuda_check::run(&args),
        Command::CudaEmulate(args) => cuda_emulate::run(&args),
        Command::GpuPack(args) => gpu_pack::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Deny(args) => deny::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Gradcheck(args) => gradcheck::run(&args),
        Command::MpiCheck(args) => mpi_check::run(&args),
        Command::PublishCheck(args) => publish_check::run(&args),
        Command::NirCheck(args) => nir_check::run(&args),
        Command::Results(args) => results::run(&args),
        Command::Pictures(args) => pictures::run(&args),
        Command::Scaling(args) => scaling::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Tensorboard(args) => tensorboard::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Wheel(args) => wheel::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

/// The folder of the workspace.
fn root() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_in_the_documents_is_one() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut paths = vec![root.join("README.md")];
        paths.extend(
            std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()),
        );
        let mut count = 0;
        for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().map(|line| line.trim_start_matches("$ "));
            for line in lines.filter(|line| line.starts_with("cargo xtask ")) {
                let words = line.split_whitespace().skip(1);
                if let Err(error) = Cli::try_parse_from(words) {
                    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
                    let asked = matches!(error.kind(), DisplayHelp | DisplayVersion);
                    assert!(asked, "{}: {line}: {error}", path.display());
                }
                count += 1;
            }
        }
        assert!(count > 2, "{count}");
    }
}
