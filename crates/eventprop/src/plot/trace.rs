use super::PlotError;
use super::panel::{Chart, GREY, check_finite, colour, draw, padded, panel, span};
use lif_core::reference::Trace;
use plotters::prelude::*;

/// Pixels of a neuron's column and of each of its four panels.
const PANEL: (u32, u32) = (420, 190);

/// A neuron in a picture of traces.
#[derive(Clone, Copy, Debug)]
pub struct TracedNeuron<'a> {
    /// What stands above it.
    pub name: &'a str,
    /// What it did.
    pub trace: &'a Trace,
    /// Its threshold, drawn as a line; none for a neuron that never spikes.
    pub threshold: Option<f64>,
}

/// Neurons side by side: V, I and below them lambda_V and lambda_I over `duration` ms. Vertical lines
/// are the neuron's spikes.
///
/// # Errors
/// If there is no neuron, or a value is not finite.
pub fn trace(duration: f64, neurons: &[TracedNeuron<'_>]) -> Result<String, PlotError> {
    if neurons.is_empty() {
        return Err(PlotError::nothing("neuron"));
    }
    let size = (PANEL.0 * neurons.len() as u32, PANEL.1 * 4 + 20);
    draw(size, |sheet| {
        let panels = sheet.split_evenly((4, neurons.len()));
        for (column, neuron) in neurons.iter().enumerate() {
            let Trace { state, adjoint, spikes, .. } = neuron.trace;
            let state = |value: fn(&lif_core::flow::State<f64>) -> f64| {
                state.iter().map(|(time, state)| (*time, value(state))).collect::<Vec<_>>()
            };
            let adjoint = |value: fn(&lif_core::flow::Adjoint<f64>) -> f64| {
                adjoint.iter().map(|(time, lambda)| (*time, value(lambda))).collect::<Vec<_>>()
            };
            let lines = [
                ("V", state(|state| state.v), neuron.threshold),
                ("I", state(|state| state.i), None),
                ("λ_V", adjoint(|lambda| lambda.v), Some(0.0)),
                ("λ_I", adjoint(|lambda| lambda.i), Some(0.0)),
            ];
            for (row, (name, points, level)) in lines.into_iter().enumerate() {
                let sheet = &panels[row * neurons.len() + column];
                let title = if row == 0 { neuron.name } else { "" };
                check_finite(&points)?;
                let values = points.iter().map(|point| point.1).chain(level);
                let range = padded(span(values).unwrap_or(0.0..1.0));
                let axes = (if row == 3 { "time (ms)" } else { "" }, name);
                let mut chart = panel(sheet, title, axes, 0.0..duration, range.clone())?;
                for &spike in spikes {
                    path(&mut chart, vec![(spike, range.start), (spike, range.end)], GREY, 1)?;
                }
                if let Some(level) = level {
                    let ends = [(0.0, level), (duration, level)];
                    let dashes = DashedLineSeries::new(ends, 4, 4, GREY.stroke_width(1));
                    chart.draw_series(dashes).map_err(PlotError::from_display)?;
                }
                path(&mut chart, points, colour(if row < 2 { row } else { row + 1 }), 2)?;
            }
        }
        Ok(())
    })
}

fn path(
    chart: &mut Chart<'_, '_>,
    points: Vec<(f64, f64)>,
    colour: RGBColor,
    width: u32,
) -> Result<(), PlotError> {
    let line = LineSeries::new(points, colour.stroke_width(width));
    chart.draw_series(line).map(drop).map_err(PlotError::from_display)
}
