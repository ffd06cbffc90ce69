use crate::{native, root};
use anyhow::Result;
use std::fs;
use std::process::{Command, ExitCode};

/// Train the networks of the pictures in README.md and draw these anew into docs/pictures.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Draw what an earlier call trained.
    #[arg(long)]
    keep: bool,
}

/// Trainings: name, arguments.
const TRAININGS: [(&str, &[&str]); 2] = [
    ("mnist", &["--preset", "mnist", "--epochs", "3"]),
    ("yin-yang", &["--preset", "yin-yang", "--epochs", "60"]),
];

/// Pictures: name, what is drawn, of which training, how.
const PICTURES: [(&str, &str, &str, &[&str]); 4] = [
    ("trace", "trace", "mnist", &["--sample", "0"]),
    ("raster", "raster", "mnist", &["--sample", "0"]),
    ("weights", "weights", "mnist", &["--count", "16"]),
    ("curves", "curves", "yin-yang", &[]),
];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let program = native::eventprop()?;
    let runs = root()?.join("target").join("pictures");
    if !args.keep {
        for (name, arguments) in TRAININGS {
            let folder = runs.join(name);
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            let mut train = Command::new(&program);
            train.arg("train").args(arguments).arg("--run-dir").arg(folder);
            native::execute(&mut train)?;
        }
    }
    let folder = root()?.join("docs").join("pictures");
    fs::create_dir_all(&folder)?;
    for (name, picture, training, arguments) in PICTURES {
        let mut plot = Command::new(&program);
        plot.args(["plot", picture]).arg(runs.join(training).join("latest")).args(arguments);
        native::execute(plot.arg("--out").arg(folder.join(format!("{name}.svg"))))?;
    }
    Ok(ExitCode::SUCCESS)
}
