//! A training whose first rank does all that is seen of it.

use super::session::{ENDED, place, way_back};
use crate::interrupt::{self, OrElse, Role};
use anyhow::Result;
use eventprop::{RunFolder, TrainError, Trainer};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// A little less than the first rank has, so that its lock on the folder is still there.
const GRACE: Duration = Duration::from_millis(500);

/// Trains until the first rank stops. Should that rank die, the second says so in its place; `run` is the
/// first rank's folder.
pub(super) fn follow(mut trainer: Trainer, rank: usize, run: &Path) -> Result<ExitCode> {
    interrupt::listen(Role::Follower)?;
    let stand_in = |trainer: &Trainer| {
        if rank == 1 {
            interrupt::or_else(Some(instead_of_first(run, place(trainer.progress()))));
        }
    };
    stand_in(&trainer);
    let outcome = to_the_end(&mut trainer, stand_in);
    interrupt::or_else(None);
    outcome
}

fn to_the_end(trainer: &mut Trainer, saved: impl Fn(&Trainer)) -> Result<ExitCode> {
    while !trainer.is_finished() {
        let outcome = trainer.run_epoch(|_| ControlFlow::Continue(()));
        match outcome.and_then(|_| trainer.any(false)) {
            Ok(false) => saved(trainer),
            Ok(true) => return Ok(ExitCode::from(interrupt::STATUS)),
            Err(error @ TrainError::Connection { .. }) => return Err(error.into()),
            // All ranks know of it; the first says it.
            Err(_) => return Ok(ExitCode::from(2)),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The message of the first rank, if it is gone: its folder is then no longer locked.
fn instead_of_first(run: &Path, place: String) -> OrElse {
    let run = run.to_owned();
    let message = move || {
        let folder = RunFolder::open(&run).ok()?;
        Some(way_back(ENDED, &place, &folder.checkpoint()))
    };
    OrElse { grace: GRACE, message: Box::new(message) }
}
