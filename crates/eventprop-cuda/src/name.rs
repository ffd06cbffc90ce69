/// The name that selects the engine.
pub(crate) const NAME: &str = "cuda";
