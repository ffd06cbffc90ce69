use lif_core::{DescriptionError, Network, Parameters, Real};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal, Uniform};
use serde::{Deserialize, Serialize};

/// How the weights or the delays of a connection start.
///
/// In a configuration: `weights = { normal = { mean = 0.078, sd = 0.045 } }`, `weights = "zeros"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Initialiser {
    /// All 0.
    #[default]
    Zeros,
    /// All the same value.
    Constant(f64),
    /// Drawn from a normal distribution.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation, not negative.
        sd: f64,
    },
    /// Drawn uniformly from `[low, high)`.
    Uniform {
        /// The lowest value.
        low: f64,
        /// The end of the range.
        high: f64,
    },
}

impl Initialiser {
    /// Checks the constants; `path` says where they stand.
    ///
    /// # Errors
    /// Names a constant that is not finite, a negative standard deviation, an empty range.
    pub fn check(&self, path: &str) -> Result<(), DescriptionError> {
        let refuse = |reason: String| Err(DescriptionError::new(path, reason));
        match *self {
            Self::Zeros => Ok(()),
            Self::Constant(value) if value.is_finite() => Ok(()),
            Self::Constant(value) => refuse(format!("must be a finite number, got {value}")),
            Self::Normal { mean, sd } if mean.is_finite() && sd.is_finite() && sd >= 0.0 => Ok(()),
            Self::Normal { mean, sd } => refuse(format!(
                "a normal distribution needs a finite mean and a finite sd of at least 0, got {mean} and {sd}"
            )),
            Self::Uniform { low, high } if low < high && (high - low).is_finite() => Ok(()),
            Self::Uniform { low, high } => {
                refuse(format!("a uniform distribution needs low < high, got {low} and {high}"))
            }
        }
    }

    /// Fills `values` with draws of the random stream `stream` of `seed`: the same two give the same
    /// values on any machine.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub fn fill<T: Real>(
        &self,
        values: &mut [T],
        seed: u64,
        stream: u64,
    ) -> Result<(), DescriptionError> {
        self.check("initialiser")?;
        let refuse = |reason: String| DescriptionError::new("initialiser", reason);
        match *self {
            Self::Zeros => values.fill(T::zero()),
            Self::Constant(value) => values.fill(T::of(value)),
            Self::Normal { mean, sd } => {
                let normal = Normal::new(mean, sd).map_err(|error| refuse(error.to_string()))?;
                draw(values, normal, seed, stream);
            }
            Self::Uniform { low, high } => {
                let uniform = Uniform::new(low, high).map_err(|error| refuse(error.to_string()))?;
                draw(values, uniform, seed, stream);
            }
        }
        Ok(())
    }
}

/// How a connection starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ConnectionStart {
    /// Its weights.
    pub weights: Initialiser,
    /// Its delays in ms, where it has them.
    pub delays: Initialiser,
}

/// The parameters that training starts with: the constants of the description, and weights and
/// delays drawn for each connection from streams of its own.
///
/// # Errors
/// If `starts` does not hold one entry a connection, or an entry is invalid.
pub fn initial_parameters<T: Real>(
    network: &Network,
    starts: &[ConnectionStart],
    seed: u64,
) -> Result<Parameters<T>, DescriptionError> {
    let mut parameters = Parameters::initial(network);
    if starts.len() != parameters.connections.len() {
        let (given, needed) = (starts.len(), parameters.connections.len());
        let reason = format!("{given} initialisers for {needed} connections");
        return Err(DescriptionError::new("connections", reason));
    }
    for (position, (connection, start)) in parameters.connections.iter_mut().zip(starts).enumerate()
    {
        let at = |field| format!("network.connections[{position}].{field}");
        start.weights.check(&at("weights"))?;
        start.delays.check(&at("delays"))?;
        let stream = 2 * position as u64;
        start.weights.fill(&mut connection.weights, seed, stream)?;
        start.delays.fill(&mut connection.delays, seed, stream + 1)?;
        if connection.delays.iter().any(|&delay| delay < T::zero()) {
            let reason = "drew a negative delay; uniform with low >= 0 draws none";
            return Err(DescriptionError::new(at("delays"), reason));
        }
    }
    Ok(parameters)
}

fn draw<T: Real>(values: &mut [T], distribution: impl Distribution<f64>, seed: u64, stream: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    for value in values {
        *value = T::of(distribution.sample(&mut random));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(initialiser: Initialiser, stream: u64) -> Vec<f64> {
        let mut values = vec![0.0; 20_000];
        initialiser.fill(&mut values, 7, stream).unwrap();
        values
    }

    #[test]
    fn draws_have_the_moments_asked_for() {
        for (initialiser, mean, sd) in [
            (Initialiser::Normal { mean: 0.3, sd: 2.0 }, 0.3, 2.0),
            (Initialiser::Uniform { low: -1.0, high: 3.0 }, 1.0, 4.0 / 12f64.sqrt()),
        ] {
            let values = drawn(initialiser, 0);
            let n = values.len() as f64;
            let m = values.iter().sum::<f64>() / n;
            let s = (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / n).sqrt();
            // Four standard errors.
            assert!((m - mean).abs() < 4.0 * sd / n.sqrt(), "{initialiser:?}: mean {m}");
            assert!((s - sd).abs() < 4.0 * sd / (2.0 * n).sqrt(), "{initialiser:?}: sd {s}");
        }
    }

    #[test]
    fn streams_differ_and_repeat() {
        let normal = Initialiser::Normal { mean: 0.0, sd: 1.0 };
        assert_eq!(drawn(normal, 3), drawn(normal, 3));
        assert_ne!(drawn(normal, 3), drawn(normal, 4));
    }

    #[test]
    fn bad_constants_are_refused() {
        for bad in [
            Initialiser::Constant(f64::NAN),
            Initialiser::Normal { mean: 0.0, sd: -1.0 },
            Initialiser::Normal { mean: f64::INFINITY, sd: 1.0 },
            Initialiser::Uniform { low: 1.0, high: 1.0 },
            Initialiser::Uniform { low: f64::NAN, high: 1.0 },
        ] {
            assert!(bad.check("here").is_err(), "{bad:?}");
        }
    }
}
