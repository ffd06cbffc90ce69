//! One training on several machines: see [`Parallel`].
//!
//! A batch is cut into `training.shards` parts, whatever the number of ranks. A rank differentiates
//! the shards that are its own, one by one; gradients are added along a binary tree over the shards
//! whose shape depends on their number alone. So every number of ranks gives the same bits.

mod agree;
mod exchange;
mod layout;
#[cfg(feature = "nccl")]
mod nccl;
mod sum;
mod team;

pub(crate) use agree::gather_text;
pub use agree::{agree, broadcast};
pub(crate) use layout::{Layout, holder, part};
#[cfg(feature = "nccl")]
pub use nccl::OverNccl;
pub(crate) use team::{Team, TeamError};

use std::io;

/// The parts that a batch is cut into where ranks share it and the configuration does not say.
pub const DEFAULT_SHARDS: usize = 8;

/// The size in bytes of a set of spikes up to which every rank holds all of it; of a larger one each
/// rank holds its part, and samples travel to where they are needed.
pub const REPLICATED: usize = 256 << 20;

/// How a training is spread over ranks: processes that each run the same [`Trainer`](crate::Trainer).
pub struct Parallel {
    /// What connects the ranks.
    pub collective: Box<dyn Collective>,
    /// Threads of this rank where the configuration leaves it open (0 for as many as are quickest, up to one a core).
    pub threads: usize,
    /// In place of [`REPLICATED`], in bytes.
    pub replicated: usize,
}

impl Parallel {
    /// Over `collective`, on as many threads as are quickest, up to one a core.
    pub fn new(collective: Box<dyn Collective>) -> Self {
        Self { collective, threads: 0, replicated: REPLICATED }
    }

    /// One process.
    pub fn alone() -> Self {
        Self::new(Box::new(Alone))
    }
}

/// What connects ranks: each calls the same operations in the same order.
///
/// Nothing here adds floating-point numbers: sums are made by the ranks themselves, in an order that
/// does not depend on how many they are.
pub trait Collective: Send {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn ranks(&self) -> usize;

    /// Gives every rank the bytes of all: `counts[r]` of rank r, one rank's after another's.
    ///
    /// # Errors
    /// If another rank cannot be reached.
    fn all_gather(&mut self, own: &[u8], counts: &[usize], all: &mut [u8]) -> io::Result<()>;

    /// Gives every rank bytes of its own: of `own` the first `own_counts[0]` go to rank 0, and so on;
    /// `given` receives `given_counts[r]` from rank r, one rank's after another's.
    ///
    /// # Errors
    /// If another rank cannot be reached.
    fn all_to_all(
        &mut self,
        own: &[u8],
        own_counts: &[usize],
        given: &mut [u8],
        given_counts: &[usize],
    ) -> io::Result<()>;

    /// Replaces each number by its sum over all ranks.
    ///
    /// # Errors
    /// If another rank cannot be reached.
    fn sum(&mut self, numbers: &mut [u64]) -> io::Result<()>;
}

/// One rank.
struct Alone;

impl Collective for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn ranks(&self) -> usize {
        1
    }

    fn all_gather(&mut self, own: &[u8], _: &[usize], all: &mut [u8]) -> io::Result<()> {
        all.copy_from_slice(own);
        Ok(())
    }

    fn all_to_all(
        &mut self,
        own: &[u8],
        _: &[usize],
        given: &mut [u8],
        _: &[usize],
    ) -> io::Result<()> {
        given.copy_from_slice(own);
        Ok(())
    }

    fn sum(&mut self, _: &mut [u64]) -> io::Result<()> {
        Ok(())
    }
}
