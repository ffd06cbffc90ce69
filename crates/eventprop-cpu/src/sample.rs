use crate::crossing::Spike;
use crate::dense::Injection;
use crate::lanes::LaneReal;

/// The spikes of a layer in one sample, in order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct SampleSpikes<T> {
    /// The spikes.
    pub(crate) spikes: Vec<Spike<T>>,
    /// The loss's derivative by each spike's time.
    pub(crate) errors: Vec<T>,
    /// The jumps of the adjoint at the spikes, the last first.
    pub(crate) injections: Vec<Injection<T>>,
    /// Scratch: whether a neuron has spiked.
    seen: Vec<bool>,
}

impl<T: LaneReal> SampleSpikes<T> {
    /// (time, neuron) in order of time.
    pub(crate) fn by_time(&self) -> impl ExactSizeIterator<Item = (T, u32)> {
        self.spikes.iter().map(|spike| (spike.time, spike.neuron))
    }

    /// Takes the errors of the arrivals above; spikes beyond them never arrived anywhere.
    pub(crate) fn take_errors(&mut self, errors: &[T]) {
        self.errors.clear();
        self.errors.extend_from_slice(errors);
        self.errors.resize(self.spikes.len(), T::zero());
    }

    /// Sets the error of each spike of a layer of `neurons` by its rank among its neuron's spikes:
    /// `error(neuron, first)`.
    pub(crate) fn set_errors(&mut self, neurons: usize, error: impl Fn(usize, bool) -> T) {
        let Self { spikes, errors, seen, .. } = self;
        seen.clear();
        seen.resize(neurons, false);
        errors.clear();
        errors.extend(spikes.iter().map(|spike| {
            let neuron = spike.neuron as usize;
            error(neuron, !std::mem::replace(&mut seen[neuron], true))
        }));
    }
}
