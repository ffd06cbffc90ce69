use super::adjoints::{Adjoints, Scratch};
use super::backward::{Adjoint, Sweep};
use super::injections::own;
use super::jumps::{Height, JumpSettings, Jumps};
use super::{Blocks, Rows, Solver, State, Tile, solver};
use crate::crossing::{MAX_SPIKES_PER_INTERVAL, Neurons, Spike};
use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::sample::SampleSpikes;
use crate::spare::Spare;
use crate::stream::Stream;
use crate::threads::Threads;
use lif_core::engine::EngineError;
use lif_core::per_neuron;
use rayon::prelude::*;

/// A dense layer of leaky integrate-and-fire neurons.
pub(crate) struct SpikingLayer<T: LaneReal> {
    name: String,
    blocks: Blocks,
    decay: Decay<T>,
    solver: Box<dyn Solver<T>>,
    neurons: Neurons<T>,
    /// By neuron.
    heights: Vec<Height<T>>,
    /// Where there are several tiles: the spikes of `[tile][sample]`.
    tiles: Vec<Vec<Spike<T>>>,
    pub(crate) adjoints: Adjoints<T>,
    states: Spare<State<T>>,
    jumps: Spare<Jumps<T>>,
}

/// Bytes of weights that are walked together, at most: they are to stay in a core's cache from one
/// sample to the next.
const TILE_BYTES: usize = 5 << 18;

impl<T: LaneReal> SpikingLayer<T> {
    /// `thresholds` holds those of all neurons, or one for all, not counted from the bias.
    pub(crate) fn new(
        name: String,
        blocks: Blocks,
        decay: Decay<T>,
        neurons: Neurons<T>,
        thresholds: &[T],
    ) -> Self {
        let resets = T::Lanes::scalars(&neurons.reset);
        let counted = T::Lanes::scalars(&neurons.threshold).iter().zip(resets);
        let heights = counted.take(blocks.targets).enumerate().map(|(neuron, (&above, &reset))| {
            Height { threshold: *per_neuron(thresholds, neuron), fall: above - reset }
        });
        let heights = heights.collect();
        Self {
            name,
            blocks,
            decay,
            solver: solver(decay),
            neurons,
            heights,
            tiles: Vec::new(),
            adjoints: Adjoints::default(),
            states: Spare::default(),
            jumps: Spare::default(),
        }
    }

    /// Runs every neuron through the batch and leaves the spikes of each sample in `samples`.
    pub(crate) fn forward(
        &mut self,
        threads: &Threads,
        weights: &[T::Lanes],
        streams: &[Stream<T>],
        samples: &mut [SampleSpikes<T>],
    ) -> Result<(), EngineError> {
        let (blocks, neurons, solver) = (self.blocks.count(), &self.neurons, &*self.solver);
        let most = TILE_BYTES / (self.blocks.sources * size_of::<T::Lanes>()).max(1);
        let count = blocks.div_ceil(most.max(1));
        let walk = |state: &mut State<T>,
                    tile: usize,
                    sample: usize,
                    spikes: &mut Vec<Spike<T>>| {
            let blocks = tile * blocks / count..(tile + 1) * blocks / count;
            let half = self.blocks.targets <= LANES / 2;
            let tile = Tile { weights, stride: self.blocks.count(), blocks, half, neurons };
            if solver.walk(&tile, &streams[sample], state, spikes) { None } else { Some(sample) }
        };
        let ran_away = if count == 1 {
            let samples = samples.par_iter_mut().enumerate().map_init(
                || self.states.take(),
                |state, (sample, merged)| walk(state, 0, sample, &mut merged.spikes),
            );
            threads.reduce(samples, None, earliest)
        } else {
            self.tiles.resize_with(count * streams.len(), Vec::new);
            let tiles = self.tiles.par_iter_mut().enumerate().map_init(
                || self.states.take(),
                |state, (index, spikes)| {
                    walk(state, index / streams.len(), index % streams.len(), spikes)
                },
            );
            let ran_away = threads.reduce(tiles, None, earliest);
            merge(threads, &self.tiles, samples);
            ran_away
        };
        match ran_away {
            Some(sample) => Err(EngineError::Runaway {
                layer: self.name.clone(),
                sample,
                bound: MAX_SPIKES_PER_INTERVAL,
            }),
            None => Ok(()),
        }
    }

    /// How often each neuron spiked in all samples that were run backward since this was last asked.
    pub(crate) fn take_activity(&mut self) -> Vec<u64> {
        let mut counts = vec![0; self.blocks.targets];
        self.jumps.all().iter_mut().for_each(|jumps| jumps.take_activity(&mut counts));
        counts
    }

    /// Runs the adjoint backward from the errors of each spike in `samples`, leaves the gradient by
    /// the weights in `rows` and, where wanted, the errors of the arrivals in `streams`. Returns
    /// the number of grazing spikes.
    pub(crate) fn backward(
        &mut self,
        threads: &Threads,
        rows: Rows<'_, T>,
        streams: &mut [Stream<T>],
        samples: &mut [SampleSpikes<T>],
        settings: JumpSettings<T>,
        errors_below: bool,
    ) -> u64 {
        let (heights, decay) = (&self.heights, &self.decay);
        let jumps = samples.par_iter_mut().map_init(
            || self.jumps.take(),
            |jumps, sample| jumps.run(sample, heights, decay, settings),
        );
        let grazing = threads.reduce(jumps, 0, |a, b| a + b);
        let samples = &*samples;
        let layer = self.blocks.count();
        let sweep = |scratch: &mut Scratch<T>, sample: usize, mut sweep: Sweep<'_, T>| {
            let all = &samples[sample].injections;
            sweep.run(&Adjoint {
                ratio: decay.adjoint_ratio(),
                scale: -decay.tau_syn.recip(),
                injections: own(all, &sweep.blocks, layer, &mut scratch.injections),
                forcing: None,
            });
        };
        self.adjoints.run(threads, self.blocks, rows, streams, errors_below, sweep);
        grazing
    }
}

/// Of two samples that ran away, the first.
fn earliest(a: Option<usize>, b: Option<usize>) -> Option<usize> {
    a.into_iter().chain(b).min()
}

/// Brings the spikes of all tiles of each sample into one order.
fn merge<T: LaneReal>(threads: &Threads, tiles: &[Vec<Spike<T>>], samples: &mut [SampleSpikes<T>]) {
    let count = samples.len();
    threads.each(samples.par_iter_mut().enumerate(), |(sample, merged)| {
        merged.spikes.clear();
        for spikes in tiles.iter().skip(sample).step_by(count) {
            merged.spikes.extend_from_slice(spikes);
        }
        // The stable sort finds the runs that it is to merge.
        merged.spikes.sort_by(Spike::order);
    });
}
