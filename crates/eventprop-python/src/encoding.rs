use crate::arrays::{array, values};
use crate::error::{raise, refuse};
use crate::spikes::Spikes;
use eventprop::lif_core::SpikeBatch;
use eventprop::mnist_spikes::yin_yang::{Encoding, Point, draw};
use eventprop::mnist_spikes::{ImageSet, Latency, TwoTime};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// A pixel p above ``cut`` spikes once, at ``t_min + (1 - p/255)(t_max - t_min)``: white first, dark late.
///
/// Args:
///     images: uint8 ``[images, height, width]`` or ``[images, pixels]``.
///     t_min: time of a white pixel in ms.
///     t_max: time at which a black pixel would spike, in ms.
///     cut: pixels at or below it stay silent.
///
/// Returns:
///     float32 trains, one an image, one input a pixel, row by row.
#[pyfunction]
#[pyo3(signature = (images, t_min=0.0, t_max=20.0, cut=1))]
pub(crate) fn latency(
    py: Python<'_>,
    images: &Bound<'_, PyAny>,
    t_min: f64,
    t_max: f64,
    cut: u8,
) -> PyResult<Spikes> {
    let encoder = Latency::new(t_min, t_max, cut).map_err(raise)?;
    encode(py, images, |images| encoder.encode(images))
}

/// Every pixel spikes once: half white or more (128 to 255) at ``t_min``, the others at ``t_max``, in ms.
///
/// Args:
///     images: uint8 ``[images, height, width]`` or ``[images, pixels]``.
#[pyfunction]
pub(crate) fn two_time(
    py: Python<'_>,
    images: &Bound<'_, PyAny>,
    t_min: f64,
    t_max: f64,
) -> PyResult<Spikes> {
    let encoder = TwoTime::new(t_min, t_max).map_err(raise)?;
    encode(py, images, |images| encoder.encode(images))
}

/// Inputs 0 to 3 spike at x, y, 1 - x and 1 - y, stretched to the times from ``t_min`` to ``t_max`` (ms);
/// with a ``bias``, input 4 spikes at that time.
///
/// Args:
///     points: ``[points, 2]``, coordinates from 0 to 1.
#[pyfunction]
#[pyo3(signature = (points, t_min=0.0, t_max=30.0, bias=None))]
pub(crate) fn points(
    py: Python<'_>,
    points: &Bound<'_, PyAny>,
    t_min: f64,
    t_max: f64,
    bias: Option<f64>,
) -> PyResult<Spikes> {
    let encoding = Encoding::new(t_min, t_max, bias).map_err(raise)?;
    let points = array::<f64>(points)?;
    if points.ndim() != 2 || points.shape()[1] != 2 {
        let shape = points.shape();
        return Err(refuse(format!("points must be of shape [points, 2], are {shape:?}")));
    }
    let coordinates = values(&points);
    if let Some(bad) = coordinates.iter().find(|c| !(0.0..=1.0).contains(*c)) {
        return Err(refuse(format!("coordinates go from 0 to 1, one is {bad}")));
    }
    let pairs = coordinates.chunks_exact(2).map(|c| Point { x: c[0], y: c[1], class: 0 });
    let points: Vec<_> = pairs.collect();
    Ok(Spikes::from_batch(py, encoding.encode::<f32>(&points).spikes))
}

/// Coordinates and classes.
type Points<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<u32>>);

/// Draws points of the Yin-Yang set (Kriener, Göltz & Petrovici 2022); sizes and seeds (5000, 42), (1000,
/// 41) and (1000, 40) give the published training, validation and test set.
///
/// Returns:
///     float64 ``[points, 2]`` from 0 to 1, and uint32 ``[points]``: 0 yin, 1 yang, 2 dot.
#[pyfunction]
pub(crate) fn yin_yang(py: Python<'_>, size: usize, seed: u32) -> PyResult<Points<'_>> {
    let points = py.detach(|| draw(size, seed));
    let coordinates: Vec<_> = points.iter().flat_map(|point| [point.x, point.y]).collect();
    let classes: Vec<_> = points.iter().map(|point| point.class).collect();
    Ok((coordinates.into_pyarray(py).reshape([size, 2])?, classes.into_pyarray(py)))
}

fn encode(
    py: Python<'_>,
    images: &Bound<'_, PyAny>,
    encode: impl FnOnce(&ImageSet) -> SpikeBatch<f32> + Send,
) -> PyResult<Spikes> {
    let dtype: String = images.getattr("dtype")?.getattr("name")?.extract()?;
    if dtype != "uint8" {
        return Err(refuse(format!("images must be uint8, 0 black, 255 white; they are {dtype}")));
    }
    let pixels = array::<u8>(images)?;
    let (count, height, width) = match *pixels.shape() {
        [count, height, width] => (count, height, width),
        [count, size] => (count, 1, size),
        ref shape => {
            let wanted = "[images, height, width] or [images, pixels]";
            return Err(refuse(format!("images must be of shape {wanted}, are {shape:?}")));
        }
    };
    let set = ImageSet::new(values(&pixels), height, width, vec![0; count], 1);
    let set = set.map_err(raise)?;
    let batch = py.detach(|| encode(&set));
    Ok(Spikes::from_batch(py, batch))
}
