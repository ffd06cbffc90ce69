use crate::{native, pypi, root};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Check NIR files with other people's programs: the Python package `nir` reads what is exported and
/// writes it again, and snnTorch and SpikingJelly run an exported MNIST network.
///
/// They come from PyPI into `target/nir`; PyTorch is the system's (Debian: python3-torch). The network is
/// trained for one epoch. docs/nir.md has the results.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The Python that has PyTorch.
    #[arg(long, value_name = "PROGRAM", default_value = "/usr/bin/python3")]
    python: PathBuf,
    /// An `eventprop` to use in place of one that is built for this machine.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<PathBuf>,
    /// Write the fixtures of eventprop-nir's tests anew, and do nothing else.
    #[arg(long)]
    fixtures: bool,
}

const PACKAGES: [&str; 6] =
    ["nir==1.0.8", "nirtorch==2.6", "snntorch==1.0.0", "spikingjelly==2.0.0", "h5py", "loguru<1"];

/// Steps in ms.
const STEPS: [&str; 6] = ["1", "0.5", "0.2", "0.1", "0.05", "0.02"];

/// The step with which images are classified.
const CLASSIFIED_WITH: &str = "0.2";

/// Images whose spike times are compared.
const COMPARED: &str = "20";

/// Images that are classified: the whole test set.
const CLASSIFIED: &str = "10000";

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let python = pypi::environment_with(&args.python, "nir", &PACKAGES)?.join("bin/python");
    if args.fixtures {
        let script = root()?.join("crates/eventprop-nir/tests/data/make.py");
        return native::pass_on(Command::new(python).arg(script));
    }
    let program = match &args.program {
        Some(program) => std::path::absolute(program)?,
        None => native::eventprop()?,
    };
    let folder = root()?.join("target/nir-check");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let check = Check { python, program, folder };
    check.package()?;
    check.simulators()
}

struct Check {
    python: PathBuf,
    program: PathBuf,
    /// Where everything is written.
    folder: PathBuf,
}

impl Check {
    /// The package reads what is exported, and what it writes of that is the same network to the bit.
    fn package(&self) -> Result<()> {
        let train = "train --preset mnist --epochs 1 --quiet --run-dir runs";
        self.eventprop(train)?;
        self.eventprop("export runs/latest --out mnist.nir")?;
        fs::write(self.folder.join("problem.json"), PROBLEM)?;
        self.eventprop("export problem.json --out problem.nir")?;
        for name in ["mnist", "problem"] {
            let files = [format!("{name}.nir"), format!("{name}-rewritten.nir")];
            native::execute(&mut self.script("package.py", &files)?)?;
            let mut networks = Vec::new();
            for file in files {
                let json = file.replace(".nir", "-read.json");
                self.eventprop(&format!("import {file} --out {json}"))?;
                networks.push(fs::read(self.folder.join(json))?);
            }
            ensure!(networks[0] == networks[1], "{name}: what nir wrote is another network");
            println!("{name}: what nir wrote of it is read as the same network, to the bit");
        }
        Ok(())
    }

    /// Other simulators' spikes approach the exact ones as their step shrinks.
    fn simulators(&self) -> Result<ExitCode> {
        self.eventprop(&format!("import mnist.nir --samples {COMPARED} --out few.json"))?;
        self.eventprop(&format!("import mnist.nir --samples {CLASSIFIED} --out all.json"))?;
        let solution = fs::File::create(self.folder.join("few-solved.json"))?;
        let mut grad = self.command("grad few.json");
        native::execute(grad.stdout(solution))?;
        let exact = self.accuracy()?;
        println!("\neventprop, exact event times: accuracy {exact} % of {CLASSIFIED} images");
        let files = ["few.json", "few-solved.json", "all.json", CLASSIFIED_WITH];
        let mut arguments: Vec<String> = files.map(String::from).into();
        for step in STEPS {
            self.eventprop(&format!("export runs/latest --dt {step} --out mnist-{step}.nir"))?;
            arguments.push(format!("mnist-{step}.nir:{step}"));
        }
        for simulator in ["snntorch", "spikingjelly"] {
            let mut arguments = arguments.clone();
            arguments.insert(0, simulator.into());
            let mut python = self.script("simulate.py", &arguments)?;
            native::execute(python.env("EXACT_ACCURACY", &exact))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments.split(' ')).current_dir(&self.folder);
        command
    }

    fn eventprop(&self, arguments: &str) -> Result<()> {
        native::execute(&mut self.command(arguments))
            .with_context(|| format!("eventprop {arguments}"))
    }

    /// What `eventprop eval` prints: the accuracy on the test set in per cent.
    fn accuracy(&self) -> Result<String> {
        let output =
            self.command("eval runs/latest").output().context("cannot run eventprop eval")?;
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().find_map(|line| line.strip_prefix("accuracy "));
        let accuracy = line.context("eventprop eval prints no accuracy")?;
        Ok(accuracy.trim_end_matches('%').trim().to_owned())
    }

    fn script(&self, script: &str, arguments: &[String]) -> Result<Command> {
        let script = Path::new("xtask/nir").join(script);
        let mut python = Command::new(&self.python);
        python.arg(root()?.join(script)).args(arguments).current_dir(&self.folder);
        // The script lies in the repository: nothing is to be left beside it.
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(python)
    }
}

/// What MNIST does not have: an image, a convolution with delays, a pooling with a weight, recurrence
/// with a delay of each synapse's own.
const PROBLEM: &str = r#"{
  "duration": 60.0,
  "layers": [
    {"name": "input", "kind": "input", "size": 16, "shape": [1, 4, 4]},
    {"name": "conv", "kind": "lif", "size": 8, "shape": [2, 2, 2], "tau_mem": 20.3, "tau_syn": 5.7},
    {"name": "pool", "kind": "lif", "size": 2, "shape": [2, 1, 1], "tau_mem": [20.1, 19.9], "tau_syn": 5.0,
     "threshold": [1.0, 1.1], "reset": -0.3, "bias": [0.1, 0.0]},
    {"name": "back", "kind": "lif", "size": 2, "tau_mem": 10.0, "tau_syn": 3.0},
    {"name": "out", "kind": "li", "size": 2, "tau_mem": 20.0, "tau_syn": 5.0}
  ],
  "connections": [
    {"from": "input", "to": "conv", "kind": "conv2d", "stride": [2, 2],
     "weights": [[[[0.9, 0.1], [0.2, 0.3]]], [[[0.7, -0.1], [0.3, 0.4]]]],
     "delays": [[[[0.1, 1.7], [0.0, 2.3]]], [[[0.3, 0.9], [1.1, 0.7]]]]},
    {"from": "conv", "to": "pool", "kind": "sum_pool2d", "kernel": [2, 2], "weight": 0.3},
    {"from": "pool", "to": "back", "kind": "dense", "weights": [[0.7, 0.0], [0.3, -0.1]]},
    {"from": "back", "to": "back", "kind": "dense", "weights": [[0.1, 0.0], [-0.2, 0.3]],
     "delays": [[1.5, 0.1], [0.7, 2.9]]},
    {"from": "back", "to": "out", "kind": "dense", "weights": [[0.3, 1e-3], [0.1, 0.2]],
     "delays": [[1.1, 1.1], [2.2, 2.2]]}
  ],
  "samples": [{"spikes": [[0.4, 3], [2.25, 0]], "label": 1}],
  "loss": {"kind": "vmax_cross_entropy"}
}"#;
