use lif_core::Real;
use lif_core::engine::UpdateStatistics;
use lif_core::optimiser::{Clip, UpdateRule};
use wide::f32x16;

/// Neurons a block.
pub(super) const LANES: usize = 16;

/// A weight matrix, or anything of its shape, in blocks of 16 neurons: `[block][input]` rows of 16
/// lanes. The lanes after the last neuron are 0.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    inputs: usize,
    neurons: usize,
    rows: Vec<f32x16>,
}

impl Rows {
    pub(super) fn zeros(inputs: usize, neurons: usize) -> Self {
        let rows = vec![f32x16::default(); inputs * neurons.div_ceil(LANES)];
        Self { inputs, neurons, rows }
    }

    pub(super) fn blocks(&self) -> usize {
        self.neurons.div_ceil(LANES)
    }

    /// The neurons of block `block` that exist.
    pub(super) fn neurons_of(&self, block: usize) -> usize {
        (self.neurons - block * LANES).min(LANES)
    }

    /// One row an input.
    pub(super) fn block(&self, block: usize) -> &[f32x16] {
        &self.rows[block * self.inputs..(block + 1) * self.inputs]
    }

    /// All blocks, one after the other.
    pub(super) fn blocks_mut(&mut self) -> std::slice::ChunksExactMut<'_, f32x16> {
        self.rows.chunks_exact_mut(self.inputs)
    }

    /// All values, lanes without a neuron included.
    pub(super) fn flat_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.rows)
    }

    /// Copies a matrix `[input][neuron]` in.
    pub(super) fn set(&mut self, matrix: &[f32]) {
        for (input, values) in matrix.chunks(self.neurons).enumerate() {
            for (block, values) in values.chunks(LANES).enumerate() {
                let mut lanes = [0.0; LANES];
                lanes[..values.len()].copy_from_slice(values);
                self.rows[block * self.inputs + input] = f32x16::new(lanes);
            }
        }
    }

    /// The matrix `[input][neuron]`.
    pub(super) fn get(&self) -> Vec<f32> {
        let mut matrix = Vec::with_capacity(self.inputs * self.neurons);
        for input in 0..self.inputs {
            for block in 0..self.blocks() {
                let row = self.rows[block * self.inputs + input].to_array();
                matrix.extend_from_slice(&row[..self.neurons_of(block)]);
            }
        }
        matrix
    }

    /// Adds `value` to all weights of `neuron`.
    pub(super) fn raise(&mut self, neuron: usize, value: f32) {
        let first = neuron / LANES * self.inputs;
        for row in &mut self.rows[first..first + self.inputs] {
            row.as_mut_array()[neuron % LANES] += value;
        }
    }

    /// Copies the weights of `neuron` from `other`.
    pub(super) fn restore(&mut self, neuron: usize, other: &Self) {
        let block = neuron / LANES;
        for (row, other) in self.rows[block * self.inputs..].iter_mut().zip(other.block(block)) {
            row.as_mut_array()[neuron % LANES] = other.as_array()[neuron % LANES];
        }
    }

    /// The sum over all inputs, one a block.
    pub(super) fn totals(&self) -> Vec<f32x16> {
        (0..self.blocks()).map(|block| sum(self.block(block), |row| row)).collect()
    }

    /// Clips these gradients.
    pub(super) fn clip(&mut self, clip: Option<Clip>) -> UpdateStatistics {
        let mut clipped = 0;
        match clip {
            None => {}
            Some(Clip::Value(limit)) => {
                let limit = limit as f32;
                for value in self.flat_mut() {
                    clipped += u64::from(value.abs() > limit);
                    *value = value.clamp(-limit, limit);
                }
            }
            Some(Clip::Norm(limit)) => {
                let squares: f64 = self.flat_mut().iter().map(|value| value.as_f64().powi(2)).sum();
                if squares.sqrt() > limit {
                    let factor = (limit / squares.sqrt()) as f32;
                    self.flat_mut().iter_mut().for_each(|value| *value *= factor);
                    clipped = (self.inputs * self.neurons) as u64;
                }
            }
        }
        UpdateStatistics { clipped }
    }

    /// Changes these weights by `gradient`.
    pub(super) fn update(
        &mut self,
        gradient: &mut Self,
        first: &mut Self,
        second: &mut Self,
        rule: UpdateRule<f32>,
    ) {
        let moments = first.flat_mut().iter_mut().zip(second.flat_mut());
        let gradient = gradient.flat_mut().iter();
        for ((weight, &gradient), (m, v)) in self.flat_mut().iter_mut().zip(gradient).zip(moments) {
            rule.apply(weight, gradient, m, v);
        }
    }
}

/// The sum over `inputs` of `row(input)`, in four interleaved parts: one addition need not wait for
/// the one before.
#[inline(always)]
pub(super) fn sum<I: Copy>(inputs: &[I], row: impl Fn(I) -> f32x16) -> f32x16 {
    let mut parts = [f32x16::default(); 4];
    let (fours, rest) = inputs.as_chunks::<4>();
    for four in fours {
        for (part, &input) in parts.iter_mut().zip(four) {
            *part += row(input);
        }
    }
    for (part, &input) in parts.iter_mut().zip(rest) {
        *part += row(input);
    }
    (parts[0] + parts[1]) + (parts[2] + parts[3])
}
