//! Bytes from GPU to GPU: see [`Nccl`].

use crate::library::nccl_is_present;
use crate::probe::{open, unavailable};
use cudarc::driver::{CudaSlice, DriverError};
use cudarc::nccl::result::NcclError;
use cudarc::nccl::safe::{Comm, Id};
use lif_core::engine::EngineError;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// The ranks of a job, each with a GPU, connected by NVIDIA's NCCL.
///
/// A thread of its own makes all calls: a communicator belongs to the thread that made it. What is exchanged
/// comes from the host and returns there, by way of the device.
pub struct Nccl {
    tasks: Sender<Task>,
}

/// The name of a job, made by one rank and told to the others.
pub type JobId = [u8; 128];

struct Task {
    own: Vec<u8>,
    /// What of it goes to each rank.
    to: Vec<Range<usize>>,
    /// Bytes from each rank.
    given: Vec<usize>,
    answer: Sender<Result<Vec<u8>, String>>,
}

impl Nccl {
    /// A name for a new job.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if there is no NCCL here.
    pub fn job_id() -> Result<JobId, EngineError> {
        check_present()?;
        match Id::new() {
            Ok(id) => Ok(id.internal().map(|byte| byte as u8)),
            Err(error) => unavailable(refused("naming a job", &error)),
        }
    }

    /// Joins the job `id` as rank `rank` of `ranks` with device number `ordinal`; returns when all have.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if there is no NCCL, no driver or no such device here, or they refuse.
    pub fn join(ordinal: usize, rank: usize, ranks: usize, id: JobId) -> Result<Self, EngineError> {
        check_present()?;
        let (tasks, received) = channel();
        let (joined, outcome) = channel();
        let name = "eventprop-nccl".to_owned();
        let spawned = thread::Builder::new().name(name).spawn(move || {
            let id = Id::uninit(id.map(|byte| byte as std::ffi::c_char));
            let comm = open(ordinal).and_then(|context| {
                let stream = context.new_stream();
                let stream =
                    stream.or_else(|error| unavailable(failed("making a stream", &error)))?;
                Comm::from_rank(stream, rank, ranks, id)
                    .or_else(|error| unavailable(refused("joining a job", &error)))
            });
            match comm {
                Ok(comm) => {
                    let _ = joined.send(Ok(()));
                    serve(&comm, &received);
                }
                Err(error) => {
                    let _ = joined.send(Err(error));
                }
            }
        });
        if let Err(error) = spawned {
            return unavailable(format!("its thread cannot be started: {error}"));
        }
        match outcome.recv() {
            Ok(outcome) => outcome.map(|()| Self { tasks }),
            Err(_) => unavailable("joining the job ended its thread"),
        }
    }

    /// Sends `own[to[r]]` to every rank r and receives `given[r]` bytes from each; returns these, one rank's
    /// after another's. All ranks call this at once, and what one sends another expects.
    ///
    /// # Errors
    /// What the driver or NCCL refuses.
    pub fn exchange(
        &self,
        own: &[u8],
        to: Vec<Range<usize>>,
        given: &[usize],
    ) -> Result<Vec<u8>, String> {
        let (answer, outcome) = channel();
        let task = Task { own: own.to_vec(), to, given: given.to_vec(), answer };
        let gone = || "the thread of NCCL has ended".to_owned();
        self.tasks.send(task).map_err(|_| gone())?;
        outcome.recv().map_err(|_| gone())?
    }
}

fn serve(comm: &Comm, tasks: &Receiver<Task>) {
    // Ends when nobody can send any more.
    for task in tasks {
        let _ = task.answer.send(exchange(comm, &task));
    }
}

fn exchange(comm: &Comm, task: &Task) -> Result<Vec<u8>, String> {
    let Task { own, to, given, .. } = task;
    let stream = comm.stream();
    let of_driver = |doing: &'static str| move |error: DriverError| failed(doing, &error);
    // No length 0: the address must be one.
    let sent = if own.is_empty() { &[0][..] } else { own };
    let sent = stream.clone_htod(sent).map_err(of_driver("copying to the device"))?;
    let mut received: Vec<CudaSlice<u8>> = given
        .iter()
        .map(|&bytes| stream.alloc_zeros(bytes.max(1)))
        .collect::<Result<_, _>>()
        .map_err(of_driver("allocating on the device"))?;
    {
        let mut group = comm.group();
        for (peer, buffer) in
            received.iter_mut().enumerate().filter(|(peer, _)| *peer != comm.rank())
        {
            let number = peer as i32;
            if !to[peer].is_empty() {
                let view = sent.slice(to[peer].clone());
                group.send(view, number).map_err(|error| refused("sending", &error))?;
            }
            if given[peer] > 0 {
                let view = buffer.slice_mut(..given[peer]);
                group.recv(view, number).map_err(|error| refused("receiving", &error))?;
            }
        }
    }
    let mut all = vec![0; given.iter().sum()];
    let mut rest = &mut all[..];
    for (peer, buffer) in received.iter().enumerate() {
        let (place, after) = rest.split_at_mut(given[peer]);
        if peer == comm.rank() {
            place.copy_from_slice(&own[to[peer].clone()]);
        } else if !place.is_empty() {
            let view = buffer.slice(..place.len());
            stream.memcpy_dtoh(&view, place).map_err(of_driver("copying from the device"))?;
        }
        rest = after;
    }
    stream.synchronize().map_err(of_driver("exchanging"))?;
    Ok(all)
}

fn check_present() -> Result<(), EngineError> {
    // NCCL itself needs the driver.
    open(0)?;
    if nccl_is_present() {
        return Ok(());
    }
    unavailable(
        "no NCCL on this machine (libnccl.so not found; a link of that name to libnccl.so.2 will do)",
    )
}

fn failed(doing: &str, error: &DriverError) -> String {
    format!("{doing} failed: {error}")
}

fn refused(doing: &str, error: &NcclError) -> String {
    format!("NCCL: {doing} failed: {:?}", error.0)
}
