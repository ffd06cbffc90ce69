use crate::{mpi, native, root};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Measure what training on several ranks costs on this machine, and write the figures and what the model
/// makes of them into docs/SCALING.md. Two minutes; needs libopenmpi-dev and libclang-dev.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the tables instead.
    #[arg(long)]
    print: bool,
    /// Steps a measurement.
    #[arg(long, default_value_t = 100)]
    steps: usize,
}

const DOCUMENT: &str = "docs/SCALING.md";
const START: &str = "<!-- measured: cargo xtask scaling writes what follows -->\n";
const END: &str = "<!-- end of what is measured -->\n";

/// Samples a batch in the runs.
const BATCH: usize = 64;
const SHARDS: usize = 8;
/// Samples a shard.
const SHARD: usize = BATCH / SHARDS;
/// Shards in a run that tells what one costs.
const MANY: usize = 2 * SHARDS;
/// The most ranks that run here.
const RANKS: usize = 4;
/// How often each run is done, in turn with the others: a machine's speed changes from minute to minute.
const ROUNDS: usize = 9;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    mpi::check_installed()?;
    let examples = build()?;
    let links: Vec<_> =
        (2..=RANKS).map(|ranks| Link::measure(&examples, ranks)).collect::<Result<_>>()?;
    let alone = [(1, SHARD, 1), (1, MANY * SHARD, MANY), (1, BATCH, 1)];
    let kinds: Vec<_> = alone.into_iter().chain((1..=RANKS).map(|n| (n, BATCH, SHARDS))).collect();
    let mut runs = vec![Vec::new(); kinds.len()];
    for _ in 0..ROUNDS {
        for (runs, &(ranks, batch, shards)) in runs.iter_mut().zip(&kinds) {
            runs.push(Step::measure(&examples, args.steps, ranks, batch, shards)?);
        }
    }
    let all: Vec<_> = runs.iter().map(|runs| Step::least(runs)).collect();
    let (alone, steps) = all.split_at(alone.len());
    let costs = Costs::of(&alone[0], &alone[1], &alone[2], &steps[0]);
    let text = tables(&costs, &links, steps)?;
    if args.print {
        print!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    let path = root()?.join(DOCUMENT);
    let document = fs::read_to_string(&path)?;
    let (before, rest) = document.split_once(START).context("docs/SCALING.md has no start mark")?;
    let (_, after) = rest.split_once(END).context("docs/SCALING.md has no end mark")?;
    fs::write(&path, format!("{before}{START}{text}{END}{after}"))?;
    Ok(ExitCode::SUCCESS)
}

fn build() -> Result<PathBuf> {
    let mut build = native::cargo("build")?;
    build.args(["--release", "--package", "eventprop-mpi", "--examples"]);
    native::succeed(&mut build, "the build")?;
    Ok(native::target()?.join("release/examples"))
}

/// How long ranks take to exchange a gradient.
struct Link {
    ranks: usize,
    /// Bytes, seconds.
    times: Vec<(f64, f64)>,
}

impl Link {
    fn measure(examples: &Path, ranks: usize) -> Result<Self> {
        let lines = mpi::output(&mut mpi::mpirun(ranks, &examples.join("collectives")))?;
        let times =
            lines.lines().map(|line| Ok((number(line, "bytes")?, number(line, "seconds")?)));
        let times = times.collect::<Result<Vec<_>>>()?;
        ensure!(times.len() > 2, "collectives printed {lines}");
        Ok(Self { ranks, times })
    }

    /// Seconds of an exchange of next to nothing.
    fn latency(&self) -> f64 {
        self.times[0].1
    }

    /// Bytes a second into (and out of) each rank.
    fn bandwidth(&self) -> f64 {
        let (bytes, seconds) = self.times[self.times.len() - 1];
        moved(bytes, self.ranks) / (seconds - self.latency())
    }
}

/// Bytes that a rank receives when a gradient of `bytes` is summed, if each rank's shards are one node.
fn moved(bytes: f64, ranks: usize) -> f64 {
    2.0 * bytes * (ranks - 1) as f64 / ranks as f64
}

/// What a step of training takes, in seconds.
#[derive(Clone, Copy)]
struct Step {
    ranks: usize,
    parameters: f64,
    cpu: f64,
    wall: f64,
    communication: f64,
    batch: f64,
}

impl Step {
    fn measure(
        examples: &Path,
        steps: usize,
        ranks: usize,
        batch: usize,
        shards: usize,
    ) -> Result<Self> {
        let program = examples.join("scaling");
        let mut command =
            if ranks == 1 { Command::new(program) } else { mpi::mpirun(ranks, &program) };
        command.args([steps, batch, shards, 350].map(|argument| argument.to_string()));
        let line = mpi::output(&mut command)?;
        let number = |key| number(&line, key);
        Ok(Self {
            ranks,
            parameters: number("parameters")?,
            cpu: number("cpu")?,
            wall: number("wall")?,
            communication: number("communication")?,
            batch: batch as f64,
        })
    }

    /// The least of each time of several runs that are alike: others who use the machine only add to it.
    fn least(runs: &[Self]) -> Self {
        let least = |time: fn(&Self) -> f64| runs.iter().map(time).fold(f64::INFINITY, f64::min);
        Self {
            cpu: least(|run| run.cpu),
            wall: least(|run| run.wall),
            communication: least(|run| run.communication),
            ..runs[0]
        }
    }
}

/// What computing takes, in seconds of one core.
struct Costs {
    parameters: f64,
    /// A sample, forward and backward.
    sample: f64,
    /// A shard more: its gradient apart, and added.
    shard: f64,
    /// What every rank does in a step, however many they are: mostly the update.
    fixed: f64,
}

impl Costs {
    /// From batches of one and of [`MANY`] shards, and one of a size whole and cut. The runs with several
    /// ranks have shards of the same size, so whatever that does to a sample's cost is in both.
    fn of(one: &Step, many: &Step, whole: &Step, cut: &Step) -> Self {
        let samples_and_shard = (many.cpu - one.cpu) / (MANY - 1) as f64;
        let shard = (cut.cpu - whole.cpu) / (SHARDS - 1) as f64;
        let sample = (samples_and_shard - shard) / SHARD as f64;
        let fixed = one.cpu - samples_and_shard;
        Self { parameters: one.parameters, sample, shard, fixed }
    }

    /// Seconds of processor time a step and rank, the mean over ranks.
    fn step(&self, batch: f64, shards: f64, ranks: f64) -> f64 {
        (batch * self.sample + shards * self.shard) / ranks + self.fixed
    }

    /// The same network made larger: as sparse, every cost in proportion to its parameters.
    fn scaled(&self, parameters: f64) -> Self {
        let factor = parameters / self.parameters;
        let Self { sample, shard, fixed, .. } = *self;
        Self { parameters, sample: sample * factor, shard: shard * factor, fixed: fixed * factor }
    }
}

/// A network between machines, assumed: seconds a message, bytes a second.
struct Wires {
    latency: f64,
    bandwidth: f64,
}

impl Wires {
    /// Seconds that the sum of a gradient takes. The exchange goes in N - 1 messages each way, the small
    /// ones along trees.
    fn reduce(&self, parameters: f64, ranks: f64) -> f64 {
        let small = 2.0 * ranks.log2().ceil() * self.latency;
        let messages = 2.0 * (ranks - 1.0) * self.latency;
        small + messages + 2.0 * 4.0 * parameters * (ranks - 1.0) / ranks / self.bandwidth
    }
}

fn tables(costs: &Costs, links: &[Link], steps: &[Step]) -> Result<String> {
    let mut text = String::new();
    let (micro, mega) = (1e6, 1e-6);
    writeln!(
        text,
        "\nComputing, 784-350-10 ({} parameters), one core, processor time: {:.0} us a sample, {:.0} us a \
         further shard, {:.0} us a step and rank (the update).\n",
        costs.parameters,
        costs.sample * micro,
        costs.shard * micro,
        costs.fixed * micro
    )?;
    writeln!(text, "Exchange of a gradient, wall time in us:\n")?;
    write!(text, "| ranks | latency | bandwidth a rank |")?;
    let sizes: Vec<f64> =
        links[0].times.iter().map(|time| time.0).filter(|&b| b >= 65536.0).collect();
    sizes.iter().for_each(|bytes| text += &format!(" {:.0} KiB |", bytes / 1024.0));
    writeln!(text, "\n|{}", "---|".repeat(3 + sizes.len()))?;
    for link in links {
        let (ranks, latency) = (link.ranks, link.latency() * micro);
        write!(text, "| {ranks} | {latency:.0} us | {:.0} MB/s |", link.bandwidth() * mega)?;
        for (bytes, seconds) in link.times.iter().filter(|time| sizes.contains(&time.0)) {
            let _ = bytes;
            write!(text, " {:.0} |", seconds * micro)?;
        }
        writeln!(text)?;
    }
    writeln!(
        text,
        "\nSteps of {BATCH} samples in {SHARDS} shards, one thread a rank, us a step, the mean over ranks and the least of \
         {ROUNDS} runs, taken in turn:\n\n\
         | ranks | processor time | model | ratio | communication (wall) | step (wall) |\n|---|---|---|---|---|---|"
    )?;
    for step in steps {
        let model = costs.step(step.batch, SHARDS as f64, step.ranks as f64);
        writeln!(
            text,
            "| {} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} |",
            step.ranks,
            step.cpu * micro,
            model * micro,
            step.cpu / model,
            step.communication * micro,
            step.wall * micro
        )?;
    }
    predictions(&mut text, costs)?;
    Ok(text)
}

fn predictions(text: &mut String, costs: &Costs) -> Result<()> {
    let wires = Wires { latency: 2e-6, bandwidth: 12.5e9 };
    writeln!(
        text,
        "\nPredicted, one core a rank, wires of 2 us a message and 12.5 GB/s (assumed, not measured), as many \
         shards as ranks; efficiency is against one rank with the same shards:\n\n\
         | network | batch | ranks | computing | update | sum | step | efficiency |\n|---|---|---|---|---|---|---|---|"
    )?;
    let large = costs.scaled(1e9);
    for (name, costs, batch) in [
        ("784-350-10", costs, 128.0),
        ("784-350-10", costs, 10_000.0),
        ("10^6 neurons, 10^9 synapses", &large, 128.0),
        ("10^6 neurons, 10^9 synapses", &large, 10_000.0),
    ] {
        for ranks in [10.0, 100.0, 10_000.0_f64] {
            if ranks > batch {
                writeln!(
                    text,
                    "| {name} | {batch} | {ranks} | | | | not possible: fewer samples than ranks | |"
                )?;
                continue;
            }
            let compute = (batch * costs.sample + ranks * costs.shard) / ranks;
            let sum = wires.reduce(costs.parameters, ranks);
            let step = compute + costs.fixed + sum;
            let alone = costs.step(batch, ranks, 1.0);
            writeln!(
                text,
                "| {name} | {batch} | {ranks} | {} | {} | {} | {} | {:.0} % |",
                time(compute),
                time(costs.fixed),
                time(sum),
                time(step),
                100.0 * alone / ranks / step
            )?;
        }
    }
    writeln!(text)?;
    Ok(())
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} us", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.1} s"),
    }
}

/// The number at `key` of a line of JSON.
fn number(line: &str, key: &str) -> Result<f64> {
    let (_, rest) =
        line.split_once(&format!("\"{key}\":")).with_context(|| format!("no {key} in {line}"))?;
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest[..end].trim().parse().with_context(|| format!("{key} in {line}"))
}
