//! The processes that train together, if `mpirun` started several.

use super::resume::Left;
use anyhow::Result;
use eventprop::parallel::{agree, broadcast};
use eventprop::{Collective, Parallel};
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// This process among them.
pub(super) struct Ranks {
    job: Option<job::Job>,
}

impl Ranks {
    /// Joins the others, if there are any.
    pub(super) fn join() -> Result<Self> {
        Ok(Self { job: job::join()? })
    }

    /// Whether `mpirun` or its like started this process, be it alone.
    pub(super) fn is_a_job(&self) -> bool {
        self.job.is_some()
    }

    pub(super) fn count(&self) -> usize {
        self.collective().ranks()
    }

    pub(super) fn rank(&self) -> usize {
        self.collective().rank()
    }

    /// Whether this is the one that reads, writes and prints.
    pub(super) fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// How a trainer that computes with `backend` is to work with them.
    pub(super) fn parallel(&self, replicated: usize, backend: &str) -> Result<Parallel> {
        let threads = if self.is_a_job() { job::threads() } else { 0 };
        let collective = match backend {
            "cuda" if self.count() > 1 => between_gpus(self.collective())?,
            _ => self.collective(),
        };
        Ok(Parallel { collective, threads, replicated })
    }

    /// What the first rank has, on every rank.
    pub(super) fn share(&self, left: Option<Left>) -> Result<Option<Left>> {
        if self.count() == 1 {
            return Ok(left);
        }
        let own = left.as_ref().map(Left::to_bytes).unwrap_or_default();
        let bytes = broadcast(self.collective().as_mut(), &own)?;
        match (left, bytes.is_empty()) {
            (Some(left), _) => Ok(Some(left)),
            (None, true) => Ok(None),
            (None, false) => Ok(Some(Left::from_bytes(&bytes)?)),
        }
    }

    /// A path of the first rank's, on every rank.
    pub(super) fn share_path(&self, own: &Path) -> Result<PathBuf> {
        let own = own.to_string_lossy();
        let bytes = broadcast(self.collective().as_mut(), own.as_bytes())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    }

    /// What a rank has if all have theirs; else why not, which is then [`KnownToAll`].
    pub(super) fn agree<T>(&self, outcome: Result<T>) -> Result<T> {
        if self.count() == 1 {
            return outcome;
        }
        let outcome = outcome.map_err(|error| crate::one_line(&error));
        agree(self.collective().as_mut(), outcome)?.map_err(|text| KnownToAll(text).into())
    }

    /// Ends this rank's part; the others' too if it failed and they do not know.
    pub(super) fn leave(self, outcome: Result<ExitCode>) -> Result<ExitCode> {
        let (error, job) = match (outcome, &self.job) {
            (Err(error), Some(job)) if self.count() > 1 => (error, job),
            (outcome, _) => return outcome,
        };
        let rank = self.rank();
        let known = error.is::<KnownToAll>();
        // While all are still there: the starter kills those that are left when one has failed.
        match (rank, known) {
            (0, _) => eprintln!("error: {}", crate::one_line(&error)),
            (_, false) => eprintln!("error: rank {rank}: {}", crate::one_line(&error)),
            (_, true) => {}
        }
        if !known {
            job::abort(job)
        }
        Ok(ExitCode::from(2))
    }

    fn collective(&self) -> Box<dyn Collective> {
        self.job.as_ref().map_or_else(|| Parallel::alone().collective, job::collective)
    }
}

/// Why a training failed, where every rank knows that it did: each ends by itself then, and nobody ends the
/// others, in which Open MPI's starter now and then crashes or never returns.
#[derive(Debug)]
pub(super) struct KnownToAll(pub(super) String);

impl fmt::Display for KnownToAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for KnownToAll {}

/// Has GPUs exchange what is large, in a build that can.
#[cfg(feature = "nccl")]
fn between_gpus(collective: Box<dyn Collective>) -> Result<Box<dyn Collective>> {
    match eventprop::parallel::OverNccl::join(collective) {
        Ok(over) => Ok(Box::new(over)),
        Err(text) => Err(anyhow::anyhow!(text)),
    }
}

#[cfg(not(feature = "nccl"))]
fn between_gpus(collective: Box<dyn Collective>) -> Result<Box<dyn Collective>> {
    Ok(collective)
}

#[cfg(feature = "mpi")]
mod job {
    use anyhow::{Result, anyhow};
    use eventprop::Collective;
    pub(super) use eventprop_mpi::Job;
    use std::thread::available_parallelism;

    pub(super) fn join() -> Result<Option<Job>> {
        match eventprop_mpi::started_ranks() {
            Some(_) => Job::join().map(Some).map_err(|error| anyhow!("MPI: {error}")),
            None => Ok(None),
        }
    }

    pub(super) fn collective(job: &Job) -> Box<dyn Collective> {
        Box::new(job.world())
    }

    /// The cores of this machine, shared among the ranks on it.
    pub(super) fn threads() -> usize {
        let cores = available_parallelism().map_or(1, usize::from);
        (cores / eventprop_mpi::local_ranks().unwrap_or(1).max(1)).max(1)
    }

    pub(super) fn abort(job: &Job) -> ! {
        job.abort(2)
    }
}

#[cfg(not(feature = "mpi"))]
mod job {
    use anyhow::{Result, bail};
    use eventprop::Collective;
    use std::env;

    /// There is none in this build.
    pub(super) enum Job {}

    pub(super) fn join() -> Result<Option<Job>> {
        let started = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"]
            .iter()
            .find_map(|name| env::var(name).ok()?.parse::<usize>().ok());
        match started {
            Some(ranks) if ranks > 1 => bail!(
                "started on {ranks} ranks, but this build knows nothing of MPI: rebuild with --features mpi"
            ),
            _ => Ok(None),
        }
    }

    pub(super) fn collective(job: &Job) -> Box<dyn Collective> {
        match *job {}
    }

    pub(super) fn threads() -> usize {
        0
    }

    pub(super) fn abort(job: &Job) -> ! {
        match *job {}
    }
}
