use crate::lanes::LANES;
use lif_core::network::{ConnectionKind, Network};

/// Where the neurons of a layer lie: sixteen to a block, blocks counted through the whole network.
///
/// In a layer that a convolution or a pooling reaches, a block holds up to sixteen channels of one
/// position, so that a spike reaches whole blocks; elsewhere it holds neighbours.
///
/// Blocks that hear the same arrivals and walk alone form a tile: they walk together. Arrivals are
/// noted once a tile, at its first block.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The layer's first block.
    pub(super) first_block: usize,
    /// The blocks of a tile.
    pub(super) tile: usize,
    size: usize,
    image: Option<[usize; 3]>,
}

impl Layout {
    /// The layouts of all layers, `alone` telling by layer whether its blocks walk alone; the input has
    /// no blocks.
    pub(super) fn of_layers(network: &Network, alone: &[bool]) -> Vec<Self> {
        let mut first_block = 0;
        let layers = network.layers().iter().enumerate();
        layers
            .map(|(position, layer)| {
                let into = network.connections().iter().filter(|c| c.to == position);
                let windowed = into.clone().any(|c| !matches!(c.kind, ConnectionKind::Dense));
                // A pooled spike reaches one channel.
                let pooled =
                    into.clone().any(|c| matches!(c.kind, ConnectionKind::SumPool2d { .. }));
                let size = if position == 0 { 0 } else { layer.size };
                let image = layer.shape.filter(|_| windowed);
                let mut layout = Self { first_block, size, image, tile: 1 };
                if alone[position] && !pooled {
                    layout.tile = image.map_or(layout.blocks(), |_| layout.channel_blocks()).max(1);
                }
                first_block += layout.blocks();
                layout
            })
            .collect()
    }

    /// The number of blocks.
    pub(super) fn blocks(&self) -> usize {
        match self.image {
            Some([_, height, width]) => height * width * self.channel_blocks(),
            None => self.size.div_ceil(LANES),
        }
    }

    /// The layer's blocks.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.first_block..self.first_block + self.blocks()
    }

    /// The first block of each tile.
    pub(super) fn tiles(&self) -> impl Iterator<Item = usize> + use<> {
        self.range().step_by(self.tile)
    }

    /// The number of blocks at one position of an image.
    pub(super) fn channel_blocks(&self) -> usize {
        self.image.map_or(1, |[channels, ..]| channels.div_ceil(LANES))
    }

    /// The neuron at a lane of one of the layer's blocks, which has more lanes than that.
    pub(super) fn neuron(&self, block: usize, lane: usize) -> usize {
        let block = block - self.first_block;
        match self.image {
            Some([_, height, width]) => {
                let (position, group) =
                    (block / self.channel_blocks(), block % self.channel_blocks());
                (group * LANES + lane) * height * width + position
            }
            None => block * LANES + lane,
        }
    }

    /// The tile of one of the layer's blocks, and the block's place in it.
    pub(super) fn place(&self, block: usize) -> (usize, usize) {
        let block = block - self.first_block;
        (block / self.tile, block % self.tile)
    }

    /// The number of neurons in one of the layer's blocks.
    pub(super) fn lanes(&self, block: usize) -> usize {
        let block = block - self.first_block;
        let (group, neurons) = match self.image {
            Some([channels, ..]) => (block % self.channel_blocks(), channels),
            None => (block, self.size),
        };
        (neurons - group * LANES).min(LANES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_neuron_has_one_place() {
        for image in [None, Some([35, 2, 3])] {
            let layout = Layout { first_block: 7, size: 210, image, tile: 1 };
            let lanes = |block| (0..layout.lanes(block)).map(move |lane| (block, lane));
            let places = layout.range().flat_map(lanes);
            let mut neurons: Vec<_> =
                places.map(|(block, lane)| layout.neuron(block, lane)).collect();
            neurons.sort_unstable();
            assert!(neurons.into_iter().eq(0..210));
        }
    }
}
