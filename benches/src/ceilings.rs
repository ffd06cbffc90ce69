//! What this machine can do at most on one thread: fused multiply-adds, roots and divisions, and
//! bytes from each level of its memory; and what two threads do of the first, and how fast one hears from the
//! other. Engines are measured against it.

use crate::machine;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use wide::f32x16;

/// Fused multiply-adds (f32) of one call of [`multiply_adds`].
pub const MULTIPLY_ADDS: u64 = (CHAINS * STEPS * 16) as u64;

/// Pairs of a square root and a division of one call of [`roots`].
pub const ROOTS: u64 = (4 * STEPS * 16) as u64;

/// Dependent chains in flight: enough to hide the latency of a multiply-add, few enough for the
/// registers.
const CHAINS: usize = if cfg!(target_feature = "avx512f") { 12 } else { 6 };
const STEPS: usize = 4096;

/// Fused multiply-adds as fast as they go, from registers to registers.
pub fn multiply_adds() -> f32x16 {
    let factor = f32x16::splat(black_box(0.999));
    let term = f32x16::splat(black_box(0.001));
    let mut chains: [f32x16; CHAINS] =
        std::array::from_fn(|chain| f32x16::splat(black_box(chain as f32)));
    for _ in 0..STEPS {
        for chain in &mut chains {
            *chain = chain.mul_add(factor, term);
        }
    }
    chains.into_iter().fold(f32x16::splat(0.0), |sum, chain| sum + chain)
}

/// Fused multiply-adds (f32) of each thread in a call of [`together`].
pub const TOGETHER: u64 = TURNS * MULTIPLY_ADDS;

/// Enough to make little of starting a thread.
const TURNS: u64 = 200;

/// [`multiply_adds`] on several threads at once. Cores that share their units, or a host that lends out
/// less than it says, do not do twice the work of one.
pub fn together(threads: usize) {
    std::thread::scope(|scope| {
        let turns = || {
            for _ in 0..TURNS {
                black_box(multiply_adds());
            }
        };
        for _ in 1..threads {
            scope.spawn(turns);
        }
        turns();
    });
}

/// How often a cache line goes to the other core and back in a call of [`exchange`].
pub const EXCHANGES: u64 = 20_000;

/// Two threads answer each other by one cache line. Cores of one cache are quick at it; a host that runs its guest's
/// two on parts of a processor that share none takes several times as long, and so do threads that work on
/// the same data.
pub fn exchange() {
    let turn = AtomicU64::new(0);
    let play = |first: u64| {
        for round in 0..EXCHANGES {
            while turn.load(Ordering::Acquire) != 2 * round + first {
                spin_loop();
            }
            turn.store(2 * round + first + 1, Ordering::Release);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
}

/// Square roots and divisions as fast as they go: what Adam needs of each, once a weight.
pub fn roots() -> f32x16 {
    let dividend = f32x16::splat(black_box(3.0));
    let mut chains: [f32x16; 4] =
        std::array::from_fn(|chain| f32x16::splat(black_box(1.0 + chain as f32)));
    for _ in 0..STEPS {
        for chain in &mut chains {
            *chain = dividend / chain.sqrt();
        }
    }
    chains.into_iter().fold(f32x16::splat(0.0), |sum, chain| sum + chain)
}

/// A level of the memory, by what it holds in a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its name: L1, L2, L3, memory.
    pub name: &'static str,
    /// The bytes a benchmark of it walks through.
    pub working_set: usize,
    /// The bytes up to which data are taken to live in it.
    pub capacity: usize,
}

/// The levels of this machine: half of each cache is walked, of the last, which others share, no more
/// than 8 MiB; of the memory eight times the last cache.
pub fn levels() -> [Level; 4] {
    let [l1, l2, l3] = machine::cache_sizes();
    let shared = (l3 / 2).min(8 << 20).max(2 * l2);
    let level = |name, working_set, capacity| Level { name, working_set, capacity };
    [
        level("L1", l1 / 2, l1),
        level("L2", l2 / 2, l2),
        level("L3", shared, l3),
        level("memory", (8 * l3).min(256 << 20), usize::MAX),
    ]
}

/// The level in which `bytes` that are walked again and again live.
pub fn level_of(bytes: usize) -> Level {
    let levels = levels();
    *levels.iter().find(|level| bytes <= level.capacity).unwrap_or(&levels[3])
}

/// A working set.
pub fn rows(bytes: usize) -> Vec<f32x16> {
    vec![f32x16::splat(black_box(1.0)); bytes / size_of::<f32x16>()]
}

/// Reads all rows once.
pub fn read(rows: &[f32x16]) -> f32x16 {
    let mut sums = [f32x16::splat(0.0); 4];
    for four in rows.chunks_exact(4) {
        for (sum, &row) in sums.iter_mut().zip(four) {
            *sum += row;
        }
    }
    sums.into_iter().fold(f32x16::splat(0.0), |sum, part| sum + part)
}

/// Reads, changes and writes all rows once.
pub fn modify(rows: &mut [f32x16]) {
    let change = f32x16::splat(black_box(1e-9));
    for row in rows {
        *row += change;
    }
}
