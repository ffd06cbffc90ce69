use anyhow::{Context, Result, ensure};
use eventprop::lif_core::SpikeBatch;
use eventprop::lif_core::network::LayerSpec;
use eventprop::mnist_spikes::SpikeData;
use eventprop::{Config, Data, Initialiser, RunFolder, Samples, Trainer};
use std::ops::ControlFlow;
use std::process::ExitCode;

/// Train many epochs on a small set, a checkpoint and its pictures after each, and see that memory
/// and open files stay flat.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Epochs.
    #[arg(long, value_name = "N", default_value_t = 200)]
    epochs: u32,
}

/// Epochs at the start that may still take memory for good.
const WARM_UP: u32 = 20;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ensure!(args.epochs > WARM_UP, "--epochs must be above {WARM_UP}");
    let mut config = Config::preset("mnist")?;
    config.name = "soak".into();
    config.network.layers[0] = LayerSpec::input("input", 64);
    config.network.layers[1] = LayerSpec::lif("hidden", 100, 20.0, 5.0);
    config.network.connections[0].weights = Some(Initialiser::Normal { mean: 0.5, sd: 0.3 });
    config.training.epochs = args.epochs;
    config.training.batch_size = 16;
    let data = Data { train: samples(1000)?, validation: None, test: samples(200)? };
    let parent = std::env::temp_dir().join(format!("eventprop-soak-{}", std::process::id()));
    let mut trainer = Trainer::new(config, data)?;
    let folder = RunFolder::create(&parent, trainer.config())?;
    let mut warm = None;
    while !trainer.is_finished() {
        trainer.run_epoch(|_| ControlFlow::Continue(()))?;
        folder.save(&trainer.checkpoint())?;
        let (epoch, now) = (trainer.progress().epoch, Usage::now()?);
        if epoch == WARM_UP {
            warm = Some(now);
        }
        if epoch % 20 == 0 {
            println!("epoch {epoch:>4}  {} KiB resident, {} open files", now.kib, now.files);
        }
    }
    let (warm, last) = (warm.context("no epoch was trained")?, Usage::now()?);
    std::fs::remove_dir_all(&parent)?;
    let growth = 100.0 * (last.kib as f64 / warm.kib as f64 - 1.0);
    println!("resident memory {growth:+.2} % and open files {:+} since epoch {WARM_UP}", last.files as i64 - warm.files as i64);
    ensure!(growth <= 1.0, "resident memory grew by {growth:.2} %");
    ensure!(last.files <= warm.files, "files were left open");
    Ok(ExitCode::SUCCESS)
}

struct Usage {
    kib: u64,
    files: usize,
}

impl Usage {
    fn now() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").context("needs Linux")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(Self { kib, files: std::fs::read_dir("/proc/self/fd")?.count() })
    }
}

/// Samples of ten classes with inputs of their own.
fn samples(count: u32) -> Result<Samples> {
    let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
    for sample in 0..count {
        let label = sample % 10;
        let mut train: Vec<_> = (0..64_u32)
            .filter(|input| (input * 7 + label * 13) % 10 < 4)
            .map(|input| (((sample * 31 + input * 17) % 97) as f32 / 5.0, input))
            .collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train)?;
        labels.push(label);
    }
    Ok(Samples::new(SpikeData { spikes, labels, classes: 10, inputs: 64, shape: [1, 8, 8] }))
}
