//! What is written is read, to the bit: random networks of the problem format, in both precisions.

mod drawn;

use drawn::{Drawn, networks};
use eventprop_nir::{ImportOptions, Imported, Spikes, from_bytes, to_bytes};
use lif_core::{Parameters, Real};
use proptest::prelude::*;

/// Every number's bits, with what it is.
fn bits<T: Real>(parameters: &Parameters<T>) -> Vec<(String, Vec<u64>)> {
    let mut all = Vec::new();
    parameters.for_each(|id, values| {
        let bits = values.iter().map(|value| value.as_f64().to_bits()).collect();
        all.push((format!("{id:?}"), bits));
    });
    all
}

fn there_and_back<T: Real>(drawn: &Drawn, spikes: Spikes) -> Imported {
    let bytes = to_bytes(&drawn.network, &drawn.parameters.cast::<T>(), spikes).unwrap();
    from_bytes(bytes, ImportOptions { spikes, ..ImportOptions::default() }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn double_precision_comes_back_to_the_bit(drawn in networks()) {
        let Imported { network, parameters, notes } = there_and_back::<f64>(&drawn, Spikes::Delta);
        prop_assert_eq!(bits(&parameters), bits(&drawn.parameters));
        prop_assert_eq!(network.layers(), drawn.network.layers());
        prop_assert_eq!(network.connections(), drawn.network.connections());
        prop_assert_eq!(network.duration().to_bits(), drawn.network.duration().to_bits());
        prop_assert!(notes.is_empty(), "{:?}", notes);
    }

    #[test]
    fn single_precision_comes_back_to_the_bit(drawn in networks()) {
        let Imported { network, parameters, .. } = there_and_back::<f32>(&drawn, Spikes::Delta);
        prop_assert_eq!(bits(&parameters.cast::<f32>()), bits(&drawn.parameters.cast::<f32>()));
        prop_assert_eq!(network.connections().len(), drawn.network.connections().len());
        prop_assert_eq!(network.duration().to_bits(), drawn.network.duration().to_bits());
    }

    /// Weights are scaled for spikes that last a step: they come back to rounding.
    #[test]
    fn steps_come_back_to_rounding(drawn in networks(), dt in 0.01..1.0) {
        let Imported { network, parameters, .. } = match to_bytes(
            &drawn.network,
            &drawn.parameters,
            Spikes::Step { dt },
        ) {
            Ok(bytes) => {
                let options = ImportOptions { spikes: Spikes::Step { dt }, duration: None };
                from_bytes(bytes, options).unwrap()
            }
            Err(error) => {
                prop_assert!(error.to_string().contains("different tau_mem"), "{}", error);
                return Ok(());
            }
        };
        prop_assert_eq!(network.layers().len(), drawn.network.layers().len());
        for (own, other) in parameters.connections.iter().zip(&drawn.parameters.connections) {
            prop_assert_eq!(&own.delays, &other.delays);
            prop_assert_eq!(own.weights.len(), other.weights.len());
            for (own, other) in own.weights.iter().zip(&other.weights) {
                let rounding = 8.0 * f64::EPSILON * other.abs() + f64::MIN_POSITIVE;
                prop_assert!((own - other).abs() <= rounding, "{:e} {:e}", own, other);
            }
        }
        prop_assert_eq!(&parameters.layers, &drawn.parameters.layers);
    }
}
