use super::PlotError;
use super::panel::{INK, draw, font, px};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A cell.
const CELL: i32 = px(46);
/// What lies left of and above the cells.
const EDGE: i32 = px(64);

/// A confusion matrix `[label][prediction]`, its last column those without a prediction (left out
/// where it is all 0). Each row is coloured by its own share: blue what is right, orange what is
/// wrong; the root of the share, so that a single mistake is seen.
///
/// # Errors
/// If there is no class.
pub fn confusion(counts: &[Vec<u64>]) -> Result<String, PlotError> {
    let classes = counts.len();
    if classes == 0 {
        return Err(PlotError::nothing("class"));
    }
    let unpredicted = counts.iter().any(|row| row.get(classes).is_some_and(|&count| count > 0));
    let columns = classes + usize::from(unpredicted);
    let pixels = |cells: usize| (EDGE + CELL * cells as i32) / px(1) + 20;
    draw((pixels(columns), pixels(classes)), |sheet| {
        let middle = |column: usize| EDGE + CELL * column as i32 + CELL / 2;
        let say = |text: String, at, size, ink: &RGBColor| {
            let style = font(size).color(ink).pos(Pos::new(HPos::Center, VPos::Center));
            sheet.draw(&Text::new(text, at, style)).map_err(PlotError::from_display)
        };
        let width = CELL * columns as i32;
        say("prediction".into(), (EDGE + width / 2, px(18)), 14, &INK)?;
        say("label".into(), (px(24), EDGE + CELL * classes as i32 / 2), 14, &INK)?;
        for column in 0..columns {
            let name = if column < classes { column.to_string() } else { "none".into() };
            say(name, (middle(column), EDGE - px(14)), 13, &INK)?;
        }
        for (label, row) in counts.iter().enumerate() {
            say(label.to_string(), (EDGE - px(14), middle(label)), 13, &INK)?;
            let total = row.iter().sum::<u64>().max(1);
            for (column, &count) in row.iter().take(columns).enumerate() {
                let share = (count as f64 / total as f64).sqrt();
                let right = RGBColor(0, 114, 178).mix(0.8 * share);
                let wrong = RGBColor(213, 94, 0).mix(0.9 * share);
                let fill = if column == label { right } else { wrong };
                let (x, y) = (middle(column) - CELL / 2, middle(label) - CELL / 2);
                let corners = [(x, y), (x + CELL - px(2), y + CELL - px(2))];
                sheet
                    .draw(&Rectangle::new(corners, fill.filled()))
                    .map_err(PlotError::from_display)?;
                if count > 0 {
                    let ink = if column == label && share > 0.7 { WHITE } else { INK };
                    say(count.to_string(), (x + CELL / 2 - px(1), y + CELL / 2 - px(1)), 13, &ink)?;
                }
            }
        }
        Ok(())
    })
}
