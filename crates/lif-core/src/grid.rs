//! The clock-driven model: forward Euler on a grid of dt, and the adjoint on the same grid.
//!
//! This is the model of the PyTorch script `pytorch-eventprop` (L. Lemos), kept for parity and
//! comparison, its oddities included; everything else in this crate uses exact spike times. With
//! a = dt/tau_mem, s = dt/tau_syn, threshold theta, x the input raster and V, I zero at the start:
//!
//! ```text
//! V~[n] = (1 - a) V[n-1] + a I[n-1]          S[n] = V~[n] > theta          V[n] = (1 - S[n]) V~[n]
//! I[n]  = (1 - s) I[n-1] + W x[n-1]          (x[n] in the variant `first`)
//! ```
//!
//! The adjoint runs from the last step to the first; `G[n]` is the loss's derivative at a spike of step
//! n (where a layer hears it, the sum over its neurons of W (lV - lI) at the step of arrival), and lV, lI
//! stand for the values of step n+1 (n in `first`, see [`GridVariant`]):
//!
//! ```text
//! head    lV <- (1 - a) lV + S[n] (theta lV + G[n]) / (I[n-1] - theta)     lI <- lI + s (lV - lI), old lV
//! first   lV <- (1 - a) lV, then lV <- lV + S[n] (theta lV + G[n]) / (I[n] - theta)
//!         lI <- lI + s (lV - lI), new lV
//! dL/dW = -sum over inputs of lI at their arrival
//! ```
//!
//! Known oddities: the weight gradient lacks the factor tau_syn of the exact one (Wunderlich & Pehle
//! 2021), the adjoint is the continuous one discretised and so the exact gradient of nothing
//! discrete, and first-spike times are step indices, which a loss takes for ms.

mod bump;
mod differentiate;
mod layer;
mod model;
mod parts;
mod spec;
mod trace;
mod training;

pub use bump::{BumpAction, Bumped, Bumping};
pub use differentiate::{GridBumps, GridGradient};
pub use layer::{GridLayer, GridSink, GridTrace, Observe, Raster};
pub use model::{GridModel, GridPass};
pub use parts::{BatchInParts, Raising};
pub use spec::{GridSpec, GridVariant};
pub use training::check_training;
