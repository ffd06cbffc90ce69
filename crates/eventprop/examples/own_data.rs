//! A data set of one's own: which of two inputs spikes first.
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
    config.name = "which-first".into();
    config.data.dropout = 0.0;
    config.network.duration = 60.0;
    config.network.layers = vec![
        LayerSpec::input("input", 2),
        LayerSpec::lif("hidden", 30, 20.0, 5.0),
        LayerSpec::li("output", 2, 20.0, 5.0),
    ];
    // Two spikes must be enough to make a neuron spike: weights are large.
    config.network.connections[0].weights = Some(Initialiser::Normal { mean: 3.0, sd: 2.0 });
    config.training.epochs = 12;
    config.training.batch_size = 20;

    let data = Data { train: samples(1000, 0)?, validation: None, test: samples(200, 1)? };
    let mut trainer = Trainer::new(config, data)?;
    while !trainer.is_finished() {
        trainer.run_epoch(|event| {
            if let Event::EpochFinished(record) = event {
                println!("{}", record.summary(12));
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

/// Spike trains are (time in ms, input), sorted by time.
fn samples(count: u32, salt: u32) -> Result<Samples, Box<dyn Error>> {
    let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
    for sample in 0..count {
        // A scattered time and lead, without a random number generator.
        let scatter = |factor: u32| ((sample * 2 + salt) * factor % 1009) as f32 / 1009.0;
        let (early, lead) = (10.0 * scatter(577), 2.0 + 10.0 * scatter(211));
        let label = sample % 2;
        spikes.push_sorted([(early, label), (early + lead, 1 - label)])?;
        labels.push(label);
    }
    Ok(Samples::new(SpikeData { spikes, labels, classes: 2, inputs: 2, shape: [1, 1, 2] }))
}
