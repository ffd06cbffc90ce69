use super::PlotError;
use super::panel::{
    Chart, Stroke, TITLE, beside, check_finite, colour, draw, key, line, padded, panel, px, span,
    titled,
};
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

/// Pixels of a layer's panel.
const PANEL: i32 = 230;

/// The most lines that are told apart by a key.
const LEGIBLE: usize = 10;

/// What happened in one sample over `duration` ms, layer above layer from the input down: a dot a
/// spike, and voltages of layers that never spike.
///
/// # Errors
/// If there is no layer, or a value is not finite.
pub fn raster(title: &str, duration: f64, rows: &[Row]) -> Result<String, PlotError> {
    if rows.is_empty() {
        return Err(PlotError::nothing("layer"));
    }
    let names: Vec<_> = (0..rows.iter().map(Row::key_length).max().unwrap_or(0))
        .map(|neuron| format!("neuron {neuron}"))
        .collect();
    draw((800, PANEL * rows.len() as i32 + TITLE), |sheet| {
        let sheet = titled(sheet, title)?;
        let (sheet, keys) = match names.is_empty() {
            true => (sheet, None),
            false => {
                let (sheet, keys) = beside(&sheet, names.iter().map(String::as_str));
                (sheet, Some(keys.split_evenly((rows.len(), 1))))
            }
        };
        let panels = sheet.split_evenly((rows.len(), 1));
        for (position, (row, sheet)) in rows.iter().zip(&panels).enumerate() {
            let time = if position + 1 == rows.len() { "time (ms)" } else { "" };
            let axes = (time, &*row.axis());
            let mut chart = panel(sheet, axes, 0.0..duration, row.range())?;
            row.draw(&mut chart, colour(position))?;
            if let Some(keys) = &keys {
                let entries = names.iter().take(row.key_length()).enumerate();
                let entries: Vec<_> =
                    entries.map(|(i, name)| (name.as_str(), Stroke::full(colour(i)))).collect();
                key(&keys[position], &entries)?;
            }
        }
        Ok(())
    })
}

impl Row {
    fn axis(&self) -> String {
        match self {
            Self::Spikes { name, .. } => format!("{name}: neuron"),
            Self::Voltages { name, .. } => format!("{name}: V"),
        }
    }

    fn range(&self) -> std::ops::Range<f64> {
        match self {
            Self::Spikes { size, .. } => -0.5..*size as f64 - 0.5,
            Self::Voltages { lines, .. } => {
                padded(span(lines.iter().flatten().map(|point| point.1)).unwrap_or(0.0..1.0))
            }
        }
    }

    /// How many lines the key names.
    fn key_length(&self) -> usize {
        match self {
            Self::Voltages { lines, .. } if lines.len() <= LEGIBLE => lines.len(),
            _ => 0,
        }
    }

    fn draw(&self, chart: &mut Chart<'_, '_>, ink: RGBColor) -> Result<(), PlotError> {
        match self {
            Self::Spikes { spikes, .. } => {
                let radius = if spikes.len() > 3000 { px(1) } else { px(2) };
                let dots = spikes.iter().map(|&(time, neuron)| {
                    Circle::new((time, f64::from(neuron)), radius, ink.filled())
                });
                chart.draw_series(dots).map(drop).map_err(PlotError::from_display)
            }
            Self::Voltages { lines, .. } => {
                check_finite(lines.iter().flatten())?;
                let mut lines = lines.iter().enumerate();
                lines.try_for_each(|(neuron, points)| {
                    line(chart, points.clone(), Stroke::full(colour(neuron)))
                })
            }
        }
    }
}
