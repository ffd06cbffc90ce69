//! Trains a network that is described in code, on the bundled MNIST, and keeps it.
//!
//! cargo run --release --example train_from_code -- [EPOCHS] [SAMPLES] [FILE]

use eventprop::lif_core::SpikeBatch;
use eventprop::lif_core::network::LayerSpec;
use eventprop::mnist_spikes::SpikeData;
use eventprop::{Config, Data, Event, Samples, Trainer};
use std::error::Error;
use std::ops::ControlFlow;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let epochs = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let count = arguments.next().map_or(Ok(2000), |text| text.parse())?;
    let path = arguments.next().unwrap_or_else(|| "from-code.safetensors".into());

    // From a preset, with another hidden layer: every field of the file is a field here.
    let mut config = Config::preset("mnist")?;
    config.name = "from-code".into();
    config.training.epochs = epochs;
    config.network.layers[1] = LayerSpec::lif("hidden", 100, 20.0, 5.0);
    config.check()?;

    let whole = Data::load(&config)?;
    let data = Data {
        train: first(&whole.train, count),
        validation: None,
        test: first(&whole.test, count / 4 + 1),
    };
    let mut trainer = Trainer::new(config, data)?;
    while !trainer.is_finished() {
        trainer.run_epoch(|event| {
            if let Event::EpochFinished(record) = event {
                println!("{}", record.summary(epochs));
            }
            ControlFlow::Continue(())
        })?;
    }
    trainer.checkpoint().save(path.as_ref())?;
    println!("written to {path}");
    Ok(())
}

/// The first `count` samples.
fn first(samples: &Samples, count: usize) -> Samples {
    let mut spikes = SpikeBatch::new();
    let count = count.min(samples.len());
    (0..count).for_each(|sample| spikes.push_train(samples.spikes(sample)));
    Samples::new(SpikeData {
        spikes,
        labels: (0..count).map(|sample| samples.label(sample)).collect(),
        classes: samples.classes(),
        inputs: samples.inputs(),
        shape: [1, 1, samples.inputs()],
    })
}
