//! A connection as ways of nodes.

use super::delays::Course;
use super::{Export, Way};
use crate::error::ExportError;
use crate::graph::{Array, Primitive};
use crate::spikes::Spikes;
use lif_core::network::{Connection, ConnectionKind, Window};
use lif_core::per_neuron;

/// Delays that differ between synapses take a copy of the weights for each sending neuron (each
/// element of a kernel); more than so many values are refused.
const MAX_VALUES: usize = 1 << 26;

impl Export<'_> {
    /// The ways of nodes that together are the connection.
    pub(super) fn ways(
        &self,
        position: usize,
        connection: &Connection,
    ) -> Result<Vec<Way>, ExportError> {
        match &connection.kind {
            ConnectionKind::Dense => self.dense(position, connection),
            ConnectionKind::Conv2d(window) => self.conv2d(position, connection, window),
            ConnectionKind::SumPool2d { window, weight } => {
                Ok(vec![self.sum_pool2d(connection, window, *weight)])
            }
        }
    }

    fn dense(&self, position: usize, connection: &Connection) -> Result<Vec<Way>, ExportError> {
        let Connection { from, to, .. } = *connection;
        let layers = self.network.layers();
        let (sources, targets) = (layers[from].size, layers[to].size);
        if self.shape(to).len() > 1 {
            let reason = "a dense connection to a layer whose image a convolution or a pooling needs: \
                          NIR has a node that flattens, none that does the opposite";
            return self.refuse(connection, reason.into());
        }
        let flat = |values: &[f64]| transposed(values, sources, targets);
        let own = &self.parameters.connections[position];
        let mut weights = flat(&own.weights);
        for (target, row) in weights.chunks_mut(sources).enumerate() {
            let gain = self.gain(to, target);
            row.iter_mut().for_each(|weight| *weight *= gain);
        }
        let mut start = Way::new();
        let shape = self.shape(from);
        if shape.len() > 1 {
            let fields = [
                ("input_type", Array::integers(&shape).into()),
                ("start_dim", Array::integer(0).into()),
                ("end_dim", Array::integer(-1).into()),
            ];
            start.push(Primitive::new("Flatten", fields));
        }
        let linear = |weights| {
            let weights = self.array(vec![targets, sources], weights);
            Primitive::new("Linear", [("weight", weights.into())])
        };
        if !connection.delays {
            start.push(linear(weights));
            return Ok(vec![start]);
        }
        match Course::of(&flat(&own.delays), sources, targets, sources) {
            Course::BySource(delays) => {
                start.push(self.delay(vec![sources], delays));
                start.push(linear(weights));
                Ok(vec![start])
            }
            Course::ByTarget(delays) => {
                start.push(linear(weights));
                start.push(self.delay(vec![targets], delays));
                Ok(vec![start])
            }
            Course::Each(columns) => {
                self.check_copies(connection, sources, weights.len())?;
                let ways = columns.into_iter().enumerate().map(|(source, delays)| {
                    let linear = linear(column(&weights, sources, source));
                    let mut way = start.clone();
                    way.push(part(linear, position, source));
                    way.push(self.delay(vec![targets], delays));
                    way
                });
                Ok(ways.collect())
            }
        }
    }

    fn conv2d(
        &self,
        position: usize,
        connection: &Connection,
        window: &Window,
    ) -> Result<Vec<Way>, ExportError> {
        let Connection { from, to, .. } = *connection;
        let (input, output) = (self.shape(from), self.shape(to));
        let [height, width] = window.kernel;
        // The elements of an output channel's kernel, over all input channels.
        let elements = input[0] * height * width;
        let own = &self.parameters.connections[position];
        let mut weights = own.weights.clone();
        let neurons = output[1] * output[2];
        for (channel, kernel) in weights.chunks_mut(elements).enumerate() {
            let gain = self.gain(to, channel * neurons);
            let alike = (0..neurons).all(|n| self.gain(to, channel * neurons + n) == gain);
            if !alike {
                let reason = "a convolution to neurons of different tau_mem in a channel: spikes that last \
                              a step scale each neuron's weights by it, and a kernel's are shared";
                return self.refuse(connection, reason.into());
            }
            kernel.iter_mut().for_each(|weight| *weight *= gain);
        }
        let conv = |weights| {
            let fields = [
                ("input_shape", Array::integers(&input[1..]).into()),
                ("weight", self.array(vec![output[0], input[0], height, width], weights).into()),
                ("stride", Array::integers(&window.stride).into()),
                ("padding", Array::integers(&window.padding).into()),
                ("dilation", Array::integers(&[1, 1]).into()),
                ("groups", Array::integer(1).into()),
                ("bias", self.array(vec![output[0]], vec![0.0; output[0]]).into()),
            ];
            Primitive::new("Conv2d", fields)
        };
        if !connection.delays {
            return Ok(vec![vec![conv(weights)]]);
        }
        let over = |shape: &[usize], channels: Vec<f64>| {
            let neurons = shape[1] * shape[2];
            let values = channels.iter().flat_map(|&delay| std::iter::repeat_n(delay, neurons));
            self.delay(shape.to_vec(), values.collect())
        };
        match Course::of(&own.delays, input[0], output[0], elements) {
            Course::BySource(delays) => Ok(vec![vec![over(&input, delays), conv(weights)]]),
            Course::ByTarget(delays) => Ok(vec![vec![conv(weights), over(&output, delays)]]),
            Course::Each(columns) => {
                self.check_copies(connection, elements, weights.len() + output[0] * neurons)?;
                let ways = columns.into_iter().enumerate().map(|(element, delays)| {
                    let conv = conv(column(&weights, elements, element));
                    vec![part(conv, position, element), over(&output, delays)]
                });
                Ok(ways.collect())
            }
        }
    }

    fn sum_pool2d(&self, connection: &Connection, window: &Window, weight: f64) -> Way {
        let fields = [
            ("kernel_size", Array::integers(&window.kernel).into()),
            ("stride", Array::integers(&window.stride).into()),
            ("padding", Array::integers(&window.padding).into()),
        ];
        let mut way = vec![Primitive::new("SumPool2d", fields)];
        let size = self.network.layers()[connection.to].size;
        let scale: Vec<_> = (0..size).map(|n| weight * self.gain(connection.to, n)).collect();
        if scale.iter().any(|&scale| scale != 1.0) {
            let scale = self.array(self.shape(connection.to), scale);
            way.push(Primitive::new("Scale", [("scale", scale.into())]));
        }
        way
    }

    /// What a weight to a neuron is multiplied by, so that a spike makes its current jump by the weight.
    fn gain(&self, layer: usize, neuron: usize) -> f64 {
        match self.spikes {
            Spikes::Delta => 1.0,
            Spikes::Step { dt } => dt / per_neuron(&self.parameters.layers[layer].tau_mem, neuron),
        }
    }

    fn delay(&self, shape: Vec<usize>, ms: Vec<f64>) -> Primitive {
        let in_seconds = ms.iter().map(|&ms| crate::time::seconds(ms, self.storage)).collect();
        let delay = self.array(shape.clone(), in_seconds);
        let node = Primitive::new("Delay", [("delay", delay.into())]);
        match self.survives(&ms) {
            true => node,
            false => node.with_metadata("delay_ms", self.exact(shape, &ms)),
        }
    }

    fn check_copies(
        &self,
        connection: &Connection,
        copies: usize,
        size: usize,
    ) -> Result<(), ExportError> {
        if copies.saturating_mul(size) <= MAX_VALUES {
            return Ok(());
        }
        let reason = format!(
            "delays that differ between synapses need {copies} copies of {size} values in NIR, which \
             delays neurons; that is more than {MAX_VALUES}"
        );
        self.refuse(connection, reason)
    }
}

/// Says which column of its weights a node stands for, so that a reader can put the connection together
/// again where a weight is 0.
fn part(node: Primitive, connection: usize, column: usize) -> Primitive {
    node.with_metadata("connection", Array::integer(connection as i64))
        .with_metadata("column", Array::integer(column as i64))
}

/// Rows for columns.
fn transposed(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

/// All but one column set to 0.
fn column(values: &[f64], columns: usize, column: usize) -> Vec<f64> {
    let keep = |(place, &value): (usize, &f64)| if place % columns == column { value } else { 0.0 };
    values.iter().enumerate().map(keep).collect()
}
