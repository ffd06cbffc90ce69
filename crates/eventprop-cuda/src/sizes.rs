//! How long every buffer of a batch is: decided here, before anything is allocated.

use crate::abi::{CONSTANTS, List};
use crate::layer::{DenseLayer, WARP};
use crate::memory::check_batch;
use crate::wiring::{needs_collecting, needs_list};
use lif_core::engine::EngineError;

/// Samples whose gradients are added up at once: GROUP of `kernels/weight_gradient.cu`.
pub(crate) const GROUP: usize = 64;

/// What a neuron of a large recurrent layer remembers: STATE_WORDS of `kernels/neurons.cuh`.
const STATE_WORDS: usize = 14;

/// What a batch must have room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Samples.
    pub(crate) samples: usize,
    /// Input spikes of a sample.
    pub(crate) arrivals: usize,
    /// By layer above the input: spikes of a neuron and sample, spikes of the layer and sample.
    pub(crate) spikes: Vec<(usize, usize)>,
    /// Bytes that the adjoint of one layer may take, if they are given: see [`Room::part`].
    pub(crate) adjoint_bytes: Option<usize>,
}

/// What it may take if they are not, unless a group of samples takes more.
const ADJOINT_BYTES: usize = 256 << 20;

/// Lengths of a layer's buffers, in values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lengths {
    pub(crate) samples: usize,
    pub(crate) width: usize,
    pub(crate) slots: usize,
    /// Samples whose adjoint is kept at once.
    pub(crate) chunk: usize,
    pub(crate) events: usize,
    pub(crate) heads: usize,
    pub(crate) errors: usize,
    pub(crate) neurons: usize,
    pub(crate) spikes: usize,
    /// Where neurons need time to recover: the same again.
    pub(crate) recoveries: usize,
    pub(crate) adjoint: usize,
    /// Where synapses have delays: arrivals in the neurons' own orders, and neurons.
    pub(crate) heard: usize,
    pub(crate) hearers: usize,
}

impl Room {
    /// The samples whose adjoint is kept at once, if that of one takes so many bytes: whole groups of those that are added
    /// up together, so that the gradient's bits do not tell how much room there was; fewer only where the bytes are given.
    fn part(&self, sample: usize) -> usize {
        let most = self.adjoint_bytes.unwrap_or(ADJOINT_BYTES) / sample;
        let least = if self.adjoint_bytes.is_some() { most.clamp(1, GROUP) } else { GROUP };
        (most - most % GROUP).max(least)
    }

    /// A first guess for a layer's spikes; more is made when it is needed.
    pub(crate) fn new(layers: &[DenseLayer], adjoint_bytes: Option<usize>) -> Self {
        let spikes = layers.iter().map(|layer| (8, 2 * layer.targets + 62)).collect();
        Self { samples: 0, arrivals: 0, spikes, adjoint_bytes }
    }

    /// The spikes of the layer at position `from` of the network.
    fn sent(&self, from: usize) -> usize {
        match from.checked_sub(1) {
            None => self.arrivals,
            Some(below) => self.spikes[below].1,
        }
    }

    /// The records of a list of them.
    pub(crate) fn width(&self, from: usize) -> usize {
        self.sent(from) + 2
    }

    /// What arrives at a layer from below.
    fn arrivals(&self, layer: &DenseLayer) -> usize {
        layer.inputs.iter().map(|input| self.sent(input.from)).sum()
    }

    /// The lengths for the list of spikes of the layer at position `from`, if they need one of their own.
    pub(crate) fn list(&self, layers: &[DenseLayer], from: usize) -> Option<Lengths> {
        if !needs_list(layers, from) {
            return None;
        }
        let inputs = layers.iter().flat_map(|layer| &layer.inputs);
        let sources = inputs.filter(|input| input.from == from).map(|input| input.sources).max();
        let width = self.width(from);
        Some(Lengths {
            samples: self.samples,
            width,
            events: self.samples * width,
            heads: self.samples * sources.unwrap_or(0),
            ..Lengths::default()
        })
    }

    /// The errors of spikes of the layer at position `from` that have to be collected.
    pub(crate) fn collected(
        &self,
        layers: &[DenseLayer],
        from: usize,
        input_errors: bool,
    ) -> usize {
        let wanted = from > 0 || input_errors;
        if wanted && needs_collecting(layers, from) { self.samples * self.width(from) } else { 0 }
    }

    /// For each connection into a layer that hears several: the ranks of its arrivals.
    pub(crate) fn ranks(&self, layer: &DenseLayer) -> Vec<usize> {
        match layer.is_joined() {
            true => layer.inputs.iter().map(|i| self.samples * self.width(i.from)).collect(),
            false => Vec::new(),
        }
    }

    /// The lengths for what arrives from below at layer number `index`, if that is not all it hears.
    pub(crate) fn below(
        &self,
        layers: &[DenseLayer],
        index: usize,
        input_errors: bool,
    ) -> Option<Lengths> {
        let layer = &layers[index];
        if !layer.is_recurrent() {
            return None;
        }
        let errors = layer.wants_errors(input_errors);
        let width = self.arrivals(layer) + 2;
        let events = self.samples * width;
        Some(Lengths {
            samples: self.samples,
            width,
            events,
            heads: self.samples * layer.below(),
            // All neurons' in one.
            errors: if errors { events } else { 0 },
            heard: if layer.delays { events * layer.columns } else { 0 },
            hearers: if layer.delays { self.samples * layer.columns } else { 0 },
            ..Lengths::default()
        })
    }

    /// The lengths of layer number `index` above the input.
    pub(crate) fn lengths(
        &self,
        layers: &[DenseLayer],
        index: usize,
        input_errors: bool,
    ) -> Lengths {
        let layer = &layers[index];
        let slots = if layer.spikes { self.spikes[index].0 } else { 0 };
        let spikes = self.samples * slots * layer.stride;
        let of_neurons = Lengths {
            samples: self.samples,
            slots,
            neurons: self.samples * layer.stride,
            spikes,
            recoveries: if layer.recovery.is_some() { spikes } else { 0 },
            ..Lengths::default()
        };
        if layer.members.is_empty() {
            return of_neurons;
        }
        // A spike arrives as often as its neuron is a row.
        let sent: usize = layer.members.iter().map(|&member| self.spikes[member].1).sum();
        let own = layer.copies * sent;
        let errors = layer.wants_errors(input_errors) && !layer.is_recurrent();
        let width = self.arrivals(layer) + own + 2;
        let row = width * layer.columns;
        // With delays the derivatives by the times of arrivals lie beside the adjoint.
        let kept = if layer.has_delays() { 2 * row } else { row };
        let chunk = self.part(4 * kept).min(self.samples.max(1));
        // Tile by tile, or with delays in one.
        let tiles = if layer.delays { 1 } else { layer.columns / WARP };
        // What a recurrent layer hears from below is kept apart.
        let heard = match layer.is_recurrent() {
            _ if !layer.has_delays() => 0,
            true => own,
            false => width,
        };
        Lengths {
            width,
            chunk,
            events: self.samples * width,
            heads: self.samples * layer.sources,
            errors: if errors { self.samples * width * tiles } else { 0 },
            adjoint: chunk * kept,
            heard: self.samples * heard * layer.columns,
            hearers: if heard > 0 { self.samples * layer.columns } else { 0 },
            ..of_neurons
        }
    }

    /// What neurons of recurrent layers remember where it does not lie in registers: one layer's at a time.
    pub(crate) fn states(&self, layers: &[DenseLayer]) -> usize {
        let large = layers.iter().filter(|layer| layer.is_large());
        let words = large.map(|layer| self.samples * layer.columns * STATE_WORDS);
        words.max().unwrap_or(0)
    }

    /// What neurons leave of the derivatives by their constants, of which there are CONSTANTS: one layer's at a time.
    pub(crate) fn constant_parts(&self, layers: &[DenseLayer]) -> usize {
        let wanted = layers.iter().filter(|layer| layer.by_constants());
        wanted.map(|layer| CONSTANTS * self.samples * layer.stride).max().unwrap_or(0)
    }

    /// The bytes that a batch takes; `input_errors` says whether errors of inputs are wanted.
    pub(crate) fn bytes(&self, layers: &[DenseLayer], input_errors: bool) -> usize {
        let all = (0..layers.len()).flat_map(|index| {
            let below = self.below(layers, index, input_errors);
            let lengths = self.lengths(layers, index, input_errors);
            std::iter::once(lengths).chain(below)
        });
        let all = all.chain((0..=layers.len()).filter_map(|from| self.list(layers, from)));
        let (mut bytes, mut adjoint, mut events) = (0, 0, 0);
        for lengths in all {
            let Lengths { samples, events: e, heads, errors, neurons, spikes, .. } = lengths;
            bytes += 4 * (samples + 7 * e + heads + errors + 7 * neurons + 6 * spikes + 2);
            bytes += 4 * (2 * lengths.heard + lengths.hearers + 4 * lengths.recoveries);
            adjoint = adjoint.max(lengths.adjoint);
            events = events.max(e);
        }
        for layer in layers {
            let ranks = self.ranks(layer);
            bytes += 4 * ranks.iter().sum::<usize>() + size_of::<List>() * ranks.len();
        }
        // States, parts of derivatives, losses, predictions, the merging's lists and the inputs' gradient.
        let collected = (0..=layers.len()).map(|from| self.collected(layers, from, input_errors));
        bytes += 4 * collected.sum::<usize>();
        adjoint += self.states(layers) + self.constant_parts(layers);
        bytes + 4 * (adjoint + 2 * self.samples + 2 * events + self.samples * self.width(0))
    }

    /// Checks that the batch fits into `free` bytes.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] says how much is missing and which batch size would fit.
    pub(crate) fn check(
        &self,
        layers: &[DenseLayer],
        input_errors: bool,
        free: usize,
    ) -> Result<(), EngineError> {
        check_batch(self.samples, free, |samples| {
            Self { samples, ..self.clone() }.bytes(layers, input_errors)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_groups_unless_bytes_are_given() {
        let part = |adjoint_bytes, sample| Room::new(&[], adjoint_bytes).part(sample);
        // However much a sample takes: room that grows changes no sum.
        for sample in [1 << 10, 3 << 20, 20 << 20, 1 << 30] {
            assert_eq!(part(None, sample) % GROUP, 0);
        }
        assert_eq!(part(None, 1 << 20), 256);
        assert_eq!([1, 1 << 20, 5 << 20].map(|bytes| part(Some(bytes), 1 << 20)), [1, 1, 5]);
        assert_eq!(part(Some(200 << 20), 1 << 20), 192);
    }
}
