use crate::built::{self, Executable};
use crate::emulator;
use crate::side_by_side::side_by_side;
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

const BARRIERS: [&str; 2] = ["__syncthreads();", "__syncwarp();"];

/// The tests that must notice a missing barrier, the shortest first.
const CHOSEN: [&str; 6] = ["small", "agreement", "consistency", "skip", "recurrent", "constants"];

/// Removes each barrier in turn.
pub(crate) fn run() -> Result<ExitCode> {
    let programs = emulator::tests()?;
    let kernels = emulator::kernels()?;
    let folder = crate::root()?.join("target/simt/mutants");
    let mutants = mutants(&kernels)?;
    let (whole, caught) = thread::scope(|scope| {
        // The kernels as they are, in which nothing may be noticed, take longest.
        let whole = scope.spawn(|| noticed(&programs, &kernels, &folder.join("whole")));
        let caught =
            side_by_side(&mutants, |mutant| mutant.is_caught(&programs, &kernels, &folder));
        (whole.join().expect("a test does not panic here"), caught)
    });
    if let Some(what) = whole? {
        println!("without any mutation: {what}");
        return Ok(ExitCode::FAILURE);
    }
    let caught: Vec<bool> = caught.into_iter().collect::<Result<_>>()?;
    let count = caught.iter().filter(|caught| **caught).count();
    println!("{count} of {} removed barriers caught", caught.len());
    Ok(if count == caught.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A source that lacks one barrier.
struct Mutant {
    source: String,
    line: usize,
    text: String,
}

fn mutants(kernels: &Path) -> Result<Vec<Mutant>> {
    let mut sources: Vec<_> = fs::read_dir(kernels)?.collect::<Result<_, _>>()?;
    sources.sort_by_key(fs::DirEntry::file_name);
    let mut mutants = Vec::new();
    for source in sources {
        let Ok(text) = fs::read_to_string(source.path()) else { continue };
        let mut places: Vec<_> =
            BARRIERS.iter().flat_map(|barrier| text.match_indices(barrier)).collect();
        places.sort_unstable();
        mutants.extend(places.into_iter().map(|(position, barrier)| Mutant {
            source: source.file_name().to_string_lossy().into_owned(),
            line: text[..position].matches('\n').count() + 1,
            text: format!("{};{}", &text[..position], &text[position + barrier.len()..]),
        }));
    }
    ensure!(!mutants.is_empty(), "{} has no barriers", kernels.display());
    Ok(mutants)
}

impl Mutant {
    fn is_caught(&self, programs: &[Executable], kernels: &Path, folder: &Path) -> Result<bool> {
        let start = Instant::now();
        let folder = folder.join(format!("{}-{}", self.source, self.line));
        let what = noticed(programs, &self.write(kernels, &folder)?, &folder)?;
        println!(
            "{}:{}: {} ({} s)",
            self.source,
            self.line,
            what.as_deref().unwrap_or("NOT CAUGHT"),
            start.elapsed().as_secs()
        );
        Ok(what.is_some())
    }

    /// Writes all sources into a folder of `folder`, and returns that.
    fn write(&self, kernels: &Path, folder: &Path) -> Result<PathBuf> {
        let mutated = folder.join("kernels");
        fs::create_dir_all(&mutated)?;
        for source in fs::read_dir(kernels)? {
            let source = source?;
            fs::copy(source.path(), mutated.join(source.file_name()))?;
        }
        fs::write(mutated.join(&self.source), &self.text)?;
        Ok(mutated)
    }
}

/// The first thing that is wrong with kernels, if the tests notice any: what is found soonest first.
fn noticed(programs: &[Executable], kernels: &Path, folder: &Path) -> Result<Option<String>> {
    for (kind, policy) in [("racecheck", Some("0")), ("plain", None)] {
        let library = emulator::build(kernels, kind, &folder.join(kind))?;
        let mut environment = vec![("SIMT_LIBRARY", library.display().to_string())];
        environment.extend(policy.map(|policy| ("SIMT_POLICY", policy.to_owned())));
        for test in CHOSEN {
            let program = built::named(programs, test)?;
            let output = emulator::start(&program.path, &environment)?.output()?;
            if !output.status.success() {
                let errors = String::from_utf8_lossy(&output.stderr);
                let told = errors.lines().find_map(|line| line.strip_prefix("simt: "));
                let told = told.and_then(|told| told.split(": ").next());
                return Ok(Some(format!("{}, by {test}", told.unwrap_or("a test fails"))));
            }
        }
    }
    Ok(None)
}
