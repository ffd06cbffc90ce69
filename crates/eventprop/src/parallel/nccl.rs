use super::{Collective, broadcast};
use eventprop_cuda::Nccl;
use std::io;
use std::ops::Range;

/// Messages of fewer bytes go another way: they are for the host, and small.
const LARGE: usize = 1 << 16;

/// A [`Collective`] whose large messages, those of gradients and samples, go from GPU to GPU by NCCL; the
/// others go the way of another one, which also brings the ranks together.
pub struct OverNccl {
    inner: Box<dyn Collective>,
    nccl: Nccl,
}

impl OverNccl {
    /// Connects the GPUs of the ranks of `inner`: on each rank the first one that it sees
    /// (`CUDA_VISIBLE_DEVICES`), which the engine uses too.
    ///
    /// # Errors
    /// If a rank has no NCCL or no GPU: on every rank.
    pub fn join(mut inner: Box<dyn Collective>) -> Result<Self, String> {
        let lost = |error: io::Error| error.to_string();
        let id = match inner.rank() {
            0 => Nccl::job_id().map(Some),
            _ => Ok(None),
        };
        let id = super::agree(inner.as_mut(), id).map_err(lost)??;
        let own = id.as_ref().map_or(&[][..], |id| id);
        let id = broadcast(inner.as_mut(), own).map_err(lost)?;
        let id = id.try_into().map_err(|_| "the first rank sent no name of a job".to_owned())?;
        let nccl = Nccl::join(0, inner.rank(), inner.ranks(), id);
        let nccl = super::agree(inner.as_mut(), nccl).map_err(lost)??;
        Ok(Self { inner, nccl })
    }

    fn exchange(
        &self,
        own: &[u8],
        to: Vec<Range<usize>>,
        given: &mut [u8],
        counts: &[usize],
    ) -> io::Result<()> {
        let all = self.nccl.exchange(own, to, counts).map_err(io::Error::other)?;
        given.copy_from_slice(&all);
        Ok(())
    }
}

impl Collective for OverNccl {
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    fn ranks(&self) -> usize {
        self.inner.ranks()
    }

    fn all_gather(&mut self, own: &[u8], counts: &[usize], all: &mut [u8]) -> io::Result<()> {
        if all.len() < LARGE {
            return self.inner.all_gather(own, counts, all);
        }
        let to = vec![0..own.len(); self.ranks()];
        self.exchange(own, to, all, counts)
    }

    fn all_to_all(
        &mut self,
        own: &[u8],
        own_counts: &[usize],
        given: &mut [u8],
        given_counts: &[usize],
    ) -> io::Result<()> {
        let mut start = 0;
        let to = own_counts.iter().map(|count| {
            start += count;
            start - count..start
        });
        let to = to.collect();
        self.exchange(own, to, given, given_counts)
    }

    fn sum(&mut self, numbers: &mut [u64]) -> io::Result<()> {
        self.inner.sum(numbers)
    }
}
