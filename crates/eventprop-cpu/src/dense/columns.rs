use crate::lanes::LaneReal;
use crate::threads::Threads;
use rayon::prelude::*;

/// A gradient whose columns lie apart: blocks that a thread swept have an array of their own, for
/// neighbours in one row would take its lines from each other's caches.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, T: LaneReal>(pub(super) &'a [Vec<T::Lanes>]);

impl<'a, T: LaneReal> Columns<'a, T> {
    /// A row of `rows` in pieces from left to right.
    #[inline(always)]
    pub(crate) fn row(self, row: usize, rows: usize) -> impl Iterator<Item = &'a [T::Lanes]> {
        self.0.iter().map(move |column| {
            let width = column.len() / rows;
            &column[row * width..(row + 1) * width]
        })
    }

    /// Puts the columns of each row side by side, `stride` blocks in all.
    pub(crate) fn join(self, threads: &Threads, gradient: &mut [T::Lanes], stride: usize) {
        /// Rows joined by one thread, at least.
        const ROWS: usize = 64;
        let rows = gradient.len() / stride;
        let chunks = gradient.par_chunks_mut(ROWS * stride).enumerate();
        threads.each(chunks, |(chunk, gradient)| {
            for (place, mut row) in gradient.chunks_exact_mut(stride).enumerate() {
                for piece in self.row(chunk * ROWS + place, rows) {
                    let (own, others) = row.split_at_mut(piece.len());
                    own.copy_from_slice(piece);
                    row = others;
                }
            }
        });
    }
}
