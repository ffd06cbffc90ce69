//! The problems of the clock-driven suite are about something.

use conformance::grid::{LOSS, expected, problem};
use lif_core::grid::GridVariant;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

#[test]
fn problems_are_silent_wake_spike_and_spike_again() {
    let mut runner = TestRunner::deterministic();
    // Of each variant and of stacks: unclear, raised, given up, spiking, spiking again, learning in the first layer.
    let mut counts = [[0; 6]; 3];
    for _ in 0..1500 {
        let problem = problem(3).new_tree(&mut runner).unwrap().current();
        let kind = if problem.variant == GridVariant::First {
            1
        } else {
            2 * usize::from(problem.layers.len() > 1)
        };
        let [unclear, raised, gave_up, spiking, again, learning] = &mut counts[kind];
        let Ok((result, _)) = expected(&problem, &LOSS) else {
            *unclear += 1;
            continue;
        };
        let mut spikes = vec![0; problem.samples.len() * problem.outputs()];
        let outputs = &result.pass.traces[problem.layers.len() - 1];
        for (trace, spikes) in outputs.iter().zip(spikes.chunks_mut(problem.outputs())) {
            for step in 0..problem.steps() {
                trace.spikes.at(step).iter().for_each(|&neuron| spikes[neuron as usize] += 1);
            }
        }
        let most = spikes.into_iter().max().unwrap_or(0);
        *raised += u32::from(result.bumps.iter().flat_map(|of| &of.raised).any(|&times| times > 0));
        *gave_up += u32::from(result.bumps.iter().any(|of| !of.gave_up.is_empty()));
        *spiking += u32::from(most > 0);
        *again += u32::from(most > 1);
        let lowest = &result.gradient.connections[0].weights;
        *learning += u32::from(lowest.iter().any(|&gradient| gradient != 0.0));
    }
    for ([unclear, raised, gave_up, spiking, again, learning], name) in
        counts.into_iter().zip(["head", "first", "stacks"])
    {
        assert!(unclear < 100, "{name}: {unclear} unclear");
        assert!(raised > 100 && spiking > 100, "{name}: {raised} raised, {spiking} spiking");
        assert!(again > 100 && learning > 100, "{name}: {again} again, {learning} learning");
        assert!((gave_up > 50) == (name != "first"), "{name}: {gave_up} gave up");
    }
}
