use super::Machine;
use crate::dense::Adjoints;
use crate::lanes::{LaneReal, Lanes};
use crate::plan::Input;
use crate::threads::Threads;
use crate::update::{Changed, Piece, take};
use lif_core::engine::{EngineError, UpdateStatistics};
use lif_core::optimiser::Clip;
use rayon::prelude::*;

/// Blocks of weights that a thread updates at a time, at least.
const UPDATE_CHUNK: usize = 1024;

impl<T: LaneReal> Machine<T> {
    /// Changes the weights by the gradient.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`] if a weight is no longer finite, naming the layer it leads to.
    pub(crate) fn update(
        &mut self,
        threads: &Threads,
        learning_rate: f64,
    ) -> Result<UpdateStatistics, EngineError> {
        self.steps += 1;
        let factor = T::of(self.training.learning_rates.weights);
        if factor == T::of(0.0) {
            return Ok(UpdateStatistics::default());
        }
        let rule = self.training.optimiser.rule(self.steps, learning_rate).scaled(factor, true);
        let mut scaled = 0;
        let bound = match self.training.clip {
            Some(Clip::Value(bound)) => Some(T::of(bound)),
            Some(Clip::Norm(bound)) => {
                self.join_gradient(threads);
                let norm = self.gradient_norm(threads);
                if norm > bound {
                    let scale = T::Lanes::of(bound / norm);
                    threads.each(self.gradient.par_iter_mut(), |row| *row = *row * scale);
                    scaled = self.plan.inputs.iter().map(|input| input.blocks.weights()).sum();
                }
                None
            }
            None => None,
        };
        let pieces = self.pieces().into_par_iter().map(|piece| piece.update(&rule, bound));
        let changed = threads.reduce(pieces, Changed::NOTHING, Changed::and);
        if changed.is_finite {
            return Ok(UpdateStatistics { clipped: scaled + changed.clipped });
        }
        let is_finite = |input: &&Input<T>| {
            let weights = &self.weights[input.first_row..][..input.blocks.len()];
            T::Lanes::scalars(weights).iter().all(|weight| weight.is_finite())
        };
        let layer = 1 + self.plan.inputs.iter().take_while(is_finite).count();
        Err(EngineError::NotFinite {
            what: "a parameter after the update",
            layer: self.network.layers()[layer].name.clone(),
            sample: 0,
        })
    }

    /// All weights, in pieces that threads update one by one and use their gradient up.
    fn pieces(&mut self) -> Vec<Piece<'_, T>> {
        let Self { plan, weights, gradient, first, second, .. } = self;
        let mut rest = [weights, gradient, first, second].map(Vec::as_mut_slice);
        let mut pieces = Vec::new();
        let spiking = plan.spiking.iter_mut().map(|layer| &mut layer.adjoints);
        let adjoints = spiking.chain(plan.readout.as_mut().map(|layer| &mut layer.adjoints));
        for (input, adjoints) in plan.inputs.iter().zip(adjoints) {
            let (sources, stride) = (input.blocks.sources, input.blocks.count());
            let most = (UPDATE_CHUNK / stride).max(1);
            let (parts, runs) = adjoints.use_up().unwrap_or((&mut [], 1));
            let mut parts: Vec<_> = parts
                .iter_mut()
                .map(|part| {
                    let width = part.len() / sources;
                    part.chunks_mut(most * width)
                })
                .collect();
            for row in (0..sources).step_by(most) {
                let rows = most.min(sources - row);
                let [weights, whole, first, second] =
                    rest.each_mut().map(|rest| take(rest, rows * stride));
                let gradient = match &mut parts[..] {
                    [] => vec![whole],
                    parts => parts.iter_mut().filter_map(Iterator::next).collect(),
                };
                pieces.push(Piece { rows, runs, weights, gradient, first, second });
            }
        }
        pieces
    }

    /// The gradient by all weights, whether its columns lie apart or not.
    pub(crate) fn gradient(&self, threads: &Threads) -> Vec<T::Lanes> {
        let mut gradient = self.gradient.clone();
        self.join_into(threads, &mut gradient);
        gradient
    }

    /// Leaves the gradient by all weights in one piece.
    pub(crate) fn join_gradient(&mut self, threads: &Threads) {
        let mut gradient = std::mem::take(&mut self.gradient);
        self.join_into(threads, &mut gradient);
        self.gradient = gradient;
        for number in 0..self.plan.inputs.len() {
            self.plan.adjoints_mut(number).map(Adjoints::forget_columns);
        }
    }

    /// Copies the columns that lie apart to their places.
    fn join_into(&self, threads: &Threads, gradient: &mut [T::Lanes]) {
        for (number, input) in self.plan.inputs.iter().enumerate() {
            if let Some(columns) = self.plan.adjoints(number).and_then(Adjoints::columns) {
                let rows = &mut gradient[input.first_row..][..input.blocks.len()];
                columns.join(threads, rows, input.blocks.count());
            }
        }
    }

    /// The Euclidean norm of the gradient, summed block by block.
    fn gradient_norm(&self, threads: &Threads) -> f64 {
        const CHUNK: usize = 1024;
        let mut squares = vec![0.0; self.gradient.len().div_ceil(CHUNK)];
        let sums = squares.par_iter_mut().zip(self.gradient.par_chunks(CHUNK));
        threads.each(sums, |(sum, rows)| {
            *sum = rows.iter().map(|&row| (row * row).sum().as_f64()).sum();
        });
        squares.iter().sum::<f64>().sqrt()
    }
}
