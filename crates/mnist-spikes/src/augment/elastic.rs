use crate::draws::Draws;

/// The uniform cubic B-spline along one axis of an image: for each pixel the first of the four
/// control points it lies between, and their weights.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    weights: Vec<(usize, [f32; 4])>,
    points: usize,
}

impl Grid {
    /// Control points every `spacing` pixels for an axis of `length` pixels.
    pub(super) fn new(length: usize, spacing: f64) -> Self {
        let weights: Vec<_> = (0..length)
            .map(|pixel| {
                let place = pixel as f64 / spacing;
                (place as usize, cubic_b_spline(place.fract()).map(|weight| weight as f32))
            })
            .collect();
        let points = weights.last().map_or(0, |(first, _)| first + 4);
        Self { weights, points }
    }
}

/// A smooth random displacement along one direction: a B-spline surface over random control points.
/// These are uniform, which is cheap; each displacement is a sum of 16 of them, nearly normal.
pub(super) struct Field {
    /// `[control row][pixel column]`: interpolated along the rows already.
    across: Vec<f32>,
    width: usize,
}

impl Field {
    pub(super) fn draw(rows: &Grid, columns: &Grid, deviation: f64, draws: &mut Draws) -> Self {
        let most = deviation * 3.0_f64.sqrt();
        let mut across = Vec::with_capacity(rows.points * columns.weights.len());
        let mut points = vec![0.0; columns.points];
        for _ in 0..rows.points {
            points.fill_with(|| draws.uniform(-most, most) as f32);
            across.extend(columns.weights.iter().map(|(first, weights)| {
                weights.iter().zip(&points[*first..]).map(|(w, point)| w * point).sum::<f32>()
            }));
        }
        Self { across, width: columns.weights.len() }
    }

    /// Writes the displacements of the pixels of row `row`.
    pub(super) fn row(&self, rows: &Grid, row: usize, displacements: &mut [f32]) {
        let (first, weights) = rows.weights[row];
        displacements.fill(0.0);
        for (weight, points) in
            weights.iter().zip(self.across[first * self.width..].chunks(self.width))
        {
            for (displacement, point) in displacements.iter_mut().zip(points) {
                *displacement += weight * point;
            }
        }
    }
}

fn cubic_b_spline(t: f64) -> [f64; 4] {
    let u = 1.0 - t;
    [
        u * u * u / 6.0,
        (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
        (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0,
        t * t * t / 6.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Purpose;

    #[test]
    fn weights_sum_to_one() {
        for (first, weights) in Grid::new(28, 6.5).weights {
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6 && first <= 4);
        }
    }

    #[test]
    fn displacements_are_smooth_and_of_the_stated_size() {
        let grid = Grid::new(28, 7.0);
        let (mut square, mut row, mut next) = (0.0, vec![0.0; 28], vec![0.0; 28]);
        for sample in 0..200 {
            let mut draws = Draws::new(Purpose::Image, 0, 0, sample);
            let field = Field::draw(&grid, &grid, 2.0, &mut draws);
            for y in 0..27 {
                field.row(&grid, y, &mut row);
                field.row(&grid, y + 1, &mut next);
                for x in 0..27 {
                    square += f64::from(row[x] * row[x]) / (200.0 * 27.0 * 27.0);
                    let steps = [row[x] - row[x + 1], row[x] - next[x]];
                    assert!(steps.iter().all(|step| step.abs() < 1.5), "{steps:?}");
                }
            }
        }
        // The mean of the squared weights along an axis is 151/315: about half the deviation of 2.
        let expected = 4.0 * (151.0_f64 / 315.0).powi(2);
        assert!((square / expected - 1.0).abs() < 0.1, "{square} against {expected}");
    }
}
