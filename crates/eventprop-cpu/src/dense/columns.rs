use crate::lanes::LaneReal;
use crate::threads::Threads;
use rayon::prelude::*;

/// A gradient that lies in parts. Blocks that a thread swept have an array of their own, for neighbours in one row
/// would take its lines from each other's caches; so has each run of samples.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, T: LaneReal> {
    /// `[run][column]`: the columns from left to right.
    pub(super) parts: &'a [Vec<T::Lanes>],
    /// How many runs: the gradient is their sum.
    pub(super) runs: usize,
}

impl<T: LaneReal> Columns<'_, T> {
    /// Adds the runs up and puts the columns of each row side by side, `stride` blocks in all.
    pub(crate) fn join(self, threads: &Threads, gradient: &mut [T::Lanes], stride: usize) {
        /// Rows joined by one thread, at least.
        const ROWS: usize = 64;
        let columns = self.parts.len() / self.runs;
        let rows = gradient.len() / stride;
        let chunks = gradient.par_chunks_mut(ROWS * stride).enumerate();
        threads.each(chunks, |(chunk, gradient)| {
            for (place, row) in gradient.chunks_exact_mut(stride).enumerate() {
                for (number, run) in self.parts.chunks_exact(columns).enumerate() {
                    let pieces = run.iter().flat_map(|column| {
                        let width = column.len() / rows;
                        &column[(chunk * ROWS + place) * width..][..width]
                    });
                    for (sum, &part) in row.iter_mut().zip(pieces) {
                        *sum = if number == 0 { part } else { *sum + part };
                    }
                }
            }
        });
    }
}
