//! A loss of one's own: the squared distance of the highest voltages from 1 for the label, 0 for the
//! others. An objective gives its value and its derivatives by what is measured; the engine does the
//! rest, exactly.
//!
//! cargo run --release --example own_loss

use eventprop::lif_core::SpikeBatch;
use eventprop::lif_core::engine::Training;
use eventprop::lif_core::loss::{Objective, Readout};
use eventprop::lif_core::network::LayerSpec;
use eventprop::mnist_spikes::SpikeData;
use eventprop::{Config, Data, Event, Initialiser, Samples, Trainer, backend};
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;

struct SquaredDistance;

impl Objective<f32> for SquaredDistance {
    fn readout(&self) -> Readout {
        Readout::VMax
    }

    fn evaluate(&self, outputs: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
        let mut loss = 0.0;
        for (neuron, (output, gradient)) in outputs.iter().zip(gradient).enumerate() {
            let error = output - if neuron == label { 1.0 } else { 0.0 };
            loss += error * error;
            *gradient = 2.0 * error;
        }
        loss
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::preset("mnist")?;
    config.network.layers = vec![
        LayerSpec::input("input", 12),
        LayerSpec::lif("hidden", 24, 20.0, 5.0),
        LayerSpec::li("output", 3, 20.0, 5.0),
    ];
    config.network.connections[0].weights = Some(Initialiser::Normal { mean: 3.0, sd: 2.0 });
    config.network.connections[1].weights = Some(Initialiser::Normal { mean: 0.2, sd: 0.37 });
    config.data.dropout = 0.0;
    config.training.epochs = 5;

    let network = config.network.build()?;
    let objective: Arc<dyn Objective<f32>> = Arc::new(SquaredDistance);
    let training = config.training.for_engine(config.loss, &network)?;
    let training = Training { objective: Arc::clone(&objective), ..training };
    let mut engine = backend::create("cpu", &network, training, None)?;
    engine.load(&config.network.initial_parameters(config.training.seed)?)?;

    let data = Data { train: samples(300)?, validation: None, test: samples(60)? };
    let mut trainer = Trainer::with_engine(config, engine, objective, data)?;
    while !trainer.is_finished() {
        trainer.run_epoch(|event| {
            if let Event::EpochFinished(record) = event {
                println!("{}", record.summary(5));
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

/// Four inputs a class.
fn samples(count: u32) -> Result<Samples, Box<dyn Error>> {
    let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
    for sample in 0..count {
        let label = sample % 3;
        let time = |place: u32| (place * 3 + sample / 3 % 7) as f32 * 0.4;
        spikes.push_sorted((0..4).map(|place| (time(place), 4 * label + place)))?;
        labels.push(label);
    }
    Ok(Samples::new(SpikeData { spikes, labels, classes: 3, inputs: 12, shape: [1, 1, 12] }))
}
