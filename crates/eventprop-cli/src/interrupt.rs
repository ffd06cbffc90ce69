//! Ctrl-C, and the signals that ask a program to end.

use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that was interrupted: 128 + SIGINT.
pub(crate) const STATUS: u8 = 130;

static HAPPENED: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C is only noted. A second one ends the program at once.
pub(crate) fn listen() -> Result<()> {
    let handler = || {
        if HAPPENED.swap(true, Ordering::Relaxed) {
            // Files are replaced in one piece: what is on the disk is whole.
            std::process::exit(STATUS.into());
        }
        eprintln!("\nstopping after this batch; press Ctrl-C again to stop at once");
    };
    ctrlc::set_handler(handler).context("cannot listen for Ctrl-C")
}

/// Whether Ctrl-C was pressed.
pub(crate) fn happened() -> bool {
    HAPPENED.load(Ordering::Relaxed)
}
