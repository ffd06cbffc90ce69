//! Times what changes or makes samples: augmentation and the simulated event camera.

use mnist_spikes::augment::{Blend, EventAugmentation, ImageAugmentation};
use mnist_spikes::events::{Camera, moving_mnist};
use mnist_spikes::{Latency, mnist};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = mnist::load().test;
    let count = images.len() as f64;
    let report = |what: &str, samples: f64, start: Instant| {
        let cores = rayon::current_num_threads();
        println!(
            "{what}: {:.0} a second, {cores} threads",
            samples / start.elapsed().as_secs_f64()
        );
    };

    let affine = ImageAugmentation { shift: 2.0, rotation: 10.0, ..ImageAugmentation::NONE };
    for (what, settings) in [
        ("shift and rotation", affine),
        ("shift, rotation, elastic", ImageAugmentation { elastic: 2.0, ..affine }),
    ] {
        let augmenter = settings.prepare(images.height(), images.width(), 0)?;
        let start = Instant::now();
        for epoch in 0..5 {
            std::hint::black_box(augmenter.epoch(&images, epoch));
        }
        report(what, 5.0 * count, start);
    }

    let encoder = Latency::new(0.0, 20.0, 1)?;
    let (mut batch, start) = (lif_core::SpikeBatch::<f32>::new(), Instant::now());
    for images in images.pixels().chunks(128 * 784) {
        batch.clear();
        encoder.push(images, 784, &mut batch);
    }
    println!(
        "encoding in batches: {:.0} a second, 1 thread",
        count / start.elapsed().as_secs_f64()
    );

    let few = images.slice(0..1000);
    let start = Instant::now();
    let events = moving_mnist::<f32>(&few, &Camera::default(), 0)?;
    report("moving MNIST", 1000.0, start);
    println!("{} events a sample", events.spikes.spike_count() / 1000);

    let settings = EventAugmentation { shift: 2, jitter: 1.0, drop: 0.1 };
    let mut augmenter = settings.prepare(events.shape, 0)?;
    let start = Instant::now();
    for (sample, train) in (0..).zip(events.spikes.iter()) {
        batch.clear();
        augmenter.push(train, 0, sample, &mut batch);
    }
    let spikes = events.spikes.spike_count() as f64;
    println!(
        "events shifted, jittered, dropped: {:.1} million a second",
        spikes / start.elapsed().as_secs_f64() * 1e-6
    );
    let start = Instant::now();
    std::hint::black_box(Blend::new(&events, 0).epoch(0));
    println!(
        "events blended: {:.1} million a second",
        spikes / start.elapsed().as_secs_f64() * 1e-6
    );
    Ok(())
}
