//! What every clock-driven engine has to pass: a stack of layers of [`lif_core::grid`], against the plain
//! model in double precision.
//!
//! Each check takes the engine's constructor, of how many layers after the input stacks may be, and how
//! many random problems it is to try if it draws any. It panics where the engine does not do what it should, with the smallest problem that shows it.

mod cases;
mod draw;
mod expected;
mod finite;
mod kept;
mod model;
mod own_loss;
mod parts;
mod problem;
mod refusals;
mod update;

pub use draw::{problem, sample};
pub use expected::{close, expected};
pub use finite::weights_stay_finite;
pub use kept::kept_samples_train_as_given_ones;
pub use model::{equals_the_plain_model, infers_first_steps};
pub use own_loss::own_losses_are_evaluated;
pub use parts::parts_of_a_batch_are_bumped_as_the_whole;
pub use problem::{LOSS, Problem};
pub use refusals::{refuses_batches_that_do_not_fit, refuses_by_name};
pub use update::{state_goes_out_and_in, updates_by_the_clipped_gradient};

use crate::BoxedEngine;
use lif_core::Network;
use lif_core::engine::{EngineError, Training};
use lif_core::grid::GridSpec;

/// How a clock-driven engine under test is made.
pub type Build<'a> =
    dyn Fn(&Network, GridSpec, Training<f32>) -> Result<BoxedEngine<f32>, EngineError> + Sync + 'a;
