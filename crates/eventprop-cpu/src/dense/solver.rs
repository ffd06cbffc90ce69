use super::forward::{State, Tile, walk};
use crate::crossing::{Exponential, Polynomial, Roots, Spike};
use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Stream;

/// A way to find crossings, and with it to run whole samples.
pub(crate) trait Solver<T: LaneReal>: Send + Sync {
    /// Runs the neurons of a tile through one sample and leaves their spikes in `spikes`, in order
    /// of time; false if a neuron runs away.
    fn walk(
        &self,
        tile: &Tile<'_, T>,
        stream: &Stream<T>,
        state: &mut State<T>,
        spikes: &mut Vec<Spike<T>>,
    ) -> bool;
}

impl<T: LaneReal, R: Roots<T>> Solver<T> for R {
    fn walk(
        &self,
        tile: &Tile<'_, T>,
        stream: &Stream<T>,
        state: &mut State<T>,
        spikes: &mut Vec<Spike<T>>,
    ) -> bool {
        state.found.clear();
        let completed = walk(self, tile, stream, state);
        set_times(self, &mut state.found.spikes, stream);
        state.found.sort_into(spikes);
        completed
    }
}

/// Turns the marks of spikes into times. No rounding takes a spike out of its interval.
#[inline(always)]
fn set_times<T: LaneReal>(roots: &impl Roots<T>, spikes: &mut [Spike<T>], stream: &Stream<T>) {
    let mut marks = roots.origin::<T::Lanes>().to_array();
    for chunk in spikes.chunks_mut(LANES) {
        for (mark, spike) in marks.iter_mut().zip(&*chunk) {
            *mark = spike.time;
        }
        let elapsed = roots.elapsed(T::Lanes::from_array(marks)).to_array();
        for (spike, elapsed) in chunk.iter_mut().zip(elapsed) {
            let (start, end) = stream.span(spike.interval as usize);
            spike.time = (start + elapsed).min(end);
        }
    }
}

/// The solver for a layer's time constants.
pub(crate) fn solver<T: LaneReal>(decay: Decay<T>) -> Box<dyn Solver<T>> {
    match decay.integer_ratio() {
        Some(2) => Box::new(Polynomial::<T, 2>(decay)),
        Some(3) => Box::new(Polynomial::<T, 3>(decay)),
        Some(4) => Box::new(Polynomial::<T, 4>(decay)),
        Some(5) => Box::new(Polynomial::<T, 5>(decay)),
        Some(6) => Box::new(Polynomial::<T, 6>(decay)),
        Some(7) => Box::new(Polynomial::<T, 7>(decay)),
        Some(8) => Box::new(Polynomial::<T, 8>(decay)),
        Some(9) => Box::new(Polynomial::<T, 9>(decay)),
        Some(10) => Box::new(Polynomial::<T, 10>(decay)),
        _ => Box::new(Exponential(decay)),
    }
}
