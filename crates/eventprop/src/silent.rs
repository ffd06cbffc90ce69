use lif_core::{Network, Parameters, Real};
use serde::{Deserialize, Serialize};

/// What is done for neurons that never spike. EventProp cannot see a spike appear: a silent neuron
/// has no gradient and stays silent.
///
/// The bump of the clock-driven model belongs to that model: see [`lif_core::grid::GridSpec`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SilentRemedy {
    /// Nothing.
    #[default]
    None,
    /// After each epoch this is added to the input weights of every neuron that was silent through it
    /// (Nowotny, Turner & Knight 2025 use 0.002).
    Lift(f64),
}

/// Adds `lift` to the input weights of the neurons that `activity` (`[layer][neuron]`, spikes) shows
/// silent, and returns how many neurons these are.
///
/// Recurrent weights stay as they are: a silent neuron's own layer need not reach it. A weight that
/// several neurons share is lifted if all of them are silent.
pub(crate) fn lift_silent<T: Real>(
    network: &Network,
    activity: &[Vec<u64>],
    lift: f64,
    parameters: &mut Parameters<T>,
) -> usize {
    for (position, connection) in network.connections().iter().enumerate() {
        let activity = &activity[connection.to];
        if connection.from == connection.to || !activity.contains(&0) {
            continue;
        }
        let weights = &mut parameters.connections[position].weights;
        let mut lifted = vec![true; weights.len()];
        for source in 0..network.layers()[connection.from].size {
            network.fan_out(position, source, |target, weight| {
                if let Some(weight) = weight {
                    lifted[weight] &= activity[target] == 0;
                }
            });
        }
        for (weight, _) in weights.iter_mut().zip(lifted).filter(|(_, lifted)| *lifted) {
            *weight += T::of(lift);
        }
    }
    silent_neurons(activity).iter().sum()
}

/// The number of neurons without a spike, a layer; 0 for layers that do not spike.
pub(crate) fn silent_neurons(activity: &[Vec<u64>]) -> Vec<usize> {
    activity.iter().map(|layer| layer.iter().filter(|&&spikes| spikes == 0).count()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerSpec};

    #[test]
    fn only_inputs_of_silent_neurons_are_lifted() {
        let layers = vec![
            LayerSpec::input("in", 2),
            LayerSpec::lif("hidden", 3, 20.0, 5.0),
            LayerSpec::li("out", 1, 20.0, 5.0),
        ];
        let connections = vec![
            ConnectionSpec::dense("in", "hidden"),
            ConnectionSpec::dense("hidden", "hidden"),
            ConnectionSpec::dense("hidden", "out"),
        ];
        let network = Network::new(10.0, layers, connections).unwrap();
        let mut parameters = Parameters::<f64>::zeros(&network);
        let activity = vec![vec![], vec![4, 0, 1], vec![]];
        assert_eq!(lift_silent(&network, &activity, 0.5, &mut parameters), 1);
        assert_eq!(parameters.connections[0].weights, [0.0, 0.5, 0.0, 0.0, 0.5, 0.0]);
        assert_eq!(parameters.connections[1].weights, [0.0; 9]);
        assert_eq!(parameters.connections[2].weights, [0.0; 3]);
    }

    #[test]
    fn shared_weights_are_lifted_only_if_all_who_share_them_are_silent() {
        let layers = vec![
            LayerSpec::input("in", 3).with_shape([1, 1, 3]),
            LayerSpec::lif("hidden", 4, 20.0, 5.0).with_shape([2, 1, 2]),
        ];
        let mut convolution = ConnectionSpec::dense("in", "hidden");
        convolution.kind = ConnectionKindSpec::Conv2d;
        convolution.kernel = Some([1, 2]);
        let network = Network::new(10.0, layers, vec![convolution]).unwrap();
        let mut parameters = Parameters::<f64>::zeros(&network);
        // Channel 0 is half silent, channel 1 wholly.
        lift_silent(&network, &[vec![], vec![3, 0, 0, 0]], 0.5, &mut parameters);
        assert_eq!(parameters.connections[0].weights, [0.0, 0.0, 0.5, 0.5]);
    }
}
