//! MPI under the training of [`eventprop`]: see [`eventprop::parallel`].
//!
//! Needs an MPI library and its compiler wrapper to build (`libopenmpi-dev`) and libclang
//! (`libclang-dev`), which makes the bindings. `eventprop-cli` uses it with `--features mpi`.

mod world;

pub use world::World;

use mpi::environment::Universe;
use mpi::topology::Communicator;
use std::env;

/// MPI, from its start to its end, which is when this is dropped: on every rank.
pub struct Job {
    _universe: Universe,
    world: World,
}

impl Job {
    /// Joins the ranks that were started together.
    ///
    /// # Errors
    /// If MPI runs already in this process, or cannot be called from more threads than the first.
    pub fn join() -> Result<Self, String> {
        let (universe, threading) =
            mpi::initialize_with_threading(mpi::Threading::Serialized).ok_or("MPI runs already")?;
        if threading < mpi::Threading::Serialized {
            return Err("this MPI cannot be called from more than one thread".into());
        }
        let world = World::new(universe.world().rank(), universe.world().size());
        Ok(Self { _universe: universe, world })
    }

    /// All ranks.
    pub fn world(&self) -> World {
        self.world
    }

    /// Ends this rank and all others.
    pub fn abort(&self, status: i32) -> ! {
        mpi::topology::SimpleCommunicator::world().abort(status)
    }
}

/// How many ranks were started together with this process, by what their starters leave in the
/// environment (Open MPI, MPICH and its kin); none if nobody did.
pub fn started_ranks() -> Option<usize> {
    number(&["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
}

/// How many of them are on this machine.
pub fn local_ranks() -> Option<usize> {
    number(&["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"])
}

fn number(names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| env::var(name).ok()?.parse().ok())
}
