use super::PlotError;
use super::panel::{Dash, INK, Stroke, beside, colour, draw, key, line, padded, panel, span};
use crate::metrics::EpochRecord;
use plotters::style::RGBColor;

/// A run in a picture of curves.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// What the key calls it.
    pub name: &'a str,
    /// Its epochs.
    pub history: &'a [EpochRecord],
}

/// What is drawn for a run: numbers of an epoch, each with how its line is drawn.
type Series = (fn(&EpochRecord) -> f64, Dash);

const LOSS: [Series; 2] = [(|r| r.test.loss, Dash::Full), (|r| r.train_loss, Dash::Dashed)];
const ACCURACY: [Series; 2] =
    [(|r| 100.0 * r.test.accuracy, Dash::Full), (|r| 100.0 * r.train_accuracy, Dash::Dashed)];

/// Loss, accuracy and spikes a sample over the epochs of one or several runs, each with a colour of
/// its own. Full lines are measured on the test set, dashed ones in training; spikes have a line a
/// layer. A value that is not finite is a gap.
///
/// # Errors
/// If no run has an epoch behind it.
pub fn curves(runs: &[Curve<'_>]) -> Result<String, PlotError> {
    let records = || runs.iter().flat_map(|run| run.history);
    let epochs = span(records().map(|record| f64::from(record.epoch)))
        .ok_or_else(|| PlotError::nothing("epoch that is done"))?;
    let layers = layers(runs);
    let measured = measured(runs);
    let layer_key: Vec<_> = match runs {
        [_] => {
            layers.iter().enumerate().map(|(i, name)| (*name, Stroke::full(colour(i)))).collect()
        }
        _ => layers.iter().enumerate().map(|(i, name)| (*name, layer_of_many(INK, i))).collect(),
    };
    draw((860, 840), |sheet| {
        let names = measured.iter().chain(&layer_key).map(|entry| entry.0);
        let (sheet, keys) = beside(sheet, names);
        let (panels, keys) = (sheet.split_evenly((3, 1)), keys.split_evenly((3, 1)));
        for (place, (name, series)) in
            [("loss", LOSS), ("accuracy (%)", ACCURACY)].iter().enumerate()
        {
            let values = span(records().flat_map(|record| series.map(|(value, _)| value(record))));
            let range = padded(values.unwrap_or(0.0..1.0));
            let mut chart = panel(&panels[place], ("epoch", name), epochs.clone(), range)?;
            for (position, run) in runs.iter().enumerate() {
                for (value, dash) in series {
                    let stroke = Stroke::full(colour(position)).with(*dash);
                    line(&mut chart, points(run, |record| Some(value(record))), stroke)?;
                }
            }
        }
        key(&keys[0], &measured)?;

        let values = records().flat_map(|r| &r.layers).map(|layer| layer.spikes_per_sample);
        let range = padded(span(values.chain([0.0])).unwrap_or(0.0..1.0));
        let mut chart = panel(&panels[2], ("epoch", "spikes a sample"), epochs, range)?;
        for (position, run) in runs.iter().enumerate() {
            for (layer, name) in layers.iter().enumerate() {
                let spikes = |record: &EpochRecord| {
                    let own = record.layers.iter().find(|activity| activity.layer == *name)?;
                    Some(own.spikes_per_sample)
                };
                let stroke = match runs {
                    [_] => layer_key[layer].1,
                    _ => layer_of_many(colour(position), layer),
                };
                line(&mut chart, points(run, spikes), stroke)?;
            }
        }
        key(&keys[2], &layer_key)
    })
}

/// The names of the layers of all runs.
fn layers<'a>(runs: &[Curve<'a>]) -> Vec<&'a str> {
    let mut layers: Vec<&str> = Vec::new();
    for activity in runs.iter().filter_map(|run| run.history.first()).flat_map(|r| &r.layers) {
        if !layers.contains(&activity.layer.as_str()) {
            layers.push(&activity.layer);
        }
    }
    layers
}

/// What lines and colours of loss and accuracy mean.
fn measured<'a>(runs: &[Curve<'a>]) -> Vec<(&'a str, Stroke)> {
    // Of several runs no colour is that of all.
    let first = Stroke::full(if runs.len() > 1 { INK } else { colour(0) });
    let mut key = vec![("test set", first), ("training", first.with(Dash::Dashed))];
    if runs.len() > 1 {
        let runs = runs.iter().enumerate();
        key.extend(runs.map(|(position, run)| (run.name, Stroke::full(colour(position)))));
    }
    key
}

/// Of several runs each has a colour, so that layers differ in their dashes.
fn layer_of_many(run: RGBColor, layer: usize) -> Stroke {
    let dashes = [Dash::Full, Dash::Dashed, Dash::Dotted];
    Stroke::full(run).with(dashes[layer % dashes.len()])
}

fn points(run: &Curve<'_>, value: impl Fn(&EpochRecord) -> Option<f64>) -> Vec<(f64, f64)> {
    let points = run.history.iter().filter_map(|r| Some((f64::from(r.epoch), value(r)?)));
    points.filter(|point| point.1.is_finite()).collect()
}
