//! What all pictures share: colours, the sheet they are drawn on, axes.

use super::PlotError;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

pub(super) type Sheet<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Chart<'s, 'a> =
    ChartContext<'s, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Okabe and Ito's colours, told apart by colour-blind readers too, and three more.
const COLOURS: [RGBColor; 10] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
    RGBColor(140, 86, 75),
    RGBColor(75, 0, 130),
    RGBColor(150, 150, 150),
];

pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
pub(super) const GREY: RGBColor = RGBColor(150, 150, 150);
pub(super) const FONT: &str = "sans-serif";

/// The colour of the series at `position`.
pub(super) fn colour(position: usize) -> RGBColor {
    COLOURS[position % COLOURS.len()]
}

/// Draws on a white sheet of `size` pixels and returns the SVG.
pub(super) fn draw(
    size: (u32, u32),
    content: impl FnOnce(&Sheet<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let sheet = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        sheet.fill(&WHITE).map_err(PlotError::from_display)?;
        content(&sheet)?;
        sheet.present().map_err(PlotError::from_display)?;
    }
    Ok(svg)
}

/// A panel with a title, both axes and a light grid.
pub(super) fn panel<'s, 'a: 's>(
    sheet: &'s Sheet<'a>,
    title: &str,
    axes: (&str, &str),
    x: Range<f64>,
    y: Range<f64>,
) -> Result<Chart<'s, 'a>, PlotError> {
    let (x, y) = (widened(x)?, widened(y)?);
    let mut builder = ChartBuilder::on(sheet);
    builder.margin(8).margin_right(18).x_label_area_size(40).y_label_area_size(66);
    if !title.is_empty() {
        builder.caption(title, (FONT, 18).into_font().color(&INK));
    }
    let mut chart = builder.build_cartesian_2d(x, y).map_err(PlotError::from_display)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.25))
        .axis_style(GREY)
        .label_style((FONT, 15).into_font().color(&INK))
        .x_desc(axes.0)
        .y_desc(axes.1)
        .x_labels(8)
        .y_labels(5)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .draw()
        .map_err(PlotError::from_display)?;
    Ok(chart)
}

/// Draws the names of the series that have one.
pub(super) fn legend<'s, 'a: 's>(
    chart: &mut Chart<'s, 'a>,
    at: SeriesLabelPosition,
) -> Result<(), PlotError> {
    chart
        .configure_series_labels()
        .position(at)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 12).into_font().color(&INK))
        .draw()
        .map_err(PlotError::from_display)
}

/// The span of those of `values` that are finite, none if there is none.
pub(super) fn span(values: impl IntoIterator<Item = f64>) -> Option<Range<f64>> {
    values.into_iter().filter(|value| value.is_finite()).fold(None, |span, value| match span {
        None => Some(value..value),
        Some(Range { start, end }) => Some(start.min(value)..end.max(value)),
    })
}

/// Refuses lines with a value that is not finite.
pub(super) fn check_finite<'a>(
    points: impl IntoIterator<Item = &'a (f64, f64)>,
) -> Result<(), PlotError> {
    match points.into_iter().all(|(time, value)| time.is_finite() && value.is_finite()) {
        true => Ok(()),
        false => Err(PlotError::not_finite()),
    }
}

/// A twentieth more on both sides.
pub(super) fn padded(Range { start, end }: Range<f64>) -> Range<f64> {
    let more = 0.05 * (end - start);
    start - more..end + more
}

/// An axis has a length, whatever the values are.
fn widened(Range { start, end }: Range<f64>) -> Result<Range<f64>, PlotError> {
    if !(start.is_finite() && end.is_finite()) {
        return Err(PlotError::not_finite());
    }
    let least = f64::max(start.abs(), end.abs()) * 1e-9;
    Ok(if end - start > least { start..end } else { start - 0.5..end + 0.5 })
}

/// Short numbers on axes.
fn number(value: &f64) -> String {
    let magnitude = value.abs();
    if magnitude < 1e-12 {
        return "0".into();
    }
    if !(1e-3..1e5).contains(&magnitude) {
        return format!("{value:.1e}");
    }
    let decimals = if magnitude >= 100.0 { 0 } else { 3 };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (-3.0, "-3"),
            (1e-17, "0"),
            (2e-4, "2.0e-4"),
            (1500.0, "1500"),
        ] {
            assert_eq!(number(&value), text);
        }
    }

    #[test]
    fn an_axis_of_one_value_has_a_length_and_one_of_none_is_refused() {
        assert_eq!(widened(2.0..2.0), Ok(1.5..2.5));
        assert!(widened(0.0..f64::NAN).is_err() && widened(0.0..f64::INFINITY).is_err());
    }
}
