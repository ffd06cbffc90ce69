//! Training speed on samples kept on the device, and what the device can do at most; one JSON line a
//! measurement: `speed [toy]`, or `speed [output|seed|grid] [thread|lane] SAMPLES BATCH EVENTS` for one, of which a
//! profiler that waits to be started (`ncu --profile-from-start off`) sees what comes after the first epoch.

mod measure;
mod workload;

use eventprop_cuda::{ByArrival, Ceilings, CudaOptions, measure_ceilings, probe};
use lif_core::SpikeBatch;
use lif_core::engine::EngineError;
use measure::{Plan, measure};
use workload::{Model, Workload};

fn main() -> Result<(), EngineError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    let toy = arguments.iter().any(|argument| argument == "toy");
    let device = probe(0)?.name;
    if let [samples, batch, events] = numbers[..] {
        let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
        let named = [("output", Model::Output), ("seed", Model::Seed), ("grid", Model::Grid)];
        let named = named.into_iter().find(|(name, _)| is_given(name));
        let model = named.map_or(Model::Hidden(350), |(_, model)| model);
        let way = usize::from(is_given("thread")) + 2 * usize::from(is_given("lane"));
        let (how, by_arrival) = WALKS[way.min(WALKS.len() - 1)];
        let workload = Workload { model, events };
        let plan = Plan { samples, batches: vec![batch], epochs: 2, profiled: true };
        let spikes = workload.spikes(samples);
        let options = CudaOptions { by_arrival, ..CudaOptions::default() };
        return report(&device, how, &workload, &plan, (&spikes, options));
    }
    ceilings(&device, if toy { 1 } else { 1024 })?;
    let mut outcome = Ok(());
    for (workload, plan) in if toy { toys() } else { plans() } {
        let spikes = workload.spikes(plan.samples);
        for &(how, by_arrival) in ways(workload.model) {
            let options = CudaOptions { by_arrival, ..CudaOptions::default() };
            if let Err(error) = report(&device, how, &workload, &plan, (&spikes, options)) {
                println!(
                    "{{\"name\": \"{}{how}\", \"error\": \"{error}\"}}",
                    workload.model.name()
                );
                // The others are measured all the same.
                outcome = Err(error);
            }
        }
    }
    outcome
}

/// How neurons are walked: as the engine chooses, and in one way throughout.
const WALKS: [(&str, ByArrival); 3] = [
    ("", ByArrival::WhereFaster),
    (", a thread a neuron", ByArrival::Never),
    (", a lane an arrival", ByArrival::Always),
];

/// The walks of a model; on a grid there is one.
fn ways(model: Model) -> &'static [(&'static str, ByArrival)] {
    let count = if matches!(model, Model::Grid) { 1 } else { WALKS.len() };
    &WALKS[..count]
}

/// What is measured. The preset `mnist` takes 16 samples a batch, the seed 128.
fn plans() -> Vec<(Workload, Plan)> {
    let plan = |model, events, batches: &[usize]| {
        let batches = batches.to_vec();
        (Workload { model, events }, Plan { samples: 60_000, batches, epochs: 5, profiled: false })
    };
    vec![
        plan(Model::Grid, 784, &[128, 1024, 4096, 16384]),
        plan(Model::Seed, 784, &[128, 1024, 4096, 16384]),
        plan(Model::Hidden(350), 150, &[16, 128, 1024, 4096]),
        plan(Model::Hidden(350), 784, &[16, 128, 1024, 4096]),
        plan(Model::Output, 784, &[128, 1024, 4096]),
    ]
}

fn toys() -> Vec<(Workload, Plan)> {
    let plan = |model, events| {
        let batches = vec![4];
        (Workload { model, events }, Plan { samples: 8, batches, epochs: 1, profiled: false })
    };
    vec![
        plan(Model::Grid, 784),
        plan(Model::Seed, 784),
        plan(Model::Hidden(40), 20),
        plan(Model::Output, 20),
    ]
}

fn ceilings(device: &str, scale: u32) -> Result<(), EngineError> {
    let Ceilings { instructions_per_second, l2_bytes_per_second } = measure_ceilings(0, scale)?;
    for (ceiling, unit, rate) in [
        ("issue", "thread instructions", instructions_per_second),
        ("l2", "bytes", l2_bytes_per_second),
    ] {
        println!(
            "{{\"ceiling\": \"{ceiling}\", \"device\": \"{device}\", \"unit\": \"{unit}\", \
             \"per_second\": {rate:.4e}}}"
        );
    }
    Ok(())
}

fn report(
    device: &str,
    how: &str,
    workload: &Workload,
    plan: &Plan,
    (spikes, options): (&SpikeBatch<f32>, CudaOptions),
) -> Result<(), EngineError> {
    let (name, events) = (workload.model.name(), workload.events);
    measure(workload, plan, (spikes, options), |batch, samples, seconds| {
        let rate = samples as f64 / seconds;
        println!(
            "{{\"name\": \"{name}{how}\", \"device\": \"{device}\", \"samples\": {samples}, \
             \"events\": {events}, \"batch\": {batch}, \"epochs\": {}, \
             \"seconds_per_epoch\": {seconds:.6}, \"samples_per_second\": {rate:.0}}}",
            plan.epochs,
        );
    })
}
