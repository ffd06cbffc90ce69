use eventprop::Collective;
use mpi::Count;
use mpi::collective::SystemOperation;
use mpi::datatype::{Partition, PartitionMut};
use mpi::topology::SimpleCommunicator;
use mpi::traits::CommunicatorCollectives;
use std::io;

/// All ranks of a job. An MPI that loses one of them ends the job itself.
#[derive(Clone, Copy, Debug)]
pub struct World {
    rank: usize,
    ranks: usize,
}

impl World {
    pub(crate) fn new(rank: i32, ranks: i32) -> Self {
        // MPI counts them from 0 in an int.
        Self { rank: rank as usize, ranks: ranks as usize }
    }
}

impl Collective for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn all_gather(&mut self, own: &[u8], counts: &[usize], all: &mut [u8]) -> io::Result<()> {
        let (counts, starts) = layout(counts)?;
        let mut all = PartitionMut::new(all, counts, starts);
        SimpleCommunicator::world().all_gather_varcount_into(own, &mut all);
        Ok(())
    }

    fn all_to_all(
        &mut self,
        own: &[u8],
        own_counts: &[usize],
        given: &mut [u8],
        given_counts: &[usize],
    ) -> io::Result<()> {
        let (counts, starts) = layout(own_counts)?;
        let own = Partition::new(own, counts, starts);
        let (counts, starts) = layout(given_counts)?;
        let mut given = PartitionMut::new(given, counts, starts);
        SimpleCommunicator::world().all_to_all_varcount_into(&own, &mut given);
        Ok(())
    }

    fn sum(&mut self, numbers: &mut [u64]) -> io::Result<()> {
        let own = numbers.to_vec();
        SimpleCommunicator::world().all_reduce_into(&own[..], numbers, SystemOperation::sum());
        Ok(())
    }
}

/// Counts and where each begins, as MPI has them.
fn layout(counts: &[usize]) -> io::Result<(Vec<Count>, Vec<Count>)> {
    let mut start = 0;
    let starts = counts.iter().map(|count| {
        start += count;
        start - count
    });
    let starts: Vec<_> = starts.collect();
    let too_many = || io::Error::other("more than 2 GiB in one message");
    let of_mpi = |numbers: &[usize]| {
        let numbers = numbers.iter().map(|&number| Count::try_from(number));
        numbers.collect::<Result<Vec<_>, _>>().map_err(|_| too_many())
    };
    Count::try_from(start).map_err(|_| too_many())?;
    Ok((of_mpi(counts)?, of_mpi(&starts)?))
}
