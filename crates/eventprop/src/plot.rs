//! Pictures of runs and samples as SVG text. The text in them is in the browser's own sans-serif: no
//! font is needed to draw or to read them.

mod confusion;
mod curves;
mod panel;
mod raster;
mod trace;
mod weights;

pub use confusion::confusion;
pub use curves::{Curve, curves};
pub use raster::{Row, raster};
pub use trace::{TracedNeuron, trace};
pub use weights::{Field, weights};

/// A picture that cannot be drawn: a value in it is not finite, or there is nothing to draw.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("cannot draw: {0}")]
pub struct PlotError(String);

impl PlotError {
    fn from_display(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }

    fn not_finite() -> Self {
        Self("a value is not finite".into())
    }

    fn nothing(what: &str) -> Self {
        Self(format!("there is no {what}"))
    }
}
