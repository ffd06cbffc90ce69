use super::PlotError;
use super::panel::{FONT, INK, draw};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The weights into one neuron, laid out as the layer they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What stands above it.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Row by row.
    pub weights: Vec<f64>,
}

/// Pixels of a field's longer side, and between fields.
const SIDE: usize = 112;
const GAP: usize = 24;
/// Colours told apart on either side of 0.
const LEVELS: f64 = 12.0;

/// Receptive fields side by side, orange above 0 and blue below, all on one scale: full colour at the
/// largest weight of all.
///
/// # Errors
/// If there is no weight, one is not finite, or a field's weights do not fill its shape.
pub fn weights(title: &str, fields: &[Field]) -> Result<String, PlotError> {
    let all = || fields.iter().flat_map(|field| &field.weights);
    let Some(largest) = all().map(|weight| weight.abs()).reduce(f64::max) else {
        return Err(PlotError::nothing("weight"));
    };
    if all().any(|weight| !weight.is_finite()) {
        return Err(PlotError("a weight is not finite".into()));
    }
    if fields.iter().any(|f| f.shape[0].checked_mul(f.shape[1]) != Some(f.weights.len())) {
        return Err(PlotError("a field's weights do not fill its shape".into()));
    }
    let columns = fields.len().min(8);
    let rows = fields.len().div_ceil(columns);
    let size = (columns * (SIDE + GAP) + GAP, rows * (SIDE + GAP) + GAP + 24);
    draw((size.0 as u32, size.1 as u32), |sheet| {
        let say = |text: &str, at: (usize, usize), size: i32, horizontal| {
            let style =
                (FONT, size).into_font().color(&INK).pos(Pos::new(horizontal, VPos::Center));
            let text = Text::new(text.to_string(), (at.0 as i32, at.1 as i32), style);
            sheet.draw(&text).map_err(PlotError::from_display)
        };
        say(&format!("{title}; full colour at ±{largest:.3}"), (GAP, 14), 14, HPos::Left)?;
        for (position, field) in fields.iter().enumerate() {
            let left = GAP + position % columns * (SIDE + GAP);
            let top = GAP + 24 + position / columns * (SIDE + GAP);
            say(&field.name, (left + SIDE / 2, top - 10), 12, HPos::Center)?;
            for ([x, y, width, height], level) in patches(field, largest) {
                let colour = if level > 0 { RGBColor(213, 94, 0) } else { RGBColor(0, 114, 178) };
                let fill = colour.mix(f64::from(level.unsigned_abs()) / LEVELS).filled();
                let corners = [(left + x, top + y), (left + x + width, top + y + height)];
                let corners = corners.map(|(x, y)| (x as i32, y as i32));
                sheet.draw(&Rectangle::new(corners, fill)).map_err(PlotError::from_display)?;
            }
            let (width, height) = extent(field.shape);
            let corners = [(left, top), (left + width, top + height)];
            let frame = Rectangle::new(corners.map(|(x, y)| (x as i32, y as i32)), INK.mix(0.3));
            sheet.draw(&frame).map_err(PlotError::from_display)?;
        }
        Ok(())
    })
}

/// Pixels a field takes.
fn extent([rows, columns]: [usize; 2]) -> (usize, usize) {
    let longest = rows.max(columns).max(1);
    ((columns * SIDE / longest).max(1), (rows * SIDE / longest).max(1))
}

/// Rectangles (x, y, width, height) of one colour: neighbours in a row that look alike are one.
fn patches(field: &Field, largest: f64) -> Vec<([usize; 4], i8)> {
    let [rows, columns] = field.shape;
    let (width, height) = extent(field.shape);
    let level = |weight: f64| match largest > 0.0 {
        true => (weight / largest * LEVELS).round() as i8,
        false => 0,
    };
    let mut patches = Vec::new();
    for row in 0..rows {
        let weights = &field.weights[row * columns..(row + 1) * columns];
        let mut start = 0;
        for run in weights.chunk_by(|a, b| level(*a) == level(*b)) {
            let end = start + run.len();
            if level(run[0]) != 0 {
                let (x, y) = (start * width / columns, row * height / rows);
                let (right, bottom) = (end * width / columns, (row + 1) * height / rows);
                patches.push(([x, y, right - x, bottom - y], level(run[0])));
            }
            start = end;
        }
    }
    patches
}
