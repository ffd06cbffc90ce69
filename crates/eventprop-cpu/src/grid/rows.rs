use lif_core::Real;
use lif_core::engine::UpdateStatistics;
use lif_core::grid::GridLayer;
use lif_core::optimiser::{Clip, UpdateRule};
use std::ops::Range;
use wide::f32x16;

/// Neurons a block.
pub(super) const LANES: usize = 16;

/// The weight matrices of a stack of layers, or anything of their shape, in one piece: layer after layer in
/// blocks of 16 neurons, `[block][input]` rows of 16 lanes. The lanes after a layer's last neuron are 0.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    shapes: Vec<Shape>,
    rows: Vec<f32x16>,
}

#[derive(Clone, Debug)]
struct Shape {
    inputs: usize,
    neurons: usize,
    rows: Range<usize>,
}

/// The matrix of one layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a> {
    inputs: usize,
    neurons: usize,
    rows: &'a [f32x16],
}

impl<'a> Matrix<'a> {
    pub(super) fn blocks(&self) -> usize {
        self.neurons.div_ceil(LANES)
    }

    /// The neurons of block `block` that exist.
    pub(super) fn neurons_of(&self, block: usize) -> usize {
        (self.neurons - block * LANES).min(LANES)
    }

    /// One row an input.
    pub(super) fn block(&self, block: usize) -> &'a [f32x16] {
        &self.rows[block * self.inputs..(block + 1) * self.inputs]
    }

    /// The sum over all inputs, one a block.
    pub(super) fn totals(&self) -> Vec<f32x16> {
        (0..self.blocks()).map(|block| sum(self.block(block), |row| row)).collect()
    }

    /// `[input][neuron]`.
    fn get(&self) -> Vec<f32> {
        let mut matrix = Vec::with_capacity(self.inputs * self.neurons);
        for input in 0..self.inputs {
            for block in 0..self.blocks() {
                let row = self.block(block)[input].to_array();
                matrix.extend_from_slice(&row[..self.neurons_of(block)]);
            }
        }
        matrix
    }
}

impl Rows {
    /// The matrices of `layers`, all zero.
    pub(super) fn zeros(layers: &[GridLayer]) -> Self {
        let mut end = 0;
        let shape = |&GridLayer { inputs, neurons, .. }: &GridLayer| {
            let start = end;
            end += inputs * neurons.div_ceil(LANES);
            Shape { inputs, neurons, rows: start..end }
        };
        let shapes = layers.iter().map(shape).collect();
        Self { shapes, rows: vec![f32x16::default(); end] }
    }

    /// The matrix of layer `layer`.
    pub(super) fn layer(&self, layer: usize) -> Matrix<'_> {
        let Shape { inputs, neurons, rows } = &self.shapes[layer];
        Matrix { inputs: *inputs, neurons: *neurons, rows: &self.rows[rows.clone()] }
    }

    /// All blocks of layer `layer`, one after the other.
    pub(super) fn blocks_mut(&mut self, layer: usize) -> std::slice::ChunksExactMut<'_, f32x16> {
        let Shape { inputs, rows, .. } = &self.shapes[layer];
        self.rows[rows.clone()].chunks_exact_mut(*inputs)
    }

    /// All values, lanes without a neuron included.
    pub(super) fn flat_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.rows)
    }

    /// Copies matrices `[input][neuron]` in, one a layer.
    pub(super) fn set<'a>(&mut self, matrices: impl IntoIterator<Item = &'a [f32]>) {
        for (Shape { inputs, neurons, rows }, matrix) in self.shapes.iter().zip(matrices) {
            for (input, values) in matrix.chunks(*neurons).enumerate() {
                for (block, values) in values.chunks(LANES).enumerate() {
                    let mut lanes = [0.0; LANES];
                    lanes[..values.len()].copy_from_slice(values);
                    self.rows[rows.start + block * inputs + input] = f32x16::new(lanes);
                }
            }
        }
    }

    /// The matrices `[input][neuron]`, one a layer.
    pub(super) fn get(&self) -> impl Iterator<Item = Vec<f32>> {
        (0..self.shapes.len()).map(|layer| self.layer(layer).get())
    }

    /// Adds `value` to all weights of a layer's neuron.
    pub(super) fn raise(&mut self, layer: usize, neuron: usize, value: f32) {
        for row in &mut self.rows[self.shapes[layer].rows_of(neuron)] {
            row.as_mut_array()[neuron % LANES] += value;
        }
    }

    /// Copies the weights of a layer's neuron from `other`.
    pub(super) fn restore(&mut self, layer: usize, neuron: usize, other: &Self) {
        let rows = self.shapes[layer].rows_of(neuron);
        for (row, other) in self.rows[rows.clone()].iter_mut().zip(&other.rows[rows]) {
            row.as_mut_array()[neuron % LANES] = other.as_array()[neuron % LANES];
        }
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
                    clipped =
                        self.shapes.iter().map(|of| of.inputs * of.neurons).sum::<usize>() as u64;
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

impl Shape {
    /// Those of the block that `neuron` is in.
    fn rows_of(&self, neuron: usize) -> Range<usize> {
        let start = self.rows.start + neuron / LANES * self.inputs;
        start..start + self.inputs
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
