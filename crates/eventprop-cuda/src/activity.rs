//! How much neurons spiked.

/// The sums over samples of `counts`, [sample][stride], for the first `neurons` of a row.
pub(crate) fn sums(counts: &[i32], stride: usize, neurons: usize) -> Vec<u64> {
    let mut sums = vec![0; neurons];
    for row in counts.chunks_exact(stride) {
        sums.iter_mut().zip(row).for_each(|(sum, &count)| *sum += u64::from(count.unsigned_abs()));
    }
    sums
}
