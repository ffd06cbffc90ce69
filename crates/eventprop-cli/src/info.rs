//! `eventprop info`.

use crate::machine;
use crate::out::Stdout;
use anyhow::Result;
use eventprop::{Checkpoint, Config, Samples, backend};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::thread::available_parallelism;

/// Say what the program was built for, what the machine has, and which data are found.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop info
  eventprop info --json | jq .backends
  eventprop info --data-folder fashion            whether a folder of IDX files can be read")]
pub(crate) struct Args {
    /// A folder of IDX files to look at beside the bundled MNIST.
    #[arg(long, value_name = "DIR", visible_alias = "data_folder")]
    data_folder: Option<PathBuf>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let (built, warning) = machine::instruction_sets();
    let threads = available_parallelism().map_or(1, usize::from);
    let backends: Vec<_> = backend::NAMES.map(|name| (name, availability(name))).into();
    let mut data = vec![("mnist (bundled)".to_string(), find(None))];
    #[cfg(feature = "fetch")]
    for (name, folder) in crate::data::found() {
        data.push((format!("{name} ({})", folder.display()), find(Some(folder))));
    }
    if let Some(folder) = args.data_folder {
        data.push((folder.display().to_string(), look(Some(folder))?));
    }
    let presets: Vec<_> = Config::presets().collect();
    let mut out = Stdout;
    if args.json {
        let entries = |list: &[(String, String)]| -> Value {
            list.iter().map(|(name, what)| (name.clone(), Value::from(what.as_str()))).collect()
        };
        let backends: Vec<_> =
            backends.iter().map(|(name, what)| (name.to_string(), what.clone())).collect();
        let info = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "checkpoint_format": Checkpoint::FORMAT,
            "instruction_set": { "built_for": built, "available": machine::available() },
            "threads": threads,
            "gpu_driver": driver(),
            "backends": entries(&backends),
            "data": entries(&data),
            "presets": presets,
        });
        return Ok(writeln!(out, "{info}")?);
    }
    let (version, format) = (env!("CARGO_PKG_VERSION"), Checkpoint::FORMAT);
    writeln!(out, "eventprop     {version}, writes checkpoints of format {format}")?;
    writeln!(out, "built for     {built}")?;
    writeln!(out, "machine has   {}", machine::available())?;
    if let Some(warning) = warning {
        writeln!(out, "              {warning}")?;
    }
    writeln!(out, "threads       {threads}")?;
    writeln!(out, "GPU driver    {}", driver())?;
    for (name, what) in &backends {
        writeln!(out, "backend       {name}: {what}")?;
    }
    for (name, what) in &data {
        writeln!(out, "{:<14}{name}: {what}", "data")?;
    }
    writeln!(out, "presets       {}", presets.join(", "))?;
    Ok(())
}

/// The NVIDIA driver that is loaded, whether or not this build could use it.
fn driver() -> String {
    if !cfg!(target_os = "linux") {
        return "not looked for on this system".into();
    }
    let version = std::fs::read_to_string("/proc/driver/nvidia/version").ok();
    let line = version.as_deref().and_then(|text| text.lines().next());
    line.map_or("none: no NVIDIA driver is loaded".into(), |line| {
        line.trim_start_matches("NVRM version:").trim().into()
    })
}

/// What an engine says when a small network is asked of it.
fn availability(name: &str) -> String {
    match probe(name) {
        Ok(()) => match backend::cuda_device() {
            Ok(device) if name == "cuda" => format!("available on {device}"),
            _ => "available".into(),
        },
        Err(reason) => {
            let reason = reason.strip_prefix(&format!("backend {name}: ")).unwrap_or(&reason);
            format!("not available: {reason}")
        }
    }
}

fn probe(name: &str) -> Result<(), String> {
    use eventprop::lif_core::Network;
    use eventprop::lif_core::engine::Training;
    use eventprop::lif_core::loss::Loss;
    use eventprop::lif_core::network::{ConnectionSpec, LayerSpec};
    let layers = vec![LayerSpec::input("in", 1), LayerSpec::li("out", 1, 20.0, 5.0)];
    let network = Network::new(1.0, layers, vec![ConnectionSpec::dense("in", "out")])
        .map_err(|error| error.to_string())?;
    let created = if name == "reference" {
        let training = Training::<f64>::exact(Loss::VmaxCrossEntropy {});
        backend::create(name, &network, training, Some(1)).map(drop)
    } else {
        let training = Training::<f32>::exact(Loss::VmaxCrossEntropy {});
        backend::create(name, &network, training, Some(1)).map(drop)
    };
    created.map_err(|error| error.to_string().replace('\n', " "))
}

fn find(folder: Option<PathBuf>) -> String {
    look(folder).unwrap_or_else(|error| error.to_string().replace('\n', " "))
}

fn look(folder: Option<PathBuf>) -> Result<String> {
    let mut config = Config::preset("mnist")?;
    config.data.folder = folder;
    let test = Samples::load_test(&config.data)?;
    let (samples, inputs, classes) = (test.len(), test.inputs(), test.classes());
    Ok(format!("{samples} test samples of {inputs} inputs, {classes} classes"))
}
