use crate::draws::{Draws, Purpose};

/// The order in which epoch `epoch` visits `samples` samples: a permutation drawn for (seed, epoch)
/// by Fisher and Yates's shuffle.
///
/// # Panics
/// If there are more than 2^32 samples.
pub fn order(seed: u64, epoch: u64, samples: usize) -> Vec<u32> {
    let samples = u32::try_from(samples).expect("at most 2^32 samples");
    let mut order: Vec<u32> = (0..samples).collect();
    let mut draws = Draws::new(Purpose::Order, seed, epoch, 0);
    for last in (1..order.len()).rev() {
        order.swap(last, draws.below(last as u64 + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutes_and_differs_by_epoch_and_seed() {
        let first = order(1, 0, 1000);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
        assert_eq!(first, order(1, 0, 1000));
        for other in [order(1, 1, 1000), order(2, 0, 1000)] {
            let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(same < 10, "{same} of 1000 in the same place");
        }
    }

    #[test]
    fn every_permutation_is_as_likely() {
        let mut counts = std::collections::HashMap::new();
        for epoch in 0..24_000 {
            *counts.entry(order(5, epoch, 4)).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        // 1000 each, standard deviation 31.
        assert!(counts.values().all(|n| (850..1150).contains(n)), "{counts:?}");
    }
}
