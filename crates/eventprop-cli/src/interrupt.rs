//! Ctrl-C, and the signals that ask a program to end.

use anyhow::{Context, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// The exit status of a program that was interrupted: 128 + SIGINT.
pub(crate) const STATUS: u8 = 130;

/// Whether this process decides that a training stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    First,
    /// It stops when the first rank does.
    Follower,
}

/// What is to be said if the program was asked to end and has not within `grace`.
pub(crate) struct OrElse {
    pub(crate) grace: Duration,
    /// None if another process says it.
    pub(crate) message: Box<dyn Fn() -> Option<String> + Send>,
}

static HAPPENED: AtomicBool = AtomicBool::new(false);
static OR_ELSE: Mutex<Option<OrElse>> = Mutex::new(None);

/// From now on the first Ctrl-C is only noted. A second one ends the program at once.
pub(crate) fn listen(role: Role) -> Result<()> {
    let handler = move || {
        if HAPPENED.swap(true, Ordering::Relaxed) && role == Role::First {
            // Files are replaced in one piece: what is on the disk is whole.
            std::process::exit(STATUS.into());
        }
        match grace() {
            Some(grace) => give_up_after(grace),
            None if role == Role::First => {
                eprintln!("\nstopping after this batch; press Ctrl-C again to stop at once");
            }
            None => {}
        }
    };
    ctrlc::set_handler(handler).context("cannot listen for Ctrl-C")
}

/// Sets what becomes of a program that is asked to end and cannot: nothing, if it may take its time.
pub(crate) fn or_else(or_else: Option<OrElse>) {
    if let Ok(mut place) = OR_ELSE.lock() {
        *place = or_else;
    }
}

fn grace() -> Option<Duration> {
    OR_ELSE.lock().ok()?.as_ref().map(|or_else| or_else.grace)
}

fn give_up_after(grace: Duration) {
    sleep(grace);
    let Ok(or_else) = OR_ELSE.lock() else { return };
    if let Some(message) = or_else.as_ref().and_then(|or_else| (or_else.message)()) {
        eprintln!("error: {message}");
        std::process::exit(2);
    }
}

/// Whether Ctrl-C was pressed.
pub(crate) fn happened() -> bool {
    HAPPENED.load(Ordering::Relaxed)
}
