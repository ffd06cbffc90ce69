//! Gradients of random networks: the reference against finite differences, engines against the
//! reference.

use crate::compare::{Comparison, errors, estimated_error, worse};
use crate::{Candidate, Case, Errors, Kind, LOSSES, Tolerance};
use lif_core::engine::{Engine, EngineError};
use lif_core::loss::Loss;
use lif_core::reference::finite_difference;
use std::fmt::{self, Display, Formatter};

/// The share of all draws that may be discarded. Most discarded draws have a spike (or a maximum of the voltage)
/// so near to vanishing that a small perturbation removes it, or outputs that never spike and thus no gradient.
pub const MAX_DISCARDED: f64 = 0.25;

/// The share of a row's draws that may be discarded; by chance three standard deviations more. Where spiking outputs
/// hear late arrivals many stay silent: of `delays` under `spike_time_sum` that is 23 draws in 40.
const MAX_DISCARDED_OF_ROW: f64 = 0.6;

/// Finite differences whose own error estimate is larger say nothing about 1e-7.
const MAX_ESTIMATE: f64 = 5e-8;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Selects the networks.
    pub seed: u64,
    /// Networks of each kind and loss.
    pub cases: u64,
}

/// The result of a check.
#[derive(Clone, Debug)]
pub struct Table {
    /// One row for each kind of network and loss.
    pub rows: Vec<Row>,
}

/// How the draws of one kind of network and loss went.
#[derive(Clone, Debug)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// The loss.
    pub loss: Loss,
    /// Networks drawn.
    pub drawn: usize,
    /// Networks at which finite differences mean nothing, because a spike appears or vanishes, and
    /// those without any gradient or with runaway activity.
    pub discarded: usize,
    /// The reference against finite differences.
    pub reference: Errors,
    /// Each candidate against the reference.
    pub engines: Vec<EngineRow>,
    /// What broke its bound, in words.
    pub broken: Vec<String>,
}

/// How an engine did on a row's draws.
#[derive(Clone, Debug)]
pub struct EngineRow {
    /// Its name.
    pub name: String,
    /// Draws compared: those whose margins are robust in its precision.
    pub compared: usize,
    /// Why it refused, if it did: draws it says it cannot compute, by name.
    pub refused: Option<String>,
    /// Draws it refused.
    pub refusals: usize,
    /// Its worst errors.
    pub errors: Errors,
}

impl Table {
    /// Everything that broke a bound.
    pub fn broken(&self) -> impl Iterator<Item = String> {
        let sum = |count: fn(&Row) -> usize| self.rows.iter().map(count).sum::<usize>();
        let (drawn, discarded) = (sum(|row| row.drawn), sum(|row| row.discarded));
        let many = discarded as f64 > MAX_DISCARDED * drawn as f64;
        let rows = self.rows.iter().flat_map(|row| {
            let place = format!("{}, {}", row.kind.name(), row.loss.name());
            row.broken.iter().map(move |what| format!("{place}: {what}"))
        });
        rows.chain(many.then(|| format!("{discarded} of {drawn} draws discarded")))
    }
}

/// Draws networks of every kind and loss and compares.
///
/// # Errors
/// Those of the reference engine, which no drawn network should cause.
pub fn run(options: Options, candidates: &[Candidate<'_>]) -> Result<Table, EngineError> {
    run_kinds(options, &Kind::ALL, candidates)
}

/// [`run`] for some kinds only.
///
/// # Errors
/// As [`run`].
pub fn run_kinds(
    options: Options,
    kinds: &[Kind],
    candidates: &[Candidate<'_>],
) -> Result<Table, EngineError> {
    rows(options, kinds, candidates, true)
}

/// [`run_kinds`] without finite differences, which take nearly all of the time: engines against the
/// reference alone, on many more draws.
///
/// # Errors
/// As [`run`].
pub fn run_engines(
    options: Options,
    kinds: &[Kind],
    candidates: &[Candidate<'_>],
) -> Result<Table, EngineError> {
    rows(options, kinds, candidates, false)
}

fn rows(
    options: Options,
    kinds: &[Kind],
    candidates: &[Candidate<'_>],
    finite_differences: bool,
) -> Result<Table, EngineError> {
    let mut rows = Vec::new();
    for &kind in kinds {
        for loss in LOSSES.into_iter().filter(|loss| kind.goes_with(*loss)) {
            rows.push(check(kind, loss, options, candidates, finite_differences)?);
        }
    }
    Ok(Table { rows })
}

fn check(
    kind: Kind,
    loss: Loss,
    options: Options,
    candidates: &[Candidate<'_>],
    finite_differences: bool,
) -> Result<Row, EngineError> {
    let engines = candidates.iter().map(|candidate| EngineRow {
        name: candidate.name.clone(),
        compared: 0,
        refused: None,
        refusals: 0,
        errors: Errors::default(),
    });
    let mut row = Row {
        kind,
        loss,
        drawn: 0,
        discarded: 0,
        reference: Errors::default(),
        engines: engines.collect(),
        broken: Vec::new(),
    };
    for number in 0..options.cases {
        let case = Case::draw(kind, loss, options.seed, number);
        row.drawn += 1;
        if case.is_degenerate()? {
            row.discarded += 1;
            continue;
        }
        let margins = case.reference()?.margins(&case.spikes)?;
        if finite_differences {
            row.against_finite_differences(&case, number)?;
        } else if !margins.at_least(Tolerance::of::<f64>().margin) {
            row.discarded += 1;
        }
        for (position, candidate) in candidates.iter().enumerate() {
            if margins.at_least(candidate.tolerance.margin) {
                row.against_reference(position, candidate, candidate.compare(&case), number);
            }
        }
    }
    let drawn = row.drawn as f64;
    let deviation = (drawn * MAX_DISCARDED_OF_ROW * (1.0 - MAX_DISCARDED_OF_ROW)).sqrt();
    if row.discarded as f64 > MAX_DISCARDED_OF_ROW * drawn + 3.0 * deviation {
        row.broken.push(format!("{} of {} draws discarded", row.discarded, row.drawn));
    }
    Ok(row)
}

impl Row {
    fn against_finite_differences(&mut self, case: &Case, number: u64) -> Result<(), EngineError> {
        let tolerance = Tolerance::of::<f64>();
        let mut reference = case.reference()?;
        if !reference.margins(&case.spikes)?.at_least(tolerance.margin) {
            self.discarded += 1;
            return Ok(());
        }
        reference.differentiate(case.batch())?;
        let (gradient, inputs) = (reference.gradient(), reference.input_gradient().to_vec());
        let expected = finite_difference::differentiate(&mut reference, case.batch())?;
        if !expected.unresolved.is_empty()
            || estimated_error(&expected, tolerance.floor) > MAX_ESTIMATE
        {
            self.discarded += 1;
            return Ok(());
        }
        let found = errors(
            &gradient,
            &inputs,
            &expected.gradient,
            &expected.input_gradient,
            tolerance.floor,
        );
        self.flag("reference", number, found, tolerance.gradient);
        self.reference.widen(found);
        Ok(())
    }

    fn against_reference(
        &mut self,
        position: usize,
        candidate: &Candidate<'_>,
        outcome: Result<Comparison, EngineError>,
        number: u64,
    ) {
        let name = &candidate.name;
        match outcome {
            Ok(comparison) => {
                self.engines[position].compared += 1;
                self.engines[position].errors.widen(comparison.errors);
                self.flag(name, number, comparison.errors, candidate.tolerance.gradient);
                if comparison.loss > candidate.tolerance.loss {
                    let loss = comparison.loss;
                    self.broken.push(format!("{name}, draw {number}: loss off by {loss:.1e}"));
                }
                if comparison.miscounted > 0 {
                    let count = comparison.miscounted;
                    let what = "layers with another number of spikes than the reference";
                    self.broken.push(format!("{name}, draw {number}: {count} {what}"));
                }
            }
            Err(error @ EngineError::Unsupported { .. }) => {
                self.engines[position].refusals += 1;
                self.engines[position].refused = Some(error.to_string());
            }
            Err(error) => self.broken.push(format!("{name}, draw {number}: {error}")),
        }
    }

    fn flag(&mut self, name: &str, number: u64, errors: Errors, bound: f64) {
        let kinds = [
            ("weights", errors.weights),
            ("delays", errors.delays),
            ("input spike times", errors.inputs),
            ("constants", errors.constants),
        ];
        for (what, error) in kinds {
            if error.is_nan() || error > bound {
                let text = format!("{name}, draw {number}: gradient by {what} off by {error:.1e}");
                self.broken.push(text);
            }
        }
    }
}

impl Errors {
    fn widen(&mut self, other: Self) {
        self.weights = worse(self.weights, other.weights);
        self.delays = worse(self.delays, other.delays);
        self.inputs = worse(self.inputs, other.inputs);
        self.constants = worse(self.constants, other.constants);
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let heading = ["weights", "delays", "inputs", "constants"];
        write!(formatter, "{:<17} {:<22} {:>5} {:>9}", "kind", "loss", "drawn", "discarded")?;
        write!(formatter, "  {:<46}", "reference / finite differences")?;
        for engine in self.rows.first().map_or(&[][..], |row| &row.engines) {
            write!(formatter, "  {:<46}", format!("{} / reference", engine.name))?;
        }
        write!(formatter, "\n{:56}", "")?;
        for _ in 0..=self.rows.first().map_or(0, |row| row.engines.len()) {
            write!(formatter, "  ")?;
            heading.iter().try_for_each(|name| write!(formatter, "{name:>10}"))?;
            write!(formatter, "      ")?;
        }
        writeln!(formatter)?;
        for row in &self.rows {
            write!(
                formatter,
                "{:<17} {:<22} {:>5} {:>9}  {}      ",
                row.kind.name(),
                row.loss.name(),
                row.drawn,
                row.discarded,
                row.reference
            )?;
            for engine in &row.engines {
                match &engine.refused {
                    Some(reason) if engine.compared == 0 => {
                        write!(formatter, "  refused {} ({reason})", engine.refusals)?;
                    }
                    _ => write!(formatter, "  {} ({})", engine.errors, engine.compared)?,
                }
            }
            writeln!(formatter, "{}", if row.broken.is_empty() { "" } else { "  BROKEN" })?;
        }
        Ok(())
    }
}

impl Display for Errors {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { weights, delays, inputs, constants } = self;
        write!(formatter, "{weights:>10.1e}{delays:>10.1e}{inputs:>10.1e}{constants:>10.1e}")
    }
}
