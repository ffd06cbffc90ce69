//! The nodes that hold weights.

use super::fields::Named;
use crate::error::ImportError;
use crate::graph::Value;
use lif_core::network::Window;
use lif_core::per_neuron;

/// Products of numbers in single precision that would be the same without rounding are this near.
const ROUNDING: f64 = 1e-6;

/// What a connection multiplies by.
pub(super) enum Weights {
    /// `[target][source]`.
    Dense { values: Vec<f64>, sources: usize },
    /// `[out_channel][in_channel][ky][kx]`.
    Conv2d { values: Vec<f64>, inputs: usize, window: Window },
    /// One weight for all.
    SumPool2d { weight: f64, window: Window },
}

impl Weights {
    /// The window that reaches one neuron from the one in its place.
    pub(super) const IDENTITY: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0, 0] };

    /// Those of a node that has some, which `shape` reaches.
    pub(super) fn of(node: Named, shape: &[usize]) -> Result<Self, ImportError> {
        if let "Linear" | "Affine" = node.kind() {
            let weight = node.numbers("weight")?;
            let sources = weight.shape.last().copied().unwrap_or(1);
            return Ok(Self::Dense { values: weight.values.clone(), sources });
        }
        let [channels, height, width] = shape[..] else {
            return Err(node.refuse("takes [channels, height, width]"));
        };
        let (window, _) = window(node, [channels, height, width])?;
        if node.kind() == "SumPool2d" {
            return Ok(Self::SumPool2d { weight: 1.0, window });
        }
        let values = node.numbers("weight")?.values.clone();
        Ok(Self::Conv2d { values, inputs: channels, window })
    }

    /// A weight of 1 from each neuron to the one in its place.
    pub(super) fn identity() -> Self {
        Self::SumPool2d { weight: 1.0, window: Self::IDENTITY }
    }

    /// The number of weights.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dense { values, .. } | Self::Conv2d { values, .. } => values.len(),
            Self::SumPool2d { .. } => 0,
        }
    }

    /// The weights.
    pub(super) fn values(&self) -> &[f64] {
        match self {
            Self::Dense { values, .. } | Self::Conv2d { values, .. } => values,
            Self::SumPool2d { .. } => &[],
        }
    }

    /// The number of weights to a target neuron or channel.
    pub(super) fn columns(&self) -> usize {
        match self {
            Self::Dense { sources, .. } => *sources,
            Self::Conv2d { inputs, window, .. } => inputs * window.kernel[0] * window.kernel[1],
            Self::SumPool2d { .. } => 1,
        }
    }

    /// Multiplies by a number for each neuron before it or, `by_row`, behind it. Says whether the neurons
    /// that share a weight have the same number; otherwise nothing is changed.
    pub(super) fn scale(&mut self, scale: &[f64], by_row: bool) -> bool {
        let Some(scale) = self.shared(scale, by_row, ROUNDING) else { return false };
        let (columns, width) = (self.columns(), self.width());
        match self {
            Self::Dense { values, .. } | Self::Conv2d { values, .. } => {
                for (place, value) in values.iter_mut().enumerate() {
                    let row_or_source =
                        if by_row { place / columns } else { place % columns / width };
                    *value *= per_neuron(&scale, row_or_source);
                }
            }
            Self::SumPool2d { weight, .. } => *weight *= scale[0],
        }
        true
    }

    /// The delay of each weight, out of those of the neurons before it and behind it; none where neurons
    /// that share a weight differ, or there are no weights.
    pub(super) fn delays(
        &self,
        before: Option<&[f64]>,
        behind: Option<&[f64]>,
    ) -> Option<Vec<f64>> {
        if let Self::SumPool2d { .. } = self {
            return None;
        }
        let shared = |delay: Option<&[f64]>, by_row| match delay {
            Some(delay) => self.shared(delay, by_row, 0.0).map(Some),
            None => Some(None),
        };
        let (before, behind) = (shared(before, false)?, shared(behind, true)?);
        let (columns, width) = (self.columns(), self.width());
        let delay = |place: usize| {
            let before = before.as_ref().map(|delay| *per_neuron(delay, place % columns / width));
            let behind = behind.as_ref().map(|delay| *per_neuron(delay, place / columns));
            match (before, behind) {
                (Some(before), Some(behind)) => before + behind,
                (Some(delay), None) | (None, Some(delay)) => delay,
                (None, None) => 0.0,
            }
        };
        Some((0..self.len()).map(delay).collect())
    }

    /// The number of weights a row that come from one source neuron or channel.
    fn width(&self) -> usize {
        match self {
            Self::Dense { .. } | Self::SumPool2d { .. } => 1,
            Self::Conv2d { window, .. } => window.kernel[0] * window.kernel[1],
        }
    }

    /// A number for each neuron (or one for all) as one for each that has weights of its own: each neuron, each channel,
    /// or all together.
    /// They may differ by a part of `rounding`.
    fn shared(&self, values: &[f64], by_row: bool, rounding: f64) -> Option<Vec<f64>> {
        let groups = match self {
            _ if values.len() == 1 => return Some(values.to_vec()),
            Self::Dense { .. } => return Some(values.to_vec()),
            Self::Conv2d { values, .. } if by_row => values.len() / self.columns(),
            Self::Conv2d { inputs, .. } => *inputs,
            Self::SumPool2d { .. } => 1,
        };
        let groups = values.chunks(values.len() / groups);
        let first = |group: &[f64]| {
            let near = |value: &f64| (value - group[0]).abs() <= rounding * group[0].abs();
            group.iter().all(near).then_some(group[0])
        };
        groups.map(first).collect()
    }
}

/// The window of a Conv2d or SumPool2d over an image, and the number of channels behind it.
pub(super) fn window(
    node: Named,
    [channels, height, width]: [usize; 3],
) -> Result<(Window, usize), ImportError> {
    if node.kind() == "SumPool2d" {
        let window = Window {
            kernel: node.pair("kernel_size")?,
            stride: node.pair("stride")?,
            padding: node.pair("padding")?,
        };
        check_sides(node, window)?;
        return Ok((window, channels));
    }
    let [outputs, inputs, ky, kx] = node.numbers("weight")?.shape[..] else {
        return Err(node.refuse("weight must be [out_channel, in_channel, height, width]"));
    };
    if outputs == 0 {
        return Err(node.refuse("has no outputs"));
    }
    if inputs != channels {
        return Err(node.refuse(format!("takes {inputs} channels, is sent {channels}")));
    }
    if node.pair("dilation")? != [1, 1] {
        return Err(node.refuse("has dilation; convolutions here have none"));
    }
    if node.whole("groups")? != [1] {
        return Err(node.refuse("has groups of channels; convolutions here have one"));
    }
    if let Some(Value::Array(array)) = node.primitive.fields.get("input_shape")
        && array.values.len() == 2
        && array.values != [height as f64, width as f64]
    {
        let reason = format!("takes images of {:?}, is sent [{height}, {width}]", array.values);
        return Err(node.refuse(reason));
    }
    let stride = node.pair("stride")?;
    let padding = match node.primitive.fields.get("padding") {
        Some(Value::Text(word)) if word == "valid" => [0, 0],
        Some(Value::Text(word)) if word == "same" => {
            if stride != [1, 1] || ky % 2 == 0 || kx % 2 == 0 {
                let reason = "padding \"same\" is the same on both sides only for a kernel of odd sides \
                              and a stride of 1";
                return Err(node.refuse(reason));
            }
            [ky / 2, kx / 2]
        }
        _ => node.pair("padding")?,
    };
    let window = Window { kernel: [ky, kx], stride, padding };
    check_sides(node, window)?;
    Ok((window, outputs))
}

fn check_sides(node: Named, window: Window) -> Result<(), ImportError> {
    for (field, sides) in [("kernel", window.kernel), ("stride", window.stride)] {
        if sides.contains(&0) {
            return Err(node.refuse(format!("{field} must be at least 1, got {sides:?}")));
        }
    }
    if (0..2).any(|axis| window.padding[axis] >= window.kernel[axis]) {
        let Window { kernel, padding, .. } = window;
        let reason = format!("padding {padding:?} must be smaller than the kernel {kernel:?} here");
        return Err(node.refuse(reason));
    }
    Ok(())
}
