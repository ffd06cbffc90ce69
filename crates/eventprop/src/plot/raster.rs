use super::PlotError;
use super::panel::{check_finite, colour, draw, legend, padded, panel, span};
use plotters::prelude::*;

/// A layer in a raster.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// A layer that spikes, or the input.
    Spikes {
        /// Its name.
        name: String,
        /// Its neurons.
        size: usize,
        /// (time in ms, neuron).
        spikes: Vec<(f64, u32)>,
    },
    /// A layer that does not: voltages over time.
    Voltages {
        /// Its name.
        name: String,
        /// A line a neuron: (time in ms, V).
        lines: Vec<Vec<(f64, f64)>>,
    },
}

/// What happened in one sample over `duration` ms, layer above layer from the input down: a dot a
/// spike, and voltages of layers that never spike.
///
/// # Errors
/// If there is no layer, or a value is not finite.
pub fn raster(title: &str, duration: f64, rows: &[Row]) -> Result<String, PlotError> {
    if rows.is_empty() {
        return Err(PlotError::nothing("layer"));
    }
    draw((760, 240 * rows.len() as u32), |sheet| {
        let panels = sheet.split_evenly((rows.len(), 1));
        for (position, (row, sheet)) in rows.iter().zip(&panels).enumerate() {
            let title = if position == 0 { title } else { "" };
            match row {
                Row::Spikes { name, size, spikes } => {
                    let axes = ("time (ms)", name.as_str());
                    let mut chart =
                        panel(sheet, title, axes, 0.0..duration, -0.5..*size as f64 - 0.5)?;
                    let radius = if spikes.len() > 3000 { 1 } else { 2 };
                    let dots = spikes.iter().map(|&(time, neuron)| {
                        Circle::new((time, f64::from(neuron)), radius, colour(position).filled())
                    });
                    chart.draw_series(dots).map_err(PlotError::from_display)?;
                }
                Row::Voltages { name, lines } => {
                    check_finite(lines.iter().flatten())?;
                    let values = lines.iter().flatten().map(|point| point.1);
                    let range = padded(span(values).unwrap_or(0.0..1.0));
                    let axes = ("time (ms)", &*format!("{name}: V"));
                    let mut chart = panel(sheet, title, axes, 0.0..duration, range)?;
                    for (neuron, line) in lines.iter().enumerate() {
                        let stroke = colour(neuron).stroke_width(2);
                        chart
                            .draw_series(LineSeries::new(line.iter().copied(), stroke))
                            .map_err(PlotError::from_display)?
                            .label(neuron.to_string())
                            .legend(move |(x, y)| {
                                PathElement::new(vec![(x, y), (x + 14, y)], stroke)
                            });
                    }
                    if lines.len() <= 10 {
                        legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
                    }
                }
            }
        }
        Ok(())
    })
}
