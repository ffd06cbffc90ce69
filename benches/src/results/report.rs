use super::{Goal, Goals, Records, Run};
use crate::report::{Table, rate};
use anyhow::Result;
use eventprop::Config;
use std::fmt::Write as _;
use std::path::Path;

/// The seeds that a figure needs to count.
const SEEDS: usize = 3;

/// `docs/RESULTS.md` of what is in the folder `results`.
///
/// # Errors
/// If a file there is broken.
pub fn report(goals: &Goals, results: &Path) -> Result<String> {
    let mut table = Table::new([
        "preset",
        "network",
        "test accuracy",
        "lowest to highest",
        "seeds",
        "epochs",
        "time",
        "input spikes",
        "spikes a sample",
        "to beat",
        "goal",
    ]);
    let (mut runs, mut notes) = (String::new(), String::new());
    for goal in &goals.preset {
        let records = Records::read(results, &goal.name)?;
        table.row(row(goal, &records.runs));
        for run in &records.runs {
            let _ = writeln!(runs, "{}", line(&goal.name, run));
        }
        if let Some(note) = &goal.note {
            let _ = writeln!(notes, "- `{}`: {note}", goal.name);
        }
    }
    Ok(format!(
        "{HEAD}\n{table}\n{EXPLANATION}\n## Notes\n\n{notes}\n## Trainings\n\n{TRAININGS}\n{runs}"
    ))
}

const HEAD: &str = "# Results

Written by `cargo xtask results` from the files in `docs/results`. Test accuracy in per cent, the mean over seeds, after
the last epoch; no epoch is picked on the test set. The same seed gives the same weights to the bit on any number of
threads and on any x86-64-v3 machine.
";

const EXPLANATION: &str = "Spikes a sample: those of the layers that spike, in training, in the last epoch. Time: CPU time of one training, loading
and evaluation included, on a machine that others used as well. A goal in brackets is not reached; a mean in brackets is
not of finished trainings of three seeds with the preset as it is.
";

const TRAININGS: &str = "One line a training: what repeats it, the day, the accuracy after its last epoch, and after those before.
";

fn row(goal: &Goal, runs: &[Run]) -> [String; 11] {
    let epochs = Config::preset(&goal.name).map_or(0, |config| config.training.epochs);
    let goal_text = |reached: bool| match goal.must {
        None => String::from("-"),
        Some(must) if reached => format!("{must}"),
        Some(must) => format!("({must})"),
    };
    let head = [format!("`{}`", goal.name), goal.network.clone()];
    let [name, network] = head;
    if runs.is_empty() {
        let none = || String::from("-");
        let (beat, must) = (goal.beat.clone(), goal_text(false));
        let epochs = epochs.to_string();
        return [
            name,
            network,
            "not yet trained".into(),
            none(),
            none(),
            epochs,
            none(),
            none(),
            none(),
            beat,
            must,
        ];
    }
    let last: Vec<f64> = runs.iter().filter_map(last_accuracy).collect();
    let mean = last.iter().sum::<f64>() / last.len() as f64;
    let lowest = last.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = last.iter().copied().fold(0.0, f64::max);
    let sound = |run: &Run| run.is_finished() && is_current(&goal.name, run);
    let whole = runs.len() >= SEEDS && runs.iter().all(sound);
    // Accuracies are shown in hundredths: what rounds to the goal has reached it.
    let reached = goal.must.is_some_and(|must| (mean * 100.0).round() >= (must * 100.0).round());
    let seeds: Vec<String> = runs.iter().map(|run| run.seed.to_string()).collect();
    let done: Vec<usize> = runs.iter().map(|run| run.test_accuracy.len()).collect();
    let (fewest, most) =
        (done.iter().min().copied().unwrap_or(0), done.iter().max().copied().unwrap_or(0));
    let trained = match (fewest, most) {
        (fewest, most) if fewest >= epochs as usize && most >= epochs as usize => {
            epochs.to_string()
        }
        (fewest, most) if fewest == most => format!("{most} of {epochs}"),
        (fewest, most) => format!("{fewest} to {most} of {epochs}"),
    };
    let mean_of = |value: fn(&Run) -> f64| runs.iter().map(value).sum::<f64>() / runs.len() as f64;
    let names: Vec<&str> = runs[0].layers.iter().map(|layer| &*layer.layer).collect();
    let spikes = names.iter().enumerate().map(|(position, layer)| {
        let counts = runs.iter().filter_map(|run| run.layers.get(position));
        let (sum, count) =
            counts.fold((0.0, 0.0), |(sum, n), layer| (sum + layer.spikes_per_sample, n + 1.0));
        format!("{layer} {}", rate(sum / f64::max(count, 1.0)))
    });
    [
        name,
        network,
        if whole { format!("{mean:.2}") } else { format!("({mean:.2})") },
        format!("{lowest:.2} to {highest:.2}"),
        seeds.join(", "),
        trained,
        minutes(mean_of(|run| run.cpu_seconds.unwrap_or(run.seconds))),
        rate(mean_of(|run| run.input_spikes)),
        spikes.collect::<Vec<_>>().join(", "),
        goal.beat.clone(),
        goal_text(reached && whole),
    ]
}

/// Whether the preset is still what the run was trained with.
fn is_current(preset: &str, run: &Run) -> bool {
    Config::preset(preset).is_ok_and(|mut config| {
        config.training.seed = run.seed;
        run.is_of(&config)
    })
}

/// In per cent.
fn last_accuracy(run: &Run) -> Option<f64> {
    run.test_accuracy.last().map(|accuracy| 100.0 * accuracy)
}

fn line(preset: &str, run: &Run) -> String {
    let per_cent = |accuracies: &[f64]| {
        accuracies.iter().map(|a| format!("{:.2}", 100.0 * a)).collect::<Vec<_>>()
    };
    let all = per_cent(&run.test_accuracy);
    // The first epochs and the last tell enough of long trainings; the file has all.
    let before = match all.len() {
        0..=16 => all[..all.len().saturating_sub(1)].join(", "),
        length => {
            format!("{}, ..., {}", all[..8].join(", "), all[length - 6..length - 1].join(", "))
        }
    };
    let last = all.last().map_or("-", String::as_str);
    let mut state = match run.is_finished() {
        true => String::new(),
        false => format!(" (epoch {} of {})", all.len(), run.epochs),
    };
    if !is_current(preset, run) {
        state += " (of an earlier recipe)";
    }
    format!("- `{}`, {} ({preset}): **{last}**{state}; before: {before}", run.command, run.date)
}

fn minutes(seconds: f64) -> String {
    if seconds < 100.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::run;
    use super::*;

    fn goals() -> Goals {
        let text = "[[preset]]\nname = \"mnist\"\nnetwork = \"784-350-10\"\nbeat = \"97.58\"\nmust = 97.6\n\
                    [[preset]]\nname = \"yin-yang\"\nnetwork = \"5-200-3\"\nnote = \"Points.\"\n";
        toml::from_str(text).unwrap()
    }

    fn rows(runs: Vec<Run>) -> String {
        let folder = tempfile::tempdir().unwrap();
        Records { runs }.write(folder.path(), "mnist").unwrap();
        report(&goals(), folder.path()).unwrap()
    }

    #[test]
    fn three_finished_seeds_make_a_figure() {
        let epochs = Config::preset("mnist").unwrap().training.epochs;
        let finished = |seed, last| {
            let mut accuracies = vec![0.9; epochs as usize];
            accuracies[epochs as usize - 1] = last;
            run(seed, epochs, &accuracies)
        };
        let text = rows(vec![finished(0, 0.976), finished(1, 0.9775), finished(2, 0.9752)]);
        assert!(text.contains("| 97.62 | 97.52 to 97.75 | 0, 1, 2 |"), "{text}");
        assert!(text.contains("| 103 | hidden 210 | 97.58 | 97.6 |"), "{text}");
        assert!(text.contains("| `yin-yang` | 5-200-3 | not yet trained |"), "{text}");
        assert!(text.contains("- `yin-yang`: Points."), "{text}");

        let mut earlier = vec![finished(0, 0.98), finished(1, 0.98), finished(2, 0.98)];
        earlier[1].config = "another".into();
        let text = rows(earlier);
        assert!(text.contains("| (98.00) |") && text.contains("(of an earlier recipe)"), "{text}");

        let text = rows(vec![finished(0, 0.976), finished(1, 0.98)]);
        assert!(text.contains("| (97.80) |") && text.contains("| (97.6) |"), "two seeds: {text}");
        let text = rows(vec![finished(0, 0.97), finished(1, 0.97), finished(2, 0.97)]);
        assert!(text.contains("| 97.00 |") && text.contains("| (97.6) |"), "too low: {text}");
        let text = rows(vec![finished(0, 0.98), finished(1, 0.98), run(2, epochs, &[0.98, 0.99])]);
        assert!(text.contains(&format!("2 to {epochs} of {epochs}")), "{text}");
        assert!(text.contains("| (98.33) |") && text.contains("**99.00** (epoch 2 of"), "{text}");
    }

    #[test]
    fn the_page_is_what_the_records_make_and_each_names_what_repeats_it() {
        let goals = Goals::read().unwrap();
        let results = crate::root().join("docs/results");
        let page = std::fs::read_to_string(crate::root().join("docs/RESULTS.md")).unwrap();
        assert!(page == report(&goals, &results).unwrap(), "cargo xtask results --report-only");
        for goal in &goals.preset {
            for run in Records::read(&results, &goal.name).unwrap().runs {
                let expected = super::super::train::command(&goal.name, run.seed);
                assert_eq!(run.command, expected, "{}", goal.name);
            }
        }
    }

    /// The README gives the time of two trainings.
    #[test]
    fn the_readme_gives_the_times_recorded() {
        let readme = std::fs::read_to_string(crate::root().join("README.md")).unwrap();
        for preset in ["seed", "seed-deep"] {
            let runs = Records::read(&crate::root().join("docs/results"), preset).unwrap().runs;
            let sum: f64 = runs.iter().filter_map(|run| run.cpu_seconds).sum();
            let time = minutes(sum / runs.len() as f64);
            let row = readme.lines().find(|line| line.starts_with(&format!("| `{preset}` |")));
            let row = row.unwrap();
            assert!(row.contains(&format!(", {time} of CPU time |")), "{preset}: {time}");
        }
    }
}
