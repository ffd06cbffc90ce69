//! What all charts share: colours, the sheet they are drawn on, axes, lines.

use super::PlotError;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
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

/// Steps of the drawing in a pixel: what draws knows whole numbers only, and a curve on whole pixels
/// is a staircase.
const FINE: i32 = 4;

/// Pixels of a title.
pub(super) const TITLE: i32 = 34;

/// A length in pixels.
pub(super) const fn px(pixels: i32) -> i32 {
    FINE * pixels
}

/// Text of this size in pixels.
pub(super) fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", px(size)).into_font().color(&INK)
}

/// The colour of the series at `position`.
pub(super) fn colour(position: usize) -> RGBColor {
    COLOURS[position % COLOURS.len()]
}

/// Draws on a white sheet of `size` pixels and returns the SVG.
pub(super) fn draw(
    (width, height): (i32, i32),
    content: impl FnOnce(&Sheet<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let fine = (px(width) as u32, px(height) as u32);
    let mut svg = String::new();
    {
        let sheet = SVGBackend::with_string(&mut svg, fine).into_drawing_area();
        sheet.fill(&WHITE).map_err(PlotError::from_display)?;
        content(&sheet)?;
        sheet.present().map_err(PlotError::from_display)?;
    }
    let of = |width, height| format!("width=\"{width}\" height=\"{height}\"");
    Ok(svg.replacen(&of(px(width), px(height)), &of(width, height), 1))
}

/// Writes a title over the middle of a sheet, and returns what is left below it.
pub(super) fn titled<'a>(sheet: &Sheet<'a>, title: &str) -> Result<Sheet<'a>, PlotError> {
    let (head, rest) = sheet.split_vertically(px(TITLE));
    let middle = (head.dim_in_pixel().0 as i32 / 2, px(TITLE / 2));
    let style = font(17).pos(Pos::new(HPos::Center, VPos::Center));
    let text = Text::new(title.to_string(), middle, style);
    head.draw(&text).map_err(PlotError::from_display)?;
    Ok(rest)
}

/// A panel with both axes and a light grid.
pub(super) fn panel<'s, 'a: 's>(
    sheet: &'s Sheet<'a>,
    axes: (&str, &str),
    x: Range<f64>,
    y: Range<f64>,
) -> Result<Chart<'s, 'a>, PlotError> {
    let (x, y) = (widened(x)?, widened(y)?);
    let below = if axes.0.is_empty() { 22 } else { 40 };
    let mut chart = ChartBuilder::on(sheet)
        .margin(px(8))
        .margin_right(px(18))
        .x_label_area_size(px(below))
        .y_label_area_size(px(66))
        .build_cartesian_2d(x, y)
        .map_err(PlotError::from_display)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.25).stroke_width(px(1) as u32))
        .axis_style(GREY.stroke_width(px(1) as u32))
        .set_all_tick_mark_size(px(5))
        .label_style(font(15))
        .axis_desc_style(font(15))
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

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    pub(super) colour: RGBColor,
    /// In pixels.
    pub(super) width: i32,
    pub(super) dash: Dash,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dash {
    Full,
    Dashed,
    Dotted,
}

impl Stroke {
    /// Two pixels wide, without gaps.
    pub(super) fn full(colour: RGBColor) -> Self {
        Self { colour, width: 2, dash: Dash::Full }
    }

    pub(super) fn with(self, dash: Dash) -> Self {
        Self { dash, ..self }
    }

    fn style(self) -> ShapeStyle {
        self.colour.stroke_width(px(self.width) as u32)
    }

    /// Lengths of dash and gap in pixels.
    fn gaps(self) -> Option<(i32, i32)> {
        match self.dash {
            Dash::Full => None,
            Dash::Dashed => Some((5, 4)),
            Dash::Dotted => Some((2, 3)),
        }
    }
}

/// Draws a line; what has one point only is a dot.
pub(super) fn line(
    chart: &mut Chart<'_, '_>,
    points: Vec<(f64, f64)>,
    stroke: Stroke,
) -> Result<(), PlotError> {
    let drawn = match (points.as_slice(), stroke.gaps()) {
        (&[point], _) => {
            let dot = Circle::new(point, px(3), stroke.colour.filled());
            chart.draw_series([dot]).map(drop)
        }
        (_, None) => chart.draw_series(LineSeries::new(points, stroke.style())).map(drop),
        (_, Some((dash, gap))) => {
            let line = DashedLineSeries::new(points, px(dash), px(gap), stroke.style());
            chart.draw_series(line).map(drop)
        }
    };
    drawn.map_err(PlotError::from_display)
}

/// A sheet and, right of it, the room for a key with these names.
pub(super) fn beside<'a, 'n>(
    sheet: &Sheet<'a>,
    names: impl IntoIterator<Item = &'n str>,
) -> (Sheet<'a>, Sheet<'a>) {
    let longest = names.into_iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let room = px(36 + 7 * longest.min(40) as i32);
    let width = sheet.dim_in_pixel().0 as i32;
    sheet.split_horizontally((width - room).max(width / 2))
}

/// What the lines of a chart are, one below the other.
pub(super) fn key(sheet: &Sheet<'_>, entries: &[(&str, Stroke)]) -> Result<(), PlotError> {
    for (position, (name, stroke)) in entries.iter().enumerate() {
        let y = px(20 + 18 * position as i32);
        let ends = [(0, y), (px(22), y)];
        let drawn = match stroke.gaps() {
            None => sheet.draw(&PathElement::new(ends, stroke.style())),
            Some((dash, gap)) => {
                let (dash, gap) = (px(dash) as u32, px(gap) as u32);
                sheet.draw(&DashedPathElement::new(ends, dash, gap, stroke.style()))
            }
        };
        drawn.map_err(PlotError::from_display)?;
        let text = Text::new(name.to_string(), (px(28), y - px(7)), font(13));
        sheet.draw(&text).map_err(PlotError::from_display)?;
    }
    Ok(())
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
    if !(1e-4..1e5).contains(&magnitude) {
        return format!("{value:.1e}");
    }
    let decimals = if magnitude >= 100.0 { 0 } else { 5 };
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
            (0.0015, "0.0015"),
            (-3.0, "-3"),
            (1e-17, "0"),
            (2e-4, "0.0002"),
            (2e-5, "2.0e-5"),
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
