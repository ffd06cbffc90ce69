use super::Problem;
use lif_core::grid::GridVariant;
use proptest::prelude::*;

/// A sample: either every input once at one of two times, or that with some inputs missing and
/// others spiking again, or anything.
pub fn sample(inputs: usize) -> impl Strategy<Value = Vec<(f32, u32)>> {
    let time = (0..42_u32).prop_map(|half_steps| half_steps as f32 / 2.0);
    let two_times = (proptest::collection::vec(any::<bool>(), inputs), 0..8_u32, 8..16_u32)
        .prop_map(|(white, early, late)| {
            let time = |white| if white { early as f32 } else { late as f32 };
            white.iter().zip(0..).map(|(&white, i)| (time(white), i)).collect::<Vec<_>>()
        })
        .boxed();
    let anything = proptest::collection::vec((time, 0..inputs as u32), 0..2 * inputs);
    let mostly = (two_times.clone(), proptest::collection::vec(any::<prop::sample::Index>(), 3))
        .prop_map(|(mut spikes, places)| {
            let last = places.len() - 1;
            for place in &places[..last] {
                spikes.remove(place.index(spikes.len()));
            }
            let again = spikes[places[last].index(spikes.len())];
            spikes.push((again.0 + 1.0, again.1));
            spikes
        });
    prop_oneof![2 => two_times, 1 => mostly, 1 => anything]
}

/// A problem of up to `layers` layers after the input, 40 inputs, 20 neurons a layer and 20 samples: one
/// whose neurons are silent, or wake when they are bumped, or spike, or spike again.
pub fn problem(layers: usize) -> impl Strategy<Value = Problem> {
    let head = (Just(GridVariant::Head), proptest::collection::vec(1..=20_usize, 1..=layers));
    let first = (Just(GridVariant::First), proptest::collection::vec(1..=20_usize, 1));
    let dt = prop_oneof![Just(1.0), Just(0.5)];
    // What a neuron hears from all inputs at once, at most.
    let drive = prop_oneof![Just(8.0_f32), Just(12.0), Just(16.0), Just(32.0)];
    (prop_oneof![head, first], 4..40_usize, 1..=20_usize, dt, drive).prop_flat_map(
        |((variant, layers), inputs, samples, dt, drive)| {
            let inputs_of = std::iter::once(&inputs).chain(&layers);
            let weights: Vec<_> = inputs_of
                .zip(&layers)
                .map(|(&inputs, &neurons)| weights(inputs, neurons, drive).boxed())
                .collect();
            let outputs = layers[layers.len() - 1] as u32;
            (
                weights,
                proptest::collection::vec(sample(inputs), samples),
                proptest::collection::vec(0..outputs, samples),
            )
                .prop_map(move |(weights, samples, labels)| Problem {
                    variant,
                    inputs,
                    layers: layers.clone(),
                    dt,
                    bump: 0.1,
                    weights,
                    samples,
                    labels,
                })
        },
    )
}

/// Of which a neuron that hears all inputs at once hears `drive` at most.
fn weights(inputs: usize, neurons: usize, drive: f32) -> impl Strategy<Value = Vec<f32>> {
    // Of whole numbers: in some ranges of f32 proptest 1.12 panics now and then.
    let weight = (-3_000_000..10_000_000_i32)
        .prop_map(move |share| share as f32 * 1e-7 * drive / inputs as f32);
    proptest::collection::vec(weight, inputs * neurons)
}
