use super::rows::Rows;

/// How far it has come with a batch.
#[derive(Default)]
pub(super) struct Bumping {
    /// How often each neuron was raised.
    pub(super) raised: Vec<u64>,
    /// How often the batch was run again.
    pub(super) repeats: u32,
    /// The weights before.
    pub(super) original: Option<Rows>,
    /// The neurons whose weights are raised after the pass.
    pub(super) after: Vec<u32>,
}

/// A batch that is differentiated in parts.
pub(super) enum InParts {
    /// Its weights are being raised.
    Bumping(Bumping),
    /// They are as they should be; those of some neurons are still to be raised, at the update.
    Bumped(Vec<u32>),
}
