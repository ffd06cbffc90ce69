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
    ) -> Result<BoxedEngine<Self>, EngineError> {
        match plan::check(network, &training) {
            Ok(_) => Self::dense_engine(network, training, options),
            Err(_) => Self::general_engine(network, training, options),
        }
    }

    /// A [`CpuEngine`].
    ///
    /// # Errors
    /// Those of [`CpuEngine::new`].
    fn dense_engine(
        network: &Network,
        training: Training<Self>,
        options: CpuOptions,
    ) -> Result<BoxedEngine<Self>, EngineError>;

    /// A [`GeneralEngine`].
    ///
    /// # Errors
    /// Those of [`GeneralEngine::new`].
    fn general_engine(
        network: &Network,
        training: Training<Self>,
        options: CpuOptions,
    ) -> Result<BoxedEngine<Self>, EngineError>;
}

macro_rules! precisions {
    ($($real:ty),*) => {
        $(impl Precision for $real {
            fn dense_engine(
                network: &Network,
                training: Training<Self>,
                options: CpuOptions,
            ) -> Result<BoxedEngine<Self>, EngineError> {
                Ok(Box::new(CpuEngine::new(network, training, options)?))
            }

            fn general_engine(
                network: &Network,
                training: Training<Self>,
                options: CpuOptions,
            ) -> Result<BoxedEngine<Self>, EngineError> {
                Ok(Box::new(GeneralEngine::new(network, training, options)?))
            }
        })*
    };
}

precisions!(f32, f64);

type BoxedEngine<T> = Box<dyn Engine<T>>;
