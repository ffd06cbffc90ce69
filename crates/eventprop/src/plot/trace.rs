use super::PlotError;
use super::panel::{
    Dash, GREY, Sheet, Stroke, TITLE, check_finite, colour, draw, font, line, padded, panel, px,
    span, titled,
};
use lif_core::flow::{Adjoint, State};
use lif_core::reference::Trace;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Pixels of a neuron's column and of each of its four panels.
const PANEL: (i32, i32) = (420, 180);
/// Pixels of the names above the columns.
const NAMES: i32 = 22;

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
/// are the neuron's spikes. V and I have the unit of the threshold, as weights do; the loss has none,
/// so that the adjoint variables are in 1/ms.
///
/// # Errors
/// If there is no neuron, or a value is not finite.
pub fn trace(
    title: &str,
    duration: f64,
    neurons: &[TracedNeuron<'_>],
) -> Result<String, PlotError> {
    if neurons.is_empty() {
        return Err(PlotError::nothing("neuron"));
    }
    let size = (PANEL.0 * neurons.len() as i32, PANEL.1 * 4 + TITLE + NAMES);
    draw(size, |sheet| {
        let sheet = titled(sheet, title)?;
        for (column, neuron) in sheet.split_evenly((1, neurons.len())).iter().zip(neurons) {
            let (head, panels) = column.split_vertically(px(NAMES));
            let middle = (px(PANEL.0 / 2 + 24), px(NAMES / 2));
            let name = font(15).pos(Pos::new(HPos::Center, VPos::Center));
            head.draw(&Text::new(neuron.name.to_string(), middle, name))
                .map_err(PlotError::from_display)?;
            let panels = panels.split_evenly((4, 1));
            let rows = panels.iter().zip(neuron.rows()).enumerate();
            for (position, (sheet, row)) in rows {
                let time = if position == 3 { "time (ms)" } else { "" };
                row.draw(sheet, time, duration, &neuron.trace.spikes)?;
            }
        }
        Ok(())
    })
}

impl TracedNeuron<'_> {
    fn rows(&self) -> [Row; 4] {
        let Trace { state, adjoint, .. } = self.trace;
        let state = |value: fn(&State<f64>) -> f64| {
            state.iter().map(|(time, state)| (*time, value(state))).collect::<Vec<_>>()
        };
        let adjoint = |value: fn(&Adjoint<f64>) -> f64| {
            adjoint.iter().map(|(time, lambda)| (*time, value(lambda))).collect::<Vec<_>>()
        };
        let row = |name, points, level, ink| Row { name, points, level, ink: colour(ink) };
        [
            row("V", state(|state| state.v), self.threshold, 0),
            row("I", state(|state| state.i), None, 1),
            row("λ_V (1/ms)", adjoint(|lambda| lambda.v), Some(0.0), 3),
            row("λ_I (1/ms)", adjoint(|lambda| lambda.i), Some(0.0), 2),
        ]
    }
}

/// One variable of a neuron over time.
struct Row {
    name: &'static str,
    points: Vec<(f64, f64)>,
    /// A value to mark.
    level: Option<f64>,
    ink: RGBColor,
}

impl Row {
    fn draw(
        self,
        sheet: &Sheet<'_>,
        time: &str,
        duration: f64,
        spikes: &[f64],
    ) -> Result<(), PlotError> {
        check_finite(&self.points)?;
        let values = self.points.iter().map(|point| point.1).chain(self.level);
        let range = padded(span(values).unwrap_or(0.0..1.0));
        let mut chart = panel(sheet, (time, self.name), 0.0..duration, range.clone())?;
        let thin = Stroke { width: 1, ..Stroke::full(GREY) };
        for &spike in spikes {
            line(&mut chart, vec![(spike, range.start), (spike, range.end)], thin)?;
        }
        if let Some(level) = self.level {
            let ends = vec![(0.0, level), (duration, level)];
            line(&mut chart, ends, thin.with(Dash::Dashed))?;
        }
        line(&mut chart, self.points, Stroke::full(self.ink))
    }
}
