use super::{EVERY, Run, clock};
use crate::out::Stdout;
use anyhow::Result;
use std::io::Write;
use std::path::Path;

/// A line an epoch until the training ends.
pub(super) fn follow(path: &Path) -> Result<()> {
    let mut printed = 0;
    loop {
        let run = Run::read(path)?;
        let epochs = run.live.as_ref().map_or(0, |live| live.epochs);
        for record in run.history.iter().skip(printed) {
            writeln!(Stdout, "{}", record.summary(epochs))?;
        }
        // A resumed run may have gone back to an earlier checkpoint.
        printed = run.history.len();
        if run.is_over() {
            return once(&run);
        }
        std::thread::sleep(EVERY);
    }
}

/// One line on where a run stands.
pub(super) fn once(run: &Run) -> Result<()> {
    let mut line = format!("{}: {}", run.name, run.state());
    if let Some(live) = &run.live {
        line += &format!(
            ", epoch {}/{} batch {}/{}, loss {:.4}, accuracy {:.2} %, {:.0} samples/s",
            live.epoch + 1,
            live.epochs,
            live.batch,
            live.batches,
            live.loss,
            100.0 * live.accuracy,
            live.samples_per_second,
        );
        if !run.is_over() {
            line += &format!(", {} left", clock(live.seconds_left));
        }
    }
    Ok(writeln!(Stdout, "{line}")?)
}
