//! Times what a training run does before its first step: decoding MNIST and encoding it as spikes.

use mnist_spikes::{Dropout, Latency, SpikeData, mnist, order};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let digits = mnist::load();
    let decoded = start.elapsed();
    let encoder = Latency::new(0.0, 20.0, 1)?;
    let encode = |images| SpikeData::<f32>::from_images(images, |images| encoder.encode(images));
    let (train, test) = (encode(&digits.train), encode(&digits.test));
    let encoded = start.elapsed();
    println!("decode {decoded:.1?}, encode {:.1?}", encoded - decoded);
    let spikes = (train.spikes.spike_count(), test.spikes.spike_count());
    println!("{} + {} spikes", spikes.0, spikes.1);

    let start = Instant::now();
    let order = order(0, 0, train.labels.len());
    let ordered = start.elapsed();
    let dropout = Dropout::new(0.2, 0, 0).ok_or("0.2 drops some")?;
    let (mut batch, mut kept) = (lif_core::SpikeBatch::new(), 0);
    for samples in order.chunks(128) {
        batch.clear();
        for &sample in samples {
            dropout.push(train.spikes.get(sample as usize), sample as usize, &mut batch);
        }
        kept += batch.spike_count();
    }
    println!("order {ordered:.1?}, dropout {:.1?}, {kept} spikes kept", start.elapsed() - ordered);
    Ok(())
}
