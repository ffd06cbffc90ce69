//! The closed forms of one neuron against numerical integration and against brute force.

use lif_core::crossing::{Approach, Decay};
use lif_core::flow::{Adjoint, State, TimeConstants};
use proptest::prelude::*;

/// Time constants in ms: free, equal, or equal but for a rounding error or a little more.
fn time_constants() -> impl Strategy<Value = TimeConstants<f64>> {
    (1.0..40.0_f64, 1.0..40.0_f64, prop_oneof![Just(None), (-16..-1).prop_map(Some)]).prop_map(
        |(tau_mem, tau_syn, near)| {
            let near = near.map(|exponent| tau_mem * (1.0 + 10_f64.powi(exponent)));
            TimeConstants { tau_mem, tau_syn: near.unwrap_or(tau_syn) }
        },
    )
}

fn states() -> impl Strategy<Value = State<f64>> {
    (-2.0..1.0_f64, -3.0..6.0_f64).prop_map(|(v, i)| State { v, i })
}

proptest! {
    #[test]
    fn flow_is_the_solution(
        constants in time_constants(),
        state in states(),
        bias in -1.0..1.0_f64,
        dt in 0.0..60.0_f64,
    ) {
        let TimeConstants { tau_mem, tau_syn } = constants;
        let slope = |s: State<f64>| State { v: (s.i - s.v + bias) / tau_mem, i: -s.i / tau_syn };
        let found = constants.flow(dt).forward(state, bias);
        let expected = runge_kutta(state, dt, slope);
        prop_assert!((found.v - expected.v).abs() < 1e-9, "{found:?} {expected:?}");
        prop_assert!((found.i - expected.i).abs() < 1e-9, "{found:?} {expected:?}");
    }

    #[test]
    fn backward_is_the_transpose(
        constants in time_constants(),
        state in states(),
        (v, i) in (-1.0..1.0_f64, -1.0..1.0_f64),
        dt in 0.0..60.0_f64,
    ) {
        // <tau lambda, state> is the same at both ends of an interval without bias.
        let flow = constants.flow(dt);
        let product = |a: Adjoint<f64>, s: State<f64>| {
            constants.tau_mem * a.v * s.v + constants.tau_syn * a.i * s.i
        };
        let end = product(Adjoint { v, i }, flow.forward(state, 0.0));
        let start = product(flow.backward(Adjoint { v, i }, constants.ratio()), state);
        prop_assert!((end - start).abs() < 1e-10, "{end} {start}");
    }

    #[test]
    fn crossing_is_the_first(
        time_constants in time_constants(),
        state in states(),
        bias in -1.0..1.5_f64,
        adaptation in proptest::option::of((0.0..3.0_f64, 1.0..80.0_f64)),
        dt in prop_oneof![0.1..80.0_f64, 100.0..2000.0_f64],
    ) {
        const GRID: usize = 4000;
        let decay = adaptation.map(|(value, tau)| Decay { value, tau });
        let approach =
            Approach { time_constants, state, bias, threshold: 1.0, adaptation: decay };
        let distance = |s: f64| {
            let b = adaptation.map_or(0.0, |(value, tau)| value * (-s / tau).exp());
            time_constants.flow(s).forward(state, bias).v - b - 1.0
        };
        prop_assume!(distance(0.0) < -1e-12);
        let grid = |k: usize| dt * k as f64 / GRID as f64;
        let seen = (1..=GRID).find(|&k| distance(grid(k)) >= 0.0);
        match (approach.first_crossing(dt), seen) {
            (Some(s), seen) => {
                prop_assert!((0.0..=dt).contains(&s));
                prop_assert!(distance(s).abs() < 2e-14, "{}", distance(s));
                // Between two points of the grid it may go up and down again.
                prop_assert!(seen.is_none_or(|k| s <= grid(k) * (1.0 + 1e-14)), "{s} {seen:?}");
            }
            (None, Some(k)) => prop_assert!(distance(grid(k)) < 1e-14, "missed one before {}", grid(k)),
            (None, None) => {}
        }
        let highest = (0..=GRID).map(|k| distance(grid(k))).fold(f64::NEG_INFINITY, f64::max);
        prop_assert!(approach.highest(dt) >= highest - 1e-12);
    }

    #[test]
    fn single_precision_crossings_are_near(
        time_constants in time_constants(),
        state in states(),
        bias in -1.0..1.5_f64,
    ) {
        let double = Approach { time_constants, state, bias, threshold: 1.0, adaptation: None };
        let TimeConstants { tau_mem, tau_syn } = time_constants;
        let single = Approach::<f32> {
            time_constants: TimeConstants { tau_mem: tau_mem as f32, tau_syn: tau_syn as f32 },
            state: State { v: state.v as f32, i: state.i as f32 },
            bias: bias as f32,
            threshold: 1.0,
            adaptation: None,
        };
        prop_assume!(state.v < 1.0 - 1e-5 && double.highest(50.0).abs() > 1e-4);
        let (double, single) = (double.first_crossing(50.0), single.first_crossing(50.0));
        prop_assert_eq!(double.is_some(), single.is_some());
    }
}

/// The classic fourth-order method in small steps.
fn runge_kutta(
    mut state: State<f64>,
    dt: f64,
    slope: impl Fn(State<f64>) -> State<f64>,
) -> State<f64> {
    const STEPS: usize = 3000;
    let h = dt / STEPS as f64;
    let step = |s: State<f64>, h: f64, k: State<f64>| State { v: s.v + h * k.v, i: s.i + h * k.i };
    for _ in 0..STEPS {
        let k1 = slope(state);
        let k2 = slope(step(state, 0.5 * h, k1));
        let k3 = slope(step(state, 0.5 * h, k2));
        let k4 = slope(step(state, h, k3));
        let sum = |a: f64, b: f64, c: f64, d: f64| (a + 2.0 * b + 2.0 * c + d) / 6.0;
        let mean = State { v: sum(k1.v, k2.v, k3.v, k4.v), i: sum(k1.i, k2.i, k3.i, k4.i) };
        state = step(state, h, mean);
    }
    state
}
