use crate::flow::Adjoint;

pub(super) type Line = Vec<(f64, Adjoint<f64>)>;

/// Writes down the adjoint variables of chosen neurons on their way back.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) step: f64,
    /// By the neuron's position.
    pub(super) lines: Vec<(usize, Line)>,
}

impl Recorder {
    /// A time without events of neuron `neuron`, from `end` down to `start`; `at` gives its adjoint
    /// so many ms before `end`.
    pub(super) fn interval(
        &mut self,
        neuron: usize,
        start: f64,
        end: f64,
        at: impl Fn(f64) -> Adjoint<f64>,
    ) {
        for (_, line) in self.lines.iter_mut().filter(|(position, _)| *position == neuron) {
            line.extend(steps(end, start, self.step).map(|time| (time, at(end - time))));
        }
    }
}

/// From `from` to `to`, both exactly, in equal steps of at most `step`.
pub(super) fn steps(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    let length = to - from;
    let count = (length.abs() / step).ceil().max(1.0) as usize;
    let between = (1..count).map(move |number| from + length * number as f64 / count as f64);
    std::iter::once(from).chain(between).chain(std::iter::once(to))
}
