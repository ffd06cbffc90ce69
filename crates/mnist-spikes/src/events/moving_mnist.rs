use super::camera::{Camera, CameraError};
use crate::images::ImageSet;
use crate::spike_data::SpikeData;
use lif_core::{Real, SpikeBatch};
use rayon::prelude::*;

/// Rows and columns of the sensor, as in N-MNIST.
const SIDE: usize = 34;
/// The duration of one saccade in us.
const SACCADE: f64 = 100_000.0;
/// Where the image is centred, in pixels from the centre of the sensor, (row, column), between the
/// saccades: the corners of an isosceles triangle, within the three pixels that MNIST leaves free.
const CORNERS: [(f64, f64); 4] = [(-3.0, -3.0), (3.0, 0.0), (-3.0, 3.0), (-3.0, -3.0)];

/// MNIST as N-MNIST shows it (Orchard et al. 2015): each image moves before an event camera of
/// 34 x 34 pixels along the three sides of a triangle, 100 ms each, and what the camera reports are
/// the spikes. The events of a sample depend on the seed and its position alone.
///
/// A saccade speeds up and slows down along the path of minimum jerk (Flash & Hogan 1985).
///
/// # Errors
/// If the camera's settings make no sense, or images are not square or larger than 34 x 34.
pub fn moving_mnist<T: Real>(
    images: &ImageSet,
    camera: &Camera,
    seed: u64,
) -> Result<SpikeData<T>, CameraError> {
    camera.check()?;
    let size = images.height();
    if size != images.width() || size > SIDE {
        return Err(CameraError("images must be square and at most 34 x 34 pixels"));
    }
    let margin = 0.5 * (SIDE - size) as f64;
    let path = |time: f64| {
        let (row, column) = saccades(time);
        (margin + row, margin + column)
    };
    let samples: Vec<Vec<(T, u32)>> = (0..images.len())
        .into_par_iter()
        .map(|sample| {
            let draws = (seed, sample as u64);
            let events = camera.watch(images.image(sample), size, SIDE, 3.0 * SACCADE, path, draws);
            let side = SIDE as u32;
            let spike = |e: super::Event| (T::of(e.time as f64 * 1e-3), e.input(side, side));
            events.into_iter().map(spike).collect()
        })
        .collect();
    let mut spikes = SpikeBatch::with_capacity(samples.len(), samples.iter().map(Vec::len).sum());
    for sample in samples {
        spikes.push_sorted(sample).expect("sorted by time");
    }
    Ok(SpikeData {
        spikes,
        labels: images.labels().to_vec(),
        classes: images.classes(),
        inputs: 2 * SIDE * SIDE,
        shape: [2, SIDE, SIDE],
    })
}

fn saccades(time: f64) -> (f64, f64) {
    let saccade = ((time / SACCADE) as usize).min(2);
    let u = (time / SACCADE - saccade as f64).clamp(0.0, 1.0);
    let done = u * u * u * (10.0 + u * (6.0 * u - 15.0));
    let (from, to) = (CORNERS[saccade], CORNERS[saccade + 1]);
    (from.0 + done * (to.0 - from.0), from.1 + done * (to.1 - from.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mnist;

    #[test]
    fn saccades_pass_the_corners() {
        for (corner, &expected) in CORNERS.iter().enumerate() {
            let (row, column) = saccades(corner as f64 * SACCADE);
            assert!((row - expected.0).abs() < 1e-9 && (column - expected.1).abs() < 1e-9);
        }
        assert_eq!(saccades(0.5 * SACCADE), (0.0, -1.5));
    }

    #[test]
    fn streams_are_like_those_of_n_mnist() {
        let images = mnist::load().test.slice(0..40);
        let data = moving_mnist::<f32>(&images, &Camera::default(), 1).unwrap();
        let mean = data.spikes.spike_count() / 40;
        assert!((3_000..6_000).contains(&mean), "{mean} events a sample");
        let mut on = 0;
        for train in data.spikes.iter() {
            let last = train.times().last().copied().unwrap_or_default();
            assert!((250.0..=300.0).contains(&last), "the last event comes at {last} ms");
            assert!(train.indices().iter().all(|&input| input < 2 * 34 * 34));
            on += train.indices().iter().filter(|&&input| input >= 34 * 34).count();
        }
        let share = on as f64 / data.spikes.spike_count() as f64;
        assert!((0.4..0.6).contains(&share), "{share} of the events are ON");

        // The same for a sample whatever others there are, another for another seed.
        let fewer = moving_mnist::<f32>(&images.slice(0..3), &Camera::default(), 1).unwrap();
        assert_eq!(fewer.spikes.get(2), data.spikes.get(2));
        let other = moving_mnist::<f32>(&images.slice(0..3), &Camera::default(), 2).unwrap();
        assert_ne!(fewer.spikes, other.spikes);
    }

    #[test]
    fn refuses_images_that_do_not_fit() {
        let wide = ImageSet::new(vec![0; 6], 2, 3, vec![0], 1).unwrap();
        assert!(moving_mnist::<f32>(&wide, &Camera::default(), 0).is_err());
    }
}
