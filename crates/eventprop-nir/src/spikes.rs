/// What a spike is to the program at the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Spikes {
    /// A Dirac delta, as NIR's equations have it: over w_in and tau_syn it makes the current jump.
    #[default]
    Delta,
    /// The number 1 for one time step, as simulators with a time grid have it.
    Step {
        /// The length of the step in ms.
        dt: f64,
    },
}

impl Spikes {
    /// The integral over a spike's course, in NIR's units (s).
    pub(crate) fn area(self) -> f64 {
        match self {
            Self::Delta => 1.0,
            Self::Step { dt } => dt * 1e-3,
        }
    }
}
