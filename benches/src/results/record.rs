use anyhow::{Context, Result};
use eventprop::metrics::LayerActivity;
use eventprop::{Config, EpochRecord, write_atomically};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// What the trainings of one preset came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Records {
    /// One entry a seed, in their order.
    pub runs: Vec<Run>,
}

/// What one training came to so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// What repeats it.
    pub command: String,
    /// The day of its last epoch.
    pub date: String,
    /// The configuration; one that has changed since is trained anew.
    pub config: String,
    /// The epochs that it is to have.
    pub epochs: u32,
    /// Threads.
    pub threads: usize,
    /// Input spikes a test sample.
    pub input_spikes: f64,
    /// Spikes a sample of the layers that spike, in the last epoch's training.
    pub layers: Vec<LayerActivity>,
    /// Wall time of training in s, without evaluation.
    pub seconds: f64,
    /// Time of all threads of the process in s, evaluation and loading included; none where the
    /// system does not say.
    pub cpu_seconds: Option<f64>,
    /// Test accuracy after each epoch.
    pub test_accuracy: Vec<f64>,
}

impl Run {
    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.test_accuracy.len() >= self.epochs as usize
    }

    /// Whether it is a training of `config`, whatever the number of threads.
    pub fn is_of(&self, config: &Config) -> bool {
        self.config == fingerprint(config)
    }

    /// Takes over what the epochs `history` say.
    pub fn update(&mut self, history: &[EpochRecord]) {
        self.test_accuracy = history.iter().map(|record| record.test.accuracy).collect();
        self.seconds = history.iter().map(|record| record.seconds).sum();
        if let Some(last) = history.last() {
            self.layers.clone_from(&last.layers);
        }
    }
}

/// What decides a training's result: not the number of threads.
pub(super) fn fingerprint(config: &Config) -> String {
    let mut config = config.clone();
    config.training.threads = 0;
    config.to_toml()
}

impl Records {
    /// Those of `preset` in `folder`; none if there is no file.
    ///
    /// # Errors
    /// If the file is broken.
    pub fn read(folder: &Path, preset: &str) -> Result<Self> {
        let path = file(folder, preset);
        match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| format!("{} is broken", path.display()))
            }
            Err(_) => Ok(Self::default()),
        }
    }

    /// Writes them in one piece.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path, preset: &str) -> Result<()> {
        let path = file(folder, preset);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let text = serde_json::to_string_pretty(self)? + "\n";
        write_atomically(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The run of `seed`.
    pub fn of_seed(&self, seed: u64) -> Option<&Run> {
        self.runs.iter().find(|run| run.seed == seed)
    }

    /// Puts `run` in the place of that of its seed.
    pub fn put(&mut self, run: Run) {
        self.runs.retain(|other| other.seed != run.seed);
        self.runs.push(run);
        self.runs.sort_by_key(|run| run.seed);
    }
}

fn file(folder: &Path, preset: &str) -> PathBuf {
    folder.join(format!("{preset}.json"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run that reached `accuracies`.
    pub(in crate::results) fn run(seed: u64, epochs: u32, accuracies: &[f64]) -> Run {
        let mut config = Config::preset("mnist").unwrap();
        config.training.seed = seed;
        Run {
            seed,
            command: format!("cargo xtask train --preset mnist --seed {seed}"),
            date: "2026-11-24".into(),
            config: fingerprint(&config),
            epochs,
            threads: 1,
            input_spikes: 103.25,
            layers: vec![LayerActivity {
                layer: "hidden".into(),
                spikes_per_sample: 210.3,
                silent: 0,
            }],
            seconds: 60.0,
            cpu_seconds: Some(70.0),
            test_accuracy: accuracies.to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_a_seed_has_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Records::default();
        assert_eq!(Records::read(folder.path(), "mnist").unwrap(), records);
        for (seed, accuracy) in [(2, 0.9), (0, 0.8), (2, 0.95)] {
            records.put(run(seed, 2, &[accuracy]));
        }
        assert_eq!(records.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [0, 2]);
        records.write(folder.path(), "mnist").unwrap();
        let again = Records::read(folder.path(), "mnist").unwrap();
        assert_eq!(again, records);
        assert_eq!(again.of_seed(2).unwrap().test_accuracy, [0.95]);
        fs::write(folder.path().join("mnist.json"), "{").unwrap();
        assert!(Records::read(folder.path(), "mnist").is_err());
    }

    #[test]
    fn a_run_is_of_its_configuration_on_any_number_of_threads() {
        let mut config = Config::preset("mnist").unwrap();
        config.training.seed = 4;
        config.training.threads = 2;
        let run = run(4, 16, &[0.5; 15]);
        assert!(run.is_of(&config) && !run.is_finished());
        config.training.lr *= 2.0;
        assert!(!run.is_of(&config));
    }
}
