//! The problems of the clock-driven suite are about something.

use conformance::grid::{LOSS, expected, problem};
use lif_core::grid::GridVariant;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

#[test]
fn problems_are_silent_wake_spike_and_spike_again() {
    let mut runner = TestRunner::deterministic();
    // Of each variant: unclear, raised, given up, spiking, spiking again.
    let mut counts = [[0; 5]; 2];
    for _ in 0..1000 {
        let problem = problem().new_tree(&mut runner).unwrap().current();
        let [unclear, raised, gave_up, spiking, again] =
            &mut counts[usize::from(problem.variant == GridVariant::First)];
        let Ok((result, _)) = expected(&problem, &LOSS) else {
            *unclear += 1;
            continue;
        };
        let mut spikes = vec![0; problem.samples.len() * problem.neurons];
        let steps = (20.0 / problem.dt) as usize;
        for (trace, spikes) in result.pass.traces[0].iter().zip(spikes.chunks_mut(problem.neurons))
        {
            for step in 0..steps {
                trace.spikes.at(step).iter().for_each(|&neuron| spikes[neuron as usize] += 1);
            }
        }
        let most = spikes.into_iter().max().unwrap_or(0);
        *raised += u32::from(result.bumps[0].raised.iter().any(|&times| times > 0));
        *gave_up += u32::from(!result.bumps[0].gave_up.is_empty());
        *spiking += u32::from(most > 0);
        *again += u32::from(most > 1);
    }
    let [head, first] = counts;
    for ([unclear, raised, _, spiking, again], name) in [(head, "head"), (first, "first")] {
        assert!(unclear < 100, "{name}: {unclear} unclear");
        assert!(raised > 100 && spiking > 200 && again > 100, "{name}: {raised} {spiking} {again}");
    }
    assert!(head[2] > 100 && first[2] == 0, "{} {} gave up", head[2], first[2]);
}
