use super::record::{Records, Run, fingerprint};
use crate::machine;
use anyhow::{Context, Result};
use eventprop::{Checkpoint, Config, Data, EpochRecord, RunFolder, Trainer};
use std::ops::ControlFlow;
use std::path::Path;

/// Trains `preset` with `seed` to the end of its epochs, going on from a checkpoint in `work` if there
/// is one of the same configuration and a record of it, and notes every epoch in `records` and its file in `results`.
/// `on_epoch` hears of each. What is finished already is left alone.
///
/// # Errors
/// If data are missing, training fails or a file cannot be written.
pub fn train(
    preset: &str,
    (seed, threads): (u64, usize),
    (work, results): (&Path, &Path),
    mut on_epoch: impl FnMut(&EpochRecord, u32),
) -> Result<()> {
    let mut config = Config::preset(preset)?;
    config.training.seed = seed;
    config.training.threads = threads;
    let mut records = Records::read(results, preset)?;
    let known = records.of_seed(seed).filter(|run| run.is_of(&config));
    if known.is_some_and(Run::is_finished) {
        return Ok(());
    }
    // A checkpoint without a record is of a training whose record someone took away to have it made anew.
    let begun = known.is_some();
    let before = known.and_then(|run| run.cpu_seconds).unwrap_or(0.0);
    let mut run = start(&config, preset)?;
    let cpu_start = machine::cpu_seconds();

    let data = Data::load(&config)?;
    let spikes: usize = (0..data.test.len()).map(|sample| data.test.spikes(sample).len()).sum();
    run.input_spikes = spikes as f64 / data.test.len() as f64;
    let folder = work.join(format!("{preset}-{seed}"));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = RunFolder::open(folder)?;
    let mut trainer = match Checkpoint::load(&folder.checkpoint()) {
        Ok(mut checkpoint) if begun && fingerprint(&checkpoint.config) == run.config => {
            checkpoint.config.training.threads = threads;
            Trainer::resume(checkpoint, data)?
        }
        _ => Trainer::new(config, data)?,
    };
    let resumed = trainer.progress().epoch > 0;
    while let Some(record) = trainer.run_epoch(|_| ControlFlow::Continue(()))? {
        folder.save(&trainer.checkpoint())?;
        run.update(&trainer.progress().history);
        run.date = machine::today();
        let spent = cpu_start.zip(machine::cpu_seconds()).map(|(start, now)| now - start);
        run.cpu_seconds = spent.map(|spent| spent + if resumed { before } else { 0.0 });
        // Another process may have added a seed of its own meanwhile.
        records = Records::read(results, preset)?;
        records.put(run.clone());
        records.write(results, preset)?;
        on_epoch(&record, run.epochs);
    }
    Ok(())
}

/// A training before its first epoch.
fn start(config: &Config, preset: &str) -> Result<Run> {
    let training = &config.training;
    Ok(Run {
        seed: training.seed,
        command: command(preset, training.seed),
        date: machine::today(),
        config: fingerprint(config),
        epochs: training.epochs,
        threads: training.threads,
        input_spikes: 0.0,
        layers: Vec::new(),
        seconds: 0.0,
        cpu_seconds: None,
        test_accuracy: Vec::new(),
    })
}

/// What repeats the training of `preset` with `seed`.
pub(super) fn command(preset: &str, seed: u64) -> String {
    format!("cargo xtask train --preset {preset} --seed {seed}")
}
