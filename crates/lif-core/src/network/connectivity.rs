use super::{ConnectionKind, Layer};
use serde::{Deserialize, Serialize};

/// The window of a convolution or a pooling, each pair as (height, width).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Size of the kernel.
    pub kernel: [usize; 2],
    /// Step from one window to the next.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
}

impl Window {
    /// The number of windows along each axis of an image of `input` (height, width); none if the
    /// kernel is larger than the padded image.
    pub fn output_size(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let padded = self.padding[axis].checked_mul(2)?.checked_add(input[axis])?;
            Some(padded.checked_sub(self.kernel[axis])? / self.stride[axis] + 1)
        };
        Some([along(0)?, along(1)?])
    }

    /// Along one axis, which of the `windows` see pixel `position`, as (window, offset in the
    /// kernel).
    pub fn windows_over(
        &self,
        axis: usize,
        position: usize,
        windows: usize,
    ) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let padded = position + self.padding[axis];
        let first = (padded + 1).saturating_sub(kernel).div_ceil(stride);
        let end = windows.min(padded / stride + 1);
        (first..end).map(move |window| (window, padded - window * stride))
    }
}

pub(super) fn fan_out(
    kind: &ConnectionKind,
    from: &Layer,
    to: &Layer,
    source: usize,
    mut visit: impl FnMut(usize, Option<usize>),
) {
    match kind {
        ConnectionKind::Dense => {
            for target in 0..to.size {
                visit(target, Some(source * to.size + target));
            }
        }
        ConnectionKind::Conv2d(window) => {
            let (in_shape, out_shape) = (image_shape(from), image_shape(to));
            let [channel, y, x] = unflatten(source, in_shape);
            let [kernel_height, kernel_width] = window.kernel;
            for out_channel in 0..out_shape[0] {
                let kernel = (out_channel * in_shape[0] + channel) * kernel_height;
                for (out_y, ky) in window.windows_over(0, y, out_shape[1]) {
                    for (out_x, kx) in window.windows_over(1, x, out_shape[2]) {
                        let target = flatten([out_channel, out_y, out_x], out_shape);
                        visit(target, Some((kernel + ky) * kernel_width + kx));
                    }
                }
            }
        }
        ConnectionKind::SumPool2d { window, .. } => {
            let (in_shape, out_shape) = (image_shape(from), image_shape(to));
            let [channel, y, x] = unflatten(source, in_shape);
            for (out_y, _) in window.windows_over(0, y, out_shape[1]) {
                for (out_x, _) in window.windows_over(1, x, out_shape[2]) {
                    visit(flatten([channel, out_y, out_x], out_shape), None);
                }
            }
        }
    }
}

/// The shape of a layer joined by windows; a checked network has given it one.
fn image_shape(layer: &Layer) -> [usize; 3] {
    layer.shape.unwrap_or([layer.size, 1, 1])
}

fn flatten([channel, y, x]: [usize; 3], [_, height, width]: [usize; 3]) -> usize {
    (channel * height + y) * width + x
}

fn unflatten(index: usize, [_, height, width]: [usize; 3]) -> [usize; 3] {
    [index / (height * width), index / width % height, index % width]
}
