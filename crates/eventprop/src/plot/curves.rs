use super::PlotError;
use super::panel::{Chart, colour, draw, legend, padded, panel, span};
use crate::metrics::EpochRecord;
use plotters::prelude::*;

/// A run in a picture of curves.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// What the legend calls it.
    pub name: &'a str,
    /// Its epochs.
    pub history: &'a [EpochRecord],
}

/// Loss, accuracy and spikes a sample over the epochs of one or several runs. Full lines are measured
/// on the test set, dashed ones in training. A value that is not finite is a gap.
///
/// # Errors
/// If no run has an epoch behind it.
pub fn curves(runs: &[Curve<'_>]) -> Result<String, PlotError> {
    let records = || runs.iter().flat_map(|run| run.history);
    let epochs = span(records().map(|record| f64::from(record.epoch)))
        .ok_or_else(|| PlotError::nothing("epoch that is done"))?;
    let losses = span(records().flat_map(|record| [record.train_loss, record.test.loss]));
    let accuracies = span(records().flat_map(accuracy_of));
    let spikes =
        span(records().flat_map(|r| &r.layers).map(|layer| layer.spikes_per_sample).chain([0.0]));
    draw((760, 900), |sheet| {
        let panels = sheet.split_evenly((3, 1));
        let axis = |value| ("epoch", value);
        let all = |span: Option<_>| span.unwrap_or(0.0..1.0);

        let mut chart = panel(&panels[0], "", axis("loss"), epochs.clone(), padded(all(losses)))?;
        for (position, run) in runs.iter().enumerate() {
            let test = run.history.iter().map(|r| (f64::from(r.epoch), r.test.loss));
            let train = run.history.iter().map(|r| (f64::from(r.epoch), r.train_loss));
            let (first, second) = names(runs, run.name);
            line(&mut chart, test, position, Style::Full, &first)?;
            line(&mut chart, train, position, Style::Dashed, &second)?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)?;

        let mut chart =
            panel(&panels[1], "", axis("accuracy (%)"), epochs.clone(), padded(all(accuracies)))?;
        for (position, run) in runs.iter().enumerate() {
            let points = |which: usize| {
                run.history.iter().map(move |r| (f64::from(r.epoch), accuracy_of(r)[which]))
            };
            let (first, second) = names(runs, run.name);
            line(&mut chart, points(1), position, Style::Full, &first)?;
            line(&mut chart, points(0), position, Style::Dashed, &second)?;
        }
        legend(&mut chart, SeriesLabelPosition::LowerRight)?;

        let mut chart =
            panel(&panels[2], "", axis("spikes a sample"), epochs, padded(all(spikes)))?;
        let mut series = 0;
        for run in runs {
            for (layer, activity) in run.history.first().iter().flat_map(|r| &r.layers).enumerate()
            {
                let points = run.history.iter().filter_map(|r| {
                    Some((f64::from(r.epoch), r.layers.get(layer)?.spikes_per_sample))
                });
                let name = match runs {
                    [_] => activity.layer.clone(),
                    _ => format!("{}: {}", run.name, activity.layer),
                };
                line(&mut chart, points, series, Style::Full, &name)?;
                series += 1;
            }
        }
        legend(&mut chart, SeriesLabelPosition::UpperRight)
    })
}

/// In training and on the test set, in %.
fn accuracy_of(record: &EpochRecord) -> [f64; 2] {
    [100.0 * record.train_accuracy, 100.0 * record.test.accuracy]
}

/// What the legend says of the test and the training curve of a run.
fn names(runs: &[Curve<'_>], name: &str) -> (String, String) {
    match runs {
        [_] => ("test".into(), "training".into()),
        _ => (name.into(), String::new()),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Full,
    Dashed,
}

fn line(
    chart: &mut Chart<'_, '_>,
    points: impl Iterator<Item = (f64, f64)>,
    position: usize,
    style: Style,
    name: &str,
) -> Result<(), PlotError> {
    let points: Vec<_> = points.filter(|point| point.1.is_finite()).collect();
    let stroke = colour(position).stroke_width(2);
    let single = points.len() == 1;
    let drawn = if style == Style::Dashed {
        chart.draw_series(DashedLineSeries::new(points.clone(), 5, 4, stroke))
    } else {
        chart.draw_series(LineSeries::new(points.clone(), stroke))
    };
    let drawn = drawn.map_err(PlotError::from_display)?;
    if !name.is_empty() {
        drawn.label(name).legend(move |(x, y)| {
            let end = if style == Style::Dashed { x + 8 } else { x + 18 };
            PathElement::new(vec![(x, y), (end, y)], stroke)
        });
    }
    if single {
        let dots = points.into_iter().map(|point| Circle::new(point, 3, colour(position).filled()));
        chart.draw_series(dots).map_err(PlotError::from_display)?;
    }
    Ok(())
}
