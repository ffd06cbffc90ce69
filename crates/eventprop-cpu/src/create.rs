use crate::engine::{CpuEngine, CpuOptions};
use crate::general::GeneralEngine;
use crate::lanes::LaneReal;
use crate::plan;
use lif_core::Network;
use lif_core::engine::{Engine, EngineError, Training};

/// The precisions that engines are compiled for, here and once: `f32` and `f64`. The engines are
/// large generic code; who makes them through this trait does not compile them again.
pub trait Precision: LaneReal {
    /// The fastest engine for `network` and `training`: a [`CpuEngine`] where it can compute them, a
    /// [`GeneralEngine`] elsewhere.
    ///
    /// # Errors
    /// Those of [`GeneralEngine::new`].
    fn engine(
        network: &Network,
        training: Training<Self>,
        options: CpuOptions,
    ) -> Result<Box<dyn Engine<Self>>, EngineError>;
}

macro_rules! precisions {
    ($($real:ty),*) => {
        $(impl Precision for $real {
            fn engine(
                network: &Network,
                training: Training<Self>,
                options: CpuOptions,
            ) -> Result<Box<dyn Engine<Self>>, EngineError> {
                match plan::check(network, &training) {
                    Ok(_) => Ok(Box::new(CpuEngine::new(network, training, options)?)),
                    Err(_) => Ok(Box::new(GeneralEngine::new(network, training, options)?)),
                }
            }
        })*
    };
}

precisions!(f32, f64);
