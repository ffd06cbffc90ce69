use super::sweep::units;
use crate::decay::Decay;
use crate::dense::{Solver, solver};
use crate::lanes::{LANES, LaneReal};
use lif_core::LayerParameters;
use lif_core::network::{Layer, Neuron};
/// How the tiles of a plain layer go through a sample: with what arrives known beforehand and time
/// constants in common, each walks from arrival to arrival alone, like those of a dense chain.
pub(super) struct Walker<T: LaneReal> {
    pub(super) decay: Decay<T>,
    pub(super) solver: Box<dyn Solver<T>>,
    /// See [`units`].
    pub(super) units: [T::Lanes; LANES],
}

impl<T: LaneReal> Walker<T> {
    /// A walker for a layer without recurrence and delays; none if its neurons are refractory,
    /// adapt or have time constants of their own.
    pub(super) fn new(layer: &Layer, values: &LayerParameters<T>) -> Option<Self> {
        let Neuron::Lif(constants) = &layer.neuron else { return None };
        let plain = constants.refractory == 0.0 && constants.adaptation.is_none();
        let (&[tau_mem], &[tau_syn]) = (&values.tau_mem[..], &values.tau_syn[..]) else {
            return None;
        };
        let decay = Decay::new(tau_mem, tau_syn);
        plain.then(|| Self { decay, solver: solver(decay), units: units::<T>() })
    }
}
