//! Times steps of training, apart for computing and for what ranks tell each other.
//!
//! `mpirun -n 2 scaling STEPS BATCH_SIZE SHARDS HIDDEN` trains 784-HIDDEN-10 on MNIST, one thread a rank, and
//! prints a line of JSON; without `mpirun`, on one rank. Times are seconds a step, the mean over ranks:
//! `cpu` is processor time outside of communication, `wall` and `communication` are wall time.

use anyhow::{Context, Result};
use eventprop::{Collective, Config, Data, Event, Parallel, Trainer};
use eventprop_mpi::{Job, World};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let arguments: Vec<usize> =
        std::env::args().skip(1).map(|argument| argument.parse()).collect::<Result<_, _>>()?;
    let [steps, batch_size, shards, hidden] =
        arguments[..].try_into().context("give STEPS BATCH_SIZE SHARDS HIDDEN")?;
    let job = eventprop_mpi::started_ranks().map(|_| Job::join()).transpose();
    let job = job.map_err(anyhow::Error::msg)?;
    let mut config = Config::preset("mnist")?;
    config.network.layers[1].size = hidden;
    config.training.batch_size = batch_size;
    config.training.shards = Some(shards);
    config.training.threads = 1;
    // What is learned would change the number of spikes, and with it the work of later steps.
    config.training.lr = f64::MIN_POSITIVE;
    config.check()?;
    let data = Data::load(&config)?;

    let spent = Arc::new(Mutex::new(Spent::default()));
    let inner = match &job {
        Some(job) => Box::new(job.world()) as Box<dyn Collective>,
        None => Parallel::alone().collective,
    };
    let (rank, ranks) = (inner.rank(), inner.ranks());
    let timed = Timed { inner, spent: Arc::clone(&spent) };
    let mut trainer = Trainer::new_in(config, data, Parallel::new(Box::new(timed)))?;
    let parameters = {
        let mut count = 0;
        trainer.checkpoint().parameters.for_each(|_, values| count += values.len());
        count
    };

    // The first steps find memory and neurons that are not yet silent.
    let warm = steps / 4;
    let (mut done, mut start) = (0, None);
    let mut end = None;
    trainer.run_epoch(|event| {
        if let Event::Batch { .. } = event {
            done += 1;
            if done == warm {
                *spent.lock().expect("nobody panics") = Spent::default();
                start = Some((Instant::now(), cpu()));
            }
            if done == warm + steps {
                end = Some((Instant::now(), cpu(), *spent.lock().expect("nobody panics")));
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    let (start, end) =
        (start.context("too few steps")?, end.context("more steps than an epoch has")?);
    let wall = end.0 - start.0;
    let cpu = (end.1 - start.1).saturating_sub(end.2.cpu);
    let mut sums = [cpu, wall, end.2.wall].map(|time| time.as_nanos() as u64);
    if let Some(job) = &job {
        World::sum(&mut job.world(), &mut sums)?;
    }
    if rank == 0 {
        let [cpu, wall, communication] =
            sums.map(|nanoseconds| nanoseconds as f64 / 1e9 / ranks as f64 / steps as f64);
        let line = serde_json::json!({
            "ranks": ranks, "batch_size": batch_size, "shards": shards, "parameters": parameters,
            "steps": steps, "cpu": cpu, "wall": wall, "communication": communication,
        });
        println!("{line}");
    }
    Ok(())
}

/// The processor time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What communication took.
#[derive(Clone, Copy, Default)]
struct Spent {
    wall: Duration,
    cpu: Duration,
}

/// Measures what another collective takes.
struct Timed {
    inner: Box<dyn Collective>,
    spent: Arc<Mutex<Spent>>,
}

impl Timed {
    fn time<T>(&mut self, work: impl FnOnce(&mut dyn Collective) -> T) -> T {
        let (wall, before) = (Instant::now(), cpu());
        let result = work(self.inner.as_mut());
        let mut spent = self.spent.lock().expect("nobody panics");
        spent.wall += wall.elapsed();
        spent.cpu += cpu().saturating_sub(before);
        result
    }
}

impl Collective for Timed {
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    fn ranks(&self) -> usize {
        self.inner.ranks()
    }

    fn all_gather(&mut self, own: &[u8], counts: &[usize], all: &mut [u8]) -> io::Result<()> {
        self.time(|inner| inner.all_gather(own, counts, all))
    }

    fn all_to_all(
        &mut self,
        own: &[u8],
        own_counts: &[usize],
        given: &mut [u8],
        given_counts: &[usize],
    ) -> io::Result<()> {
        self.time(|inner| inner.all_to_all(own, own_counts, given, given_counts))
    }

    fn sum(&mut self, numbers: &mut [u64]) -> io::Result<()> {
        self.time(|inner| inner.sum(numbers))
    }
}
