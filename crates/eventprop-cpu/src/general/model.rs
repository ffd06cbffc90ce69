use super::components::{Component, components};
use super::layout::Layout;
use super::neurons::{self, BlockNeurons};
use super::record::{ALL_LANES, Arrival};
use super::synapses::Synapses;
use super::walker::Walker;
use crate::lanes::LaneReal;
use lif_core::engine::Training;
use lif_core::loss::Readout;
use lif_core::network::Network;
use lif_core::{Parameters, reference};

/// A network at its present parameters, laid out in blocks: what stays the same while a batch runs.
pub(super) struct Model<T: LaneReal> {
    pub(super) layouts: Vec<Layout>,
    pub(super) components: Vec<Component>,
    pub(super) synapses: Synapses<T>,
    pub(super) blocks: Vec<BlockNeurons<T>>,
    /// By layer: whether each tile of its blocks can go through its whole time by itself.
    alone: Vec<bool>,
    /// By layer: how they do.
    pub(super) walkers: Vec<Option<Walker<T>>>,
    /// By layer: whether anything wants to know the errors of what arrives there.
    pub(super) wants_errors: Vec<bool>,
    /// By layer: the connections from it to its own component.
    pub(super) inside: Vec<Vec<usize>>,
    /// By layer: the connections into it from outside its component, each with its sender.
    pub(super) outside: Vec<Vec<(usize, usize)>>,
    /// The last layer.
    pub(super) output: usize,
    /// Its number of neurons.
    pub(super) classes: usize,
    pub(super) readout: Readout,
    /// In ms.
    pub(super) duration: T,
    /// The same in double precision.
    pub(super) end: f64,
    /// The most spikes a neuron may send in a sample.
    pub(super) spike_bound: usize,
    /// Whether gradients by the neurons' constants are wanted.
    pub(super) constants: bool,
}

impl<T: LaneReal> Model<T> {
    pub(super) fn new(
        network: &Network,
        training: &Training<T>,
        parameters: &Parameters<T>,
        constants: bool,
    ) -> Self {
        let components = components(network);
        let mut component_of = vec![usize::MAX; network.layers().len()];
        for (position, component) in components.iter().enumerate() {
            component.layers.iter().for_each(|&layer| component_of[layer] = position);
        }
        let mut inside = vec![Vec::new(); network.layers().len()];
        let mut outside = inside.iter().map(|_| Vec::new()).collect::<Vec<_>>();
        for (position, connection) in network.connections().iter().enumerate() {
            if component_of[connection.from] == component_of[connection.to] {
                inside[connection.from].push(position);
            } else {
                outside[connection.to].push((position, connection.from));
            }
        }
        let readout = training.objective.readout();
        let alone = |layer: usize| {
            let delayed =
                |&(connection, _): &(usize, usize)| network.connections()[connection].delays;
            // With arrivals that reach all of it, and where only its spikes matter.
            inside[layer].is_empty()
                && !outside[layer].iter().any(delayed)
                && (layer != network.output_index() || readout.needs_spikes())
                && !constants
                && Walker::new(&network.layers()[layer], &parameters.layers[layer]).is_some()
        };
        let alone: Vec<bool> = (0..network.layers().len()).map(alone).collect();
        let layouts = Layout::of_layers(network, &alone);
        let synapses = Synapses::new(network, &layouts);
        let sends_to = |from: usize, to: usize| {
            network.connections().iter().any(|c| c.from == from && c.to == to)
        };
        let wants_errors = (0..network.layers().len()).map(|to| {
            training.input_gradients || (1..network.layers().len()).any(|from| sends_to(from, to))
        });
        let wants_errors = wants_errors.collect();
        let mut model = Self {
            blocks: Vec::new(),
            layouts,
            components,
            synapses,
            alone,
            walkers: Vec::new(),
            wants_errors,
            inside,
            outside,
            output: network.output_index(),
            classes: network.output().size,
            readout,
            duration: T::of(network.duration()),
            end: T::of(network.duration()).as_f64(),
            spike_bound: reference::spike_bound(network),
            constants,
        };
        model.load(network, parameters);
        model
    }

    /// Takes new parameters of the same shape.
    pub(super) fn load(&mut self, network: &Network, parameters: &Parameters<T>) {
        self.blocks = neurons::blocks(network, &self.layouts, parameters);
        self.synapses.load(parameters);
        let layers = network.layers().iter().zip(&parameters.layers).enumerate();
        let walkers = layers.map(|(layer, (description, values))| {
            self.alone[layer].then(|| Walker::new(description, values)).flatten()
        });
        self.walkers = walkers.collect();
    }

    /// Calls `visit` with a tile's first block and an arrival there for every arrival of a spike over a
    /// connection.
    #[inline]
    pub(super) fn arrivals_of(
        &self,
        connection: usize,
        neuron: u32,
        spike: u32,
        time: f64,
        mut visit: impl FnMut(u32, Arrival),
    ) {
        let synapses = &self.synapses;
        let delayed = synapses.delayed(connection);
        synapses.fan_out(connection, neuron as usize, |block, row| {
            let to_all = Arrival { time, row: row as u32, spike, lane: ALL_LANES };
            if !delayed {
                return visit(block as u32, to_all);
            }
            for lane in 0..self.blocks[block].lanes {
                let time = time + super::lane(&synapses.delays[row], lane).as_f64();
                visit(block as u32, Arrival { time, lane: lane as u32, ..to_all });
            }
        });
    }

    /// Whether the states of a block's neurons are needed after the forward pass.
    #[inline]
    pub(super) fn keeps_states(&self, block: usize) -> bool {
        self.constants || (self.blocks[block].layer == self.output && !self.readout.needs_spikes())
    }
}
