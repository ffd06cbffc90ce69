//! Where parameters lie in a buffer: the weights of all layers one after the other, then their delays, then constants of
//! neurons if gradients by them are wanted, rows padded.

use crate::abi::{Address, Span};
use crate::device::Buffer;
use crate::layer::{DenseLayer, Input, Synapses, WARP};
use lif_core::optimiser::LearningRates;
use lif_core::{ParameterId, Parameters};

/// Where each layer's matrices lie.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    matrices: Vec<Matrix>,
    /// By layer above the input and connection into it: where its matrix starts. Those of a layer follow one another,
    /// so that dense ones are one matrix.
    pub(crate) starts: Vec<Vec<usize>>,
    /// The same for delays, of connections that have them.
    pub(crate) delays: Vec<Vec<Option<usize>>>,
    /// Where the delays of all layers start, and the constants.
    first_delay: usize,
    first_constant: usize,
}

/// A list of parameters: a matrix, or of constants a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix {
    pub(crate) id: ParameterId,
    /// The layer whose neurons it acts on.
    pub(crate) layer: usize,
    /// Where it starts.
    pub(crate) first: usize,
    sources: usize,
    pub(crate) targets: usize,
    stride: usize,
}

/// Which parameters are what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    /// Where delays start, which no update makes negative.
    pub(crate) first_delay: usize,
    /// Where constants of neurons start, which [`change`] leaves alone.
    pub(crate) first_constant: usize,
}

impl Layout {
    pub(crate) fn new(layers: &[DenseLayer]) -> Self {
        let (mut first, mut matrices) = (0, Vec::new());
        let mut place = |id, layer, [sources, targets, stride]: [usize; 3]| {
            matrices.push(Matrix { id, layer, first, sources, targets, stride });
            first += sources * stride;
            first - sources * stride
        };
        let mut starts = Vec::new();
        for plan in layers {
            let own = plan.connections();
            let own = own
                .map(|input| place(ParameterId::Weights(input.connection), input.to, shape(input)));
            starts.push(own.collect());
        }
        let delays = layers.iter().map(|plan| {
            let own = plan.connections().map(|input| {
                let id = ParameterId::Delays(input.connection);
                input.delays.then(|| place(id, input.to, shape(input)))
            });
            own.collect()
        });
        let delays: Vec<Vec<Option<usize>>> = delays.collect();
        for plan in layers {
            for &(id, count) in &plan.constants {
                place(id, plan.layer, [1, count, count.next_multiple_of(WARP)]);
            }
        }
        let start_of = |is_wanted: fn(ParameterId) -> bool| {
            let found = matrices.iter().find(|matrix| is_wanted(matrix.id));
            found.map_or(first, |matrix| matrix.first)
        };
        let first_constant =
            start_of(|id| !matches!(id, ParameterId::Weights(_) | ParameterId::Delays(_)));
        let first_delay = start_of(|id| !matches!(id, ParameterId::Weights(_)));
        Self { matrices, starts, delays, first_delay, first_constant }
    }

    /// That of weights alone: for each layer above the input the connection into it, sources, targets, and how long its
    /// rows are.
    pub(crate) fn of_weights(layers: impl IntoIterator<Item = (usize, [usize; 3])>) -> Self {
        let (mut first, mut matrices) = (0, Vec::new());
        for (below, (connection, [sources, targets, stride])) in layers.into_iter().enumerate() {
            let (id, layer) = (ParameterId::Weights(connection), below + 1);
            matrices.push(Matrix { id, layer, first, sources, targets, stride });
            first += sources * stride;
        }
        Self {
            starts: matrices.iter().map(|matrix| vec![matrix.first]).collect(),
            delays: matrices.iter().map(|_| vec![None]).collect(),
            matrices,
            first_delay: first,
            first_constant: first,
        }
    }

    /// Values in a buffer, padding included.
    pub(crate) fn len(&self) -> usize {
        self.matrices.iter().map(|matrix| matrix.sources * matrix.stride).sum()
    }

    /// Which of them are what.
    pub(crate) fn spans(&self) -> Spans {
        Spans { first_delay: self.first_delay, first_constant: self.first_constant }
    }

    /// Where what learns lies, and how many parameters that are without padding.
    pub(crate) fn learned(&self, rates: &LearningRates) -> (Vec<Span>, usize) {
        let (mut spans, mut count) = (Vec::<Span>::new(), 0);
        for matrix in self.matrices.iter().filter(|matrix| rates.of(matrix.id) != 0.0) {
            let [first, end] =
                [matrix.first, matrix.first + matrix.sources * matrix.stride].map(|at| at as i32);
            match spans.last_mut() {
                Some(last) if last.end == first => last.end = end,
                _ => spans.push(Span { first, end }),
            }
            count += matrix.sources * matrix.targets;
        }
        (spans, count)
    }

    /// By connection into layer number `index` above the input: where a buffer holds its weights, and their delays if
    /// they have them.
    pub(crate) fn places(
        &self,
        buffer: &Buffer<f32>,
        index: usize,
    ) -> Vec<(Address, Option<Address>)> {
        let own = self.starts[index].iter().zip(&self.delays[index]);
        own.map(|(&first, delays)| (buffer.at(first), delays.map(|first| buffer.at(first))))
            .collect()
    }

    /// The lists of constants.
    pub(crate) fn constants(&self) -> impl Iterator<Item = &Matrix> {
        self.matrices.iter().filter(|matrix| matrix.first >= self.first_constant)
    }

    /// The layer that a position belongs to.
    pub(crate) fn layer_of(&self, position: usize) -> usize {
        let found = self.matrices.iter().rev().find(|matrix| matrix.first <= position);
        found.map_or(0, |matrix| matrix.layer)
    }

    /// The values of `parameters` as a buffer holds them.
    pub(crate) fn pack(&self, parameters: &Parameters<f32>) -> Vec<f32> {
        let mut packed = vec![0.0; self.len()];
        for matrix in &self.matrices {
            let values = parameters.list(matrix.id);
            let rows = packed[matrix.first..].chunks_exact_mut(matrix.stride);
            for (row, values) in rows.zip(values.chunks_exact(matrix.targets)) {
                row[..matrix.targets].copy_from_slice(values);
            }
        }
        packed
    }

    /// Replaces the values of `parameters` by those of a buffer.
    pub(crate) fn unpack(
        &self,
        packed: &[f32],
        mut parameters: Parameters<f32>,
    ) -> Parameters<f32> {
        for matrix in &self.matrices {
            let values = parameters.list_mut(matrix.id);
            let rows = packed[matrix.first..].chunks_exact(matrix.stride);
            for (row, values) in rows.zip(values.chunks_exact_mut(matrix.targets)) {
                values.copy_from_slice(&row[..matrix.targets]);
            }
        }
        parameters
    }
}

/// The sources, targets and stride of a connection into a layer: shared weights are one row, fixed ones none.
fn shape(input: &Input) -> [usize; 3] {
    match input.synapses {
        Synapses::Dense => [input.sources, input.targets, input.stride()],
        Synapses::Shared { weights } => [1, weights, weights.next_multiple_of(WARP)],
        Synapses::Fixed { .. } => [0, 1, WARP],
    }
}
