//! A data set of one's own: which of three groups of inputs spikes, with noise from the others.
//!
//! cargo run --release --example own_data

use eventprop::lif_core::SpikeBatch;
use eventprop::lif_core::network::LayerSpec;
use eventprop::mnist_spikes::SpikeData;
use eventprop::{Config, Data, Event, Initialiser, Samples, Trainer};
use std::error::Error;
use std::ops::ControlFlow;

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::preset("mnist")?;
    config.name = "which-group".into();
    config.data.dropout = 0.0;
    config.network.duration = 60.0;
    config.network.layers = vec![
        LayerSpec::input("input", 3 * GROUP),
        LayerSpec::lif("hidden", 30, 20.0, 5.0),
        LayerSpec::li("output", 3, 20.0, 5.0),
    ];
    // A few spikes must be enough to make a neuron spike: weights are large.
    config.network.connections[0].weights = Some(Initialiser::Normal { mean: 1.5, sd: 1.0 });
    config.training.epochs = 4;
    config.training.batch_size = 20;

    let data = Data { train: samples(600, 0)?, validation: None, test: samples(150, 1)? };
    let mut trainer = Trainer::new(config, data)?;
    while !trainer.is_finished() {
        trainer.run_epoch(|event| {
            if let Event::EpochFinished(record) = event {
                println!("{}", record.summary(4));
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

/// Inputs of a group.
const GROUP: usize = 5;

/// Spike trains are (time in ms, input), sorted by time.
fn samples(count: u32, salt: u32) -> Result<Samples, Box<dyn Error>> {
    let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
    for sample in 0..count {
        // Scattered without a random number generator.
        let scatter = |place: u32| (sample * 2 + salt) * (577 + 211 * place) % 1009;
        let time = |place: u32| scatter(place) as f32 / 1009.0 * 15.0;
        let (label, group) = (sample % 3, GROUP as u32);
        let own = (0..group).map(|place| (time(place), label * group + place));
        let noise = (group..group + 2).map(|place| (time(place), scatter(place) % (3 * group)));
        let mut train: Vec<_> = own.chain(noise).collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train)?;
        labels.push(label);
    }
    let inputs = 3 * GROUP;
    Ok(Samples::new(SpikeData { spikes, labels, classes: 3, inputs, shape: [1, 1, inputs] }))
}
