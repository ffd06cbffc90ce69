use super::Event;
use crate::draws::{Draws, Purpose};

/// A simulated event camera: each pixel remembers the logarithm of the light it last reported, and
/// sends an event whenever the light has since changed by its threshold, ON for brighter, OFF for
/// darker (Lichtsteiner, Posch & Delbruck 2008).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// The change of ln(light) that makes an event.
    pub threshold: f64,
    /// The standard deviation of the thresholds of pixels, relative to their mean: sensors have about
    /// 0.03.
    pub mismatch: f64,
    /// The light of a black pixel, white being 1.
    pub dark: f64,
    /// Events a second that each pixel sends of itself.
    pub noise: f64,
}

impl Default for Camera {
    /// Gives MNIST about as many events as N-MNIST has, 4,000 a sample.
    fn default() -> Self {
        Self { threshold: 0.45, mismatch: 0.03, dark: 0.1, noise: 0.1 }
    }
}

/// The time between two looks at the scene, in us. Within it light is taken to change evenly.
const STEP: f64 = 2_000.0;
/// Pixels that are looked at together.
const GROUP: usize = 8;

/// A setting that no camera can have.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("event camera: {0}")]
pub struct CameraError(pub(super) &'static str);

impl Camera {
    /// Checks the settings.
    ///
    /// # Errors
    /// Unless the threshold is from 0.01 (below, events have no end) to 100, the light of a black
    /// pixel from 1e-6 to 1, the mismatch from 0 to 1 and the noise from 0 to 1,000.
    pub fn check(&self) -> Result<(), CameraError> {
        if !(0.01..=100.0).contains(&self.threshold) {
            return Err(CameraError("the threshold must be from 0.01 to 100"));
        }
        if !(1e-6..=1.0).contains(&self.dark) {
            return Err(CameraError("the light of a black pixel must be from 1e-6 to 1"));
        }
        if !(0.0..=1.0).contains(&self.mismatch) {
            return Err(CameraError("the mismatch must be from 0 to 1"));
        }
        if !(0.0..=1_000.0).contains(&self.noise) {
            return Err(CameraError("the noise must be from 0 to 1,000 events a second"));
        }
        Ok(())
    }

    /// What a camera of `side` x `side` pixels reports of a square image of `size` x `size` grey pixels
    /// that moves before it: at time t (us) the image's first pixel is at `path(t)`, (row, column)
    /// on the sensor. Beyond the image all is black. Events are sorted by time.
    ///
    /// Light between pixels is interpolated linearly in its logarithm.
    pub(super) fn watch(
        &self,
        image: &[u8],
        size: usize,
        side: usize,
        duration: f64,
        path: impl Fn(f64) -> (f64, f64),
        (seed, sample): (u64, u64),
    ) -> Vec<Event> {
        let mut draws = Draws::new(Purpose::Camera, seed, 0, sample);
        let scene = Scene::new(image, size, side, self.dark);
        let mut thresholds: Vec<f32> = (0..side * side)
            .map(|_| (self.threshold * (1.0 + self.mismatch * draws.normal()).max(0.1)) as f32)
            .collect();
        // Up to whole groups; the pixels added see no light and report nothing.
        let groups = (side * side).div_ceil(GROUP);
        thresholds.resize(groups * GROUP, 1.0);
        let mut light = vec![0.0; groups * GROUP];
        scene.look(path(0.0), &mut light);
        let (mut reported, mut before) = (light.clone(), light.clone());
        let mut events = Vec::new();
        let mut time = 0.0;
        while time < duration {
            let step = STEP.min(duration - time);
            scene.look(path(time + step), &mut light);
            for group in 0..groups {
                // Most pixels have nothing to report; eight are asked at once.
                let of = |values: &[f32]| values.as_chunks::<GROUP>().0[group];
                let (light_now, last, least) = (of(&light), of(&reported), of(&thresholds));
                let changes: [bool; GROUP] =
                    std::array::from_fn(|lane| (light_now[lane] - last[lane]).abs() >= least[lane]);
                if changes == [false; GROUP] {
                    continue;
                }
                for pixel in
                    (0..GROUP).filter(|&lane| changes[lane]).map(|lane| group * GROUP + lane)
                {
                    let (threshold, slope) = (thresholds[pixel], light[pixel] - before[pixel]);
                    while (light[pixel] - reported[pixel]).abs() >= threshold {
                        let on = light[pixel] > reported[pixel];
                        reported[pixel] += if on { threshold } else { -threshold };
                        // When the light passed the level now reported.
                        let part = f64::from((reported[pixel] - before[pixel]) / slope);
                        let at = time + part.clamp(0.0, 1.0) * step;
                        events.push(Event {
                            time: at as u64,
                            x: (pixel % side) as u32,
                            y: (pixel / side) as u32,
                            on,
                        });
                    }
                }
            }
            std::mem::swap(&mut before, &mut light);
            time += step;
        }
        self.add_noise(side, duration, &mut draws, &mut events);
        events.sort_by_key(|event| event.time);
        events
    }

    /// Noise is a Poisson process: the gaps between its events are exponentially distributed.
    fn add_noise(&self, side: usize, duration: f64, draws: &mut Draws, events: &mut Vec<Event>) {
        let rate = self.noise * (side * side) as f64 * 1e-6;
        if rate == 0.0 {
            return;
        }
        let mut time = 0.0;
        loop {
            time += -(1.0 - draws.unit()).ln() / rate;
            if time >= duration {
                return;
            }
            let pixel = draws.below((side * side) as u64) as u32;
            let (x, y, on) = (pixel % side as u32, pixel / side as u32, draws.below(2) == 1);
            events.push(Event { time: time as u64, x, y, on });
        }
    }
}

/// The logarithm of the light of an image in a black surround as wide as the sensor.
struct Scene {
    light: Vec<f32>,
    width: usize,
    side: usize,
}

impl Scene {
    fn new(image: &[u8], size: usize, side: usize, dark: f64) -> Self {
        let width = size + 2 * (side + 1);
        let levels: [f32; 256] =
            std::array::from_fn(|grey| (dark + (1.0 - dark) * grey as f64 / 255.0).ln() as f32);
        let mut light = vec![levels[0]; width * width];
        for (row, pixels) in image.chunks(size).enumerate() {
            let start = (row + side + 1) * width + side + 1;
            for (light, &pixel) in light[start..].iter_mut().zip(pixels) {
                *light = levels[usize::from(pixel)];
            }
        }
        Self { light, width, side }
    }

    /// What the sensor sees when the image's first pixel is at (row, column).
    fn look(&self, (row, column): (f64, f64), seen: &mut [f32]) {
        // Where the sensor's first pixel is in the scene; the surround is wide enough for all
        // places where the two still meet.
        let most = (self.width - self.side - 1) as f64;
        let place = |at: f64| ((self.side + 1) as f64 - at).clamp(0.0, most - 1e-6);
        let (row, column) = (place(row), place(column));
        let (top, left) = (row as usize, column as usize);
        let (down, right) = (row.fract() as f32, column.fract() as f32);
        let weights = [
            (1.0 - down) * (1.0 - right),
            (1.0 - down) * right,
            down * (1.0 - right),
            down * right,
        ];
        for (y, seen) in seen.chunks_exact_mut(self.side).take(self.side).enumerate() {
            let start = (top + y) * self.width + left;
            let upper = &self.light[start..start + self.side + 1];
            let lower = &self.light[start + self.width..start + self.width + self.side + 1];
            for x in 0..seen.len() {
                seen[x] = weights[0] * upper[x]
                    + weights[1] * upper[x + 1]
                    + weights[2] * lower[x]
                    + weights[3] * lower[x + 1];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Camera = Camera { threshold: 0.25, mismatch: 0.0, dark: 0.1, noise: 0.0 };

    #[test]
    fn each_pixel_reports_the_change_of_its_light() {
        // A white square of 4 x 4 that moves by five pixels to the right.
        let path = |time: f64| (3.0, 1.0 + 5.0 * time / 100_000.0);
        let events = QUIET.watch(&[255; 16], 4, 12, 100_000.0, path, (0, 0));
        let steps = (0.1_f64.ln() / 0.25).abs().floor() as i64;
        let mut sums = vec![0; 144];
        for event in &events {
            sums[(event.y * 12 + event.x) as usize] += if event.on { 1 } else { -1 };
        }
        for (pixel, &sum) in sums.iter().enumerate() {
            let (y, x) = (pixel / 12, pixel % 12);
            let expected = match (y, x) {
                (3..=6, 6..=9) => steps,
                (3..=6, 1..=4) => -steps,
                _ => 0,
            };
            // Hysteresis: a pixel that was white in between may keep one step less than it got.
            assert!((sum - expected).abs() <= 1, "({y}, {x}): {sum} against {expected}");
        }
        assert!(events.is_sorted_by_key(|event| event.time));
        // The edge reaches pixel column 9 when the square has moved between four and five pixels.
        let times: Vec<u64> = events.iter().filter(|e| e.x == 9).map(|e| e.time).collect();
        assert!(times.iter().all(|time| (80_000..=100_000).contains(time)), "{times:?}");
    }

    #[test]
    fn a_still_scene_makes_only_noise() {
        let still = |_: f64| (3.0, 3.0);
        assert!(QUIET.watch(&[200; 16], 4, 10, 1e6, still, (0, 0)).is_empty());
        let noisy = Camera { noise: 5.0, ..QUIET };
        let events = noisy.watch(&[200; 16], 4, 10, 1e6, still, (0, 0)).len();
        // 500 expected, standard deviation 22.
        assert!((400..600).contains(&events), "{events}");
    }

    #[test]
    fn settings_are_checked() {
        assert!(Camera::default().check().is_ok());
        for wrong in [
            Camera { threshold: 0.0, ..QUIET },
            Camera { threshold: f64::NAN, ..QUIET },
            Camera { dark: 0.0, ..QUIET },
            Camera { mismatch: -1.0, ..QUIET },
            Camera { noise: f64::INFINITY, ..QUIET },
        ] {
            assert!(wrong.check().is_err());
        }
    }
}
