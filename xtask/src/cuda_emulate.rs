use crate::built::{self, Executable};
use crate::gpu_pack::TESTS;
use crate::side_by_side::side_by_side;
use crate::{cuda_mutate, emulator};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::thread;
use std::time::{Duration, Instant};

/// Run the tests of the CUDA engine without a GPU: its kernels on an emulator that stands in for the
/// driver, under several orders of threads, on several ranks, with a watch on memory that nobody wrote and
/// one on races, rounding as a GPU may, and under ThreadSanitizer. As many tests at a time as there are cores.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Instead, remove each `__syncthreads` and `__syncwarp` in turn and see that the tests notice: the watch on races,
    /// or else some order of threads.
    #[arg(long)]
    mutate: bool,
    /// Leave ThreadSanitizer out.
    #[arg(long)]
    without_tsan: bool,
}

/// A kind of emulator, and what runs on it.
struct Kind {
    name: &'static str,
    /// Programs, and what the names of their tests contain.
    programs: &'static [&'static str],
    tests: &'static [&'static str],
    /// The one order of threads.
    policy: &'static str,
    /// How many multiprocessors it says it has, which decides between kernels.
    multiprocessors: &'static str,
}

/// Three that watch, to which the order of threads does not matter, and one that rounds, and chooses kernels, as a GPU may.
/// What takes longest comes first.
const KINDS: [Kind; 4] = [
    // The tests of few threads, which run every kernel.
    Kind {
        name: "tsan",
        programs: &["small", "recurrent"],
        tests: &["every_kernel", "every_walk_runs"],
        policy: "2",
        multiprocessors: "2",
    },
    // The first asks only whether there is a device.
    Kind {
        name: "racecheck",
        programs: TESTS.split_at(1).1,
        tests: &[""],
        policy: "0",
        multiprocessors: "2",
    },
    Kind {
        name: "rounding",
        programs: TESTS.split_at(1).1,
        tests: &[""],
        policy: "0",
        multiprocessors: "132",
    },
    Kind {
        name: "initcheck",
        programs: &[
            "small",
            "grid",
            "conformance",
            "recurrent",
            "constants",
            "recovery",
            "unheard",
            "own_loss",
            "spiking_readout",
            "recovering_readout",
            "highest",
        ],
        tests: &[""],
        policy: "0",
        multiprocessors: "2",
    },
];

/// All tests under every order of threads.
const PLAIN: &str = "plain";

/// Of the library's tests: training on several ranks, which are threads here, on a stand-in for NCCL; and derivatives that
/// come from a larger model; and whether kept samples train as given ones.
const WITH_THE_ENGINE: [&str; 3] = ["nccl", "cuda", "kept"];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.mutate {
        return cuda_mutate::run();
    }
    let kinds = &KINDS[usize::from(args.without_tsan)..];
    let start = Instant::now();
    // g++ has a core while cargo waits for one crate, or for g++.
    let (programs, libraries) = thread::scope(|scope| {
        let libraries = scope.spawn(|| build(kinds));
        (emulator::tests(), libraries.join().expect("a build does not panic"))
    });
    let (programs, libraries) = (programs?, libraries?);
    println!("builds: {:.0} s", start.elapsed().as_secs_f64());

    let mut tests = Vec::new();
    for (kind, library) in kinds.iter().zip(&libraries) {
        let variables = environment(kind, library)?;
        for name in kind.programs {
            let program = built::named(&programs, name)?;
            tests.extend(tests_in(kind.name, program, kind.tests, &variables)?);
        }
    }
    for program in &programs {
        let of_the_library = emulator::OF_THE_LIBRARY.contains(&program.name.as_str());
        let parts: &[_] = if of_the_library { &WITH_THE_ENGINE } else { &[""] };
        tests.extend(tests_in(PLAIN, program, parts, &[])?);
    }
    let outcomes = side_by_side(&tests, Test::run);
    let names = kinds.iter().map(|kind| kind.name).chain([PLAIN]);
    names.for_each(|kind| tell(kind, &tests, &outcomes));
    let passed = outcomes.iter().all(|outcome| outcome.passed);
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build(kinds: &[Kind]) -> Result<Vec<PathBuf>> {
    let kernels = emulator::kernels()?;
    let folder = crate::root()?.join("target/simt");
    kinds.iter().map(|kind| emulator::build(&kernels, kind.name, &folder.join(kind.name))).collect()
}

/// The environment of tests on a kind of emulator.
fn environment(kind: &Kind, library: &Path) -> Result<Vec<(&'static str, String)>> {
    let mut variables = vec![
        ("SIMT_LIBRARY", library.display().to_string()),
        ("SIMT_POLICY", kind.policy.to_owned()),
        ("SIMT_MULTIPROCESSORS", kind.multiprocessors.to_owned()),
    ];
    if kind.name == "tsan" {
        let runtime = Command::new("g++").arg("-print-file-name=libtsan.so.2").output()?;
        let runtime = String::from_utf8(runtime.stdout)?.trim().to_owned();
        ensure!(Path::new(&runtime).exists(), "g++ has no libtsan");
        let known = emulator::folder()?.join("emulator/tsan.supp");
        let options =
            format!("exitcode=66:report_signal_unsafe=0:suppressions={}", known.display());
        variables.extend([("LD_PRELOAD", runtime), ("TSAN_OPTIONS", options)]);
    }
    Ok(variables)
}

/// One test on one kind of emulator.
struct Test<'a> {
    kind: &'static str,
    program: &'a Executable,
    name: String,
    environment: Vec<(&'static str, String)>,
}

/// Those of a program whose names contain one of `parts`.
fn tests_in<'a>(
    kind: &'static str,
    program: &'a Executable,
    parts: &[&str],
    environment: &[(&'static str, String)],
) -> Result<Vec<Test<'a>>> {
    let listed = Command::new(&program.path).args(["--list", "--format=terse"]).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    let names = names.filter(|name| parts.iter().any(|part| name.contains(part)));
    let test = |name: &str| {
        let (name, environment) = (name.to_owned(), environment.to_vec());
        Test { kind, program, name, environment }
    };
    let tests: Vec<_> = names.map(test).collect();
    ensure!(!tests.is_empty(), "{} has none of the tests {parts:?}", program.name);
    Ok(tests)
}

struct Outcome {
    passed: bool,
    time: Duration,
}

impl Test<'_> {
    fn run(&self) -> Outcome {
        let start = Instant::now();
        let output = emulator::start(&self.program.path, &self.environment)
            .and_then(|mut command| Ok(command.args(["--exact", &self.name]).output()?));
        let time = start.elapsed();
        let passed = output.as_ref().is_ok_and(|output| output.status.success());
        if !passed {
            self.report(&output);
        }
        Outcome { passed, time }
    }

    fn report(&self, output: &Result<Output>) {
        eprintln!("{}: {} {} failed", self.kind, self.program.name, self.name);
        match output {
            Ok(Output { status, stdout, stderr }) => {
                let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(text));
                eprintln!("{stdout}{stderr}{status}");
            }
            Err(error) => eprintln!("{error:#}"),
        }
    }
}

/// A line for a kind.
fn tell(kind: &str, tests: &[Test], outcomes: &[Outcome]) {
    let of_kind: Vec<_> =
        tests.iter().zip(outcomes).filter(|(test, _)| test.kind == kind).collect();
    let failed = of_kind.iter().filter(|(_, outcome)| !outcome.passed).count();
    let time: Duration = of_kind.iter().map(|(_, outcome)| outcome.time).sum();
    println!(
        "{kind}: {} tests, {failed} failed; {:.0} s of one core",
        of_kind.len(),
        time.as_secs_f64()
    );
}
