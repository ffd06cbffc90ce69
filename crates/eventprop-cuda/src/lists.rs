//! Where a layer's spikes are listed, where they come among all that a layer hears of several, and where
//! their errors are put together.

use crate::abi::{self, Address};
use crate::device::{Buffer, Device};
use crate::layer::DenseLayer;
use crate::layer_buffers::LayerBuffers;
use crate::sizes::Room;
use crate::wiring::targets;
use lif_core::engine::EngineError;

/// The buffers for it: none in a chain of layers.
pub(crate) struct Lists {
    /// By position of a layer: the list of its spikes, if no layer hears them alone, whose arrivals they would be.
    own: Vec<Option<LayerBuffers>>,
    /// By position of a layer: the errors of its spikes, if they do not lie in one place anyway.
    collected: Vec<Option<Buffer<f32>>>,
    /// By layer above the input.
    joins: Vec<Option<Join>>,
}

/// What a layer hears of several.
pub(crate) struct Join {
    /// The description of each list.
    pub(crate) lists: Buffer<abi::List>,
    /// The ranks of each list's spikes.
    pub(crate) ranks: Vec<Buffer<i32>>,
}

impl Lists {
    /// Allocates what `room` asks for. `arrivals` are the buffers for what arrives from below at each layer.
    pub(crate) fn new(
        device: &Device,
        plan: &[DenseLayer],
        room: &Room,
        input_errors: bool,
        arrivals: &[&LayerBuffers],
    ) -> Result<Self, EngineError> {
        let positions = 0..=plan.len();
        let own = positions.clone().map(|from| {
            let lengths = room.list(plan, from);
            lengths.map(|lengths| LayerBuffers::new(device, lengths)).transpose()
        });
        let own: Vec<Option<LayerBuffers>> = own.collect::<Result<_, _>>()?;
        let collected = positions.map(|from| {
            let len = room.collected(plan, from, input_errors);
            (len > 0).then(|| device.unset(len)).transpose()
        });
        let collected = collected.collect::<Result<_, _>>()?;
        let list_of = |from: usize| match &own[from] {
            Some(own) => own,
            None => {
                let alone = targets(plan, from).into_iter().find(|target| target.alone);
                arrivals[alone.map_or(0, |target| target.index)]
            }
        };
        let joins = plan.iter().map(|layer| {
            if !layer.is_joined() {
                return Ok(None);
            }
            let ranks: Result<Vec<Buffer<i32>>, EngineError> =
                room.ranks(layer).into_iter().map(|len| device.unset(len)).collect();
            let ranks = ranks?;
            let lists = layer.inputs.iter().zip(&ranks).map(|(input, ranks)| {
                let list = list_of(input.from).arrivals(abi::Layer::default());
                abi::List {
                    counts: list.counts,
                    times: list.times,
                    records: list.records,
                    heads: list.heads,
                    links: list.links,
                    ranks: ranks.address(),
                    width: room.width(input.from) as i32,
                    sources: input.sources as i32,
                    first: input.first as i32,
                    padding: 0,
                }
            });
            Ok(Some(Join { lists: device.copy(&lists.collect::<Vec<_>>())?, ranks }))
        });
        let joins = joins.collect::<Result<_, EngineError>>()?;
        Ok(Self { own, collected, joins })
    }

    /// How layer number `index` above the input hears several.
    pub(crate) fn join(&self, index: usize) -> Option<&Join> {
        self.joins[index].as_ref()
    }

    /// By position of a layer: the lists that its spikes are put into.
    pub(crate) fn describe(
        &self,
        plan: &[DenseLayer],
        room: &Room,
        to_below: &[abi::Layer],
        duration: f32,
    ) -> Vec<Vec<abi::Layer>> {
        let lists = self.own.iter().enumerate().map(|(from, own)| {
            let targets = targets(plan, from);
            match (own, targets.first()) {
                // Of its records times and senders are asked for alone: any decay will do.
                (Some(own), Some(target)) => vec![abi::Layer {
                    sources: plan[target.index].inputs[target.input].sources as i32,
                    width: room.width(from) as i32,
                    samples: to_below[target.index].samples,
                    duration,
                    decay: plan[target.index].decay,
                    ..own.arrivals(abi::Layer::default())
                }],
                _ => {
                    let alone = targets.into_iter().filter(|target| target.alone);
                    alone.map(|target| to_below[target.index]).collect()
                }
            }
        });
        lists.collect()
    }

    /// Where the errors of spikes of the layer at position `from` are collected, if they are.
    pub(crate) fn collected(&self, from: usize) -> Option<Address> {
        self.collected.get(from)?.as_ref().map(Buffer::address)
    }
}
