use super::layout::Layout;
use crate::lanes::{LANES, LaneReal, Lanes};
use lif_core::Parameters;
use lif_core::network::{ConnectionKind, Network, Window};

/// The weights and delays of every connection as rows of lanes: a row holds the weights from one
/// source to one block.
pub(super) struct Synapses<T: LaneReal> {
    /// Learned rows first, then those of poolings.
    pub(super) weights: Vec<T::Lanes>,
    /// In ms, of the rows of `weights`; empty where no connection has delays.
    pub(super) delays: Vec<T::Lanes>,
    connections: Vec<Rows>,
}

/// The rows of a connection.
#[derive(Clone, Debug)]
struct Rows {
    first: usize,
    to: Layout,
    delayed: bool,
    pattern: Pattern,
}

#[derive(Clone, Debug)]
enum Pattern {
    /// Rows `[tile][source][block of the tile]`.
    Dense { sources: usize },
    /// Rows `[ky][kx][in_channel][channel block]`.
    Conv { window: Window, from: [usize; 3], to: [usize; 3] },
    /// Rows `[channel]`, each with one lane that is not 0.
    Pool { window: Window, weight: f64, from: [usize; 3], to: [usize; 3] },
}

impl<T: LaneReal> Synapses<T> {
    /// The rows of `network`, whose layers lie as `layouts` say, all 0 but for the poolings'.
    pub(super) fn new(network: &Network, layouts: &[Layout]) -> Self {
        let mut connections: Vec<Rows> = network
            .connections()
            .iter()
            .map(|connection| {
                let (from, to) =
                    (&network.layers()[connection.from], &network.layers()[connection.to]);
                let image = |shape: Option<[usize; 3]>| shape.unwrap_or([1, 1, 1]);
                let (from_image, to_image) = (image(from.shape), image(to.shape));
                let pattern = match connection.kind {
                    ConnectionKind::Dense => Pattern::Dense { sources: from.size },
                    ConnectionKind::Conv2d(window) => {
                        Pattern::Conv { window, from: from_image, to: to_image }
                    }
                    ConnectionKind::SumPool2d { window, weight } => {
                        Pattern::Pool { window, weight, from: from_image, to: to_image }
                    }
                };
                let to = layouts[connection.to].clone();
                Rows { first: 0, to, delayed: connection.delays, pattern }
            })
            .collect();
        let mut rows = 0;
        let mut place = |connection: &mut Rows| {
            connection.first = rows;
            rows += connection.count();
        };
        connections.iter_mut().filter(|connection| connection.learns()).for_each(&mut place);
        connections.iter_mut().filter(|connection| !connection.learns()).for_each(&mut place);
        let learned = connections.iter().filter(|c| c.learns()).map(Rows::count).sum();
        let delayed = connections.iter().any(|connection| connection.delayed);
        let mut synapses = Self {
            weights: vec![T::Lanes::zero(); rows],
            delays: vec![T::Lanes::zero(); if delayed { learned } else { 0 }],
            connections,
        };
        synapses.set_pools();
        synapses
    }

    fn set_pools(&mut self) {
        for connection in &self.connections {
            if let Pattern::Pool { weight, to, .. } = connection.pattern {
                for channel in 0..to[0] {
                    let row = &mut self.weights[connection.first + channel];
                    *super::lane_mut(row, channel % LANES) = T::of(weight);
                }
            }
        }
    }

    /// Whether the connection's weights have delays.
    pub(super) fn delayed(&self, connection: usize) -> bool {
        self.connections[connection].delayed
    }

    /// Calls `visit(block, row)` for every tile that neuron `source` of a connection reaches, with its
    /// first block and the row that leads there; the rows that lead to the others follow.
    #[inline]
    pub(super) fn fan_out(
        &self,
        connection: usize,
        source: usize,
        mut visit: impl FnMut(usize, usize),
    ) {
        let Rows { first, to: layout, pattern, .. } = &self.connections[connection];
        match pattern {
            Pattern::Dense { sources } => {
                for block in (0..layout.blocks()).step_by(layout.tile) {
                    visit(
                        layout.first_block + block,
                        first + block * sources + source * layout.tile,
                    );
                }
            }
            Pattern::Conv { window, from, to } => {
                let [channel, y, x] = unflatten(source, *from);
                let groups = layout.channel_blocks();
                let width = window.kernel[1];
                for (out_y, ky) in window.windows_over(0, y, to[1]) {
                    for (out_x, kx) in window.windows_over(1, x, to[2]) {
                        let block = layout.first_block + (out_y * to[2] + out_x) * groups;
                        let row = first + ((ky * width + kx) * from[0] + channel) * groups;
                        for group in (0..groups).step_by(layout.tile) {
                            visit(block + group, row + group);
                        }
                    }
                }
            }
            Pattern::Pool { window, from, to, .. } => {
                let [channel, y, x] = unflatten(source, *from);
                let groups = layout.channel_blocks();
                for (out_y, _) in window.windows_over(0, y, to[1]) {
                    for (out_x, _) in window.windows_over(1, x, to[2]) {
                        let position = (out_y * to[2] + out_x) * groups;
                        visit(layout.first_block + position + channel / LANES, first + channel);
                    }
                }
            }
        }
    }

    /// Takes weights and delays from `parameters`.
    pub(super) fn load(&mut self, parameters: &Parameters<T>) {
        for (connection, own) in self.connections.iter().zip(&parameters.connections) {
            let rows = T::Lanes::scalars_mut(&mut self.weights);
            connection.for_each_weight(|flat, place| rows[place] = own.weights[flat]);
            if connection.delayed {
                let rows = T::Lanes::scalars_mut(&mut self.delays);
                connection.for_each_weight(|flat, place| rows[place] = own.delays[flat]);
            }
        }
    }

    /// Writes rows of gradients by weights and delays to `gradient`.
    pub(super) fn unload(
        &self,
        weights: &[T::Lanes],
        delays: &[T::Lanes],
        gradient: &mut Parameters<T>,
    ) {
        let (weights, delays) = (T::Lanes::scalars(weights), T::Lanes::scalars(delays));
        for (connection, own) in self.connections.iter().zip(&mut gradient.connections) {
            connection.for_each_weight(|flat, place| own.weights[flat] = weights[place]);
            if connection.delayed {
                connection.for_each_weight(|flat, place| own.delays[flat] = delays[place]);
            }
        }
    }
}

impl Rows {
    fn learns(&self) -> bool {
        !matches!(self.pattern, Pattern::Pool { .. })
    }

    fn count(&self) -> usize {
        match self.pattern {
            Pattern::Dense { sources } => self.to.blocks() * sources,
            Pattern::Conv { window, from, .. } => {
                self.to.channel_blocks() * window.kernel[0] * window.kernel[1] * from[0]
            }
            Pattern::Pool { to, .. } => to[0],
        }
    }

    /// Calls `visit` with the position of each learned weight in the connection's flat list and among
    /// the scalars of all rows.
    fn for_each_weight(&self, mut visit: impl FnMut(usize, usize)) {
        match self.pattern {
            Pattern::Dense { sources } => {
                let targets = self.to.range().map(|block| self.to.lanes(block)).sum::<usize>();
                for block in self.to.range() {
                    for lane in 0..self.to.lanes(block) {
                        let target = self.to.neuron(block, lane);
                        let (tile, place) = self.to.place(block);
                        for source in 0..sources {
                            let row = (tile * sources + source) * self.to.tile + place;
                            visit(source * targets + target, (self.first + row) * LANES + lane);
                        }
                    }
                }
            }
            Pattern::Conv { window, from, to } => {
                let area = window.kernel[0] * window.kernel[1];
                for out_channel in 0..to[0] {
                    let (group, groups) = (out_channel / LANES, self.to.channel_blocks());
                    for in_channel in 0..from[0] {
                        for offset in 0..area {
                            let flat = (out_channel * from[0] + in_channel) * area + offset;
                            let row = (offset * from[0] + in_channel) * groups + group;
                            visit(flat, (self.first + row) * LANES + out_channel % LANES);
                        }
                    }
                }
            }
            Pattern::Pool { .. } => {}
        }
    }
}

fn unflatten(index: usize, [_, height, width]: [usize; 3]) -> [usize; 3] {
    [index / (height * width), index / width % height, index % width]
}

#[cfg(test)]
mod tests {
    use super::*;
    use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerSpec};

    /// The blocks that each neuron of a layer reaches over a convolution of `window` into 40 channels.
    fn reached(kernel: [usize; 2], stride: [usize; 2], to: [usize; 2]) -> Vec<usize> {
        let (from, to) = ([3, 12, 14], [40, to[0], to[1]]);
        let image = |layer: LayerSpec, shape: [usize; 3]| layer.with_shape(shape);
        let layers = vec![
            image(LayerSpec::input("in", from.iter().product()), from),
            image(LayerSpec::lif("conv", to.iter().product(), 20.0, 5.0), to),
        ];
        let connection = ConnectionSpec {
            kind: ConnectionKindSpec::Conv2d,
            kernel: Some(kernel),
            stride: Some(stride),
            ..ConnectionSpec::dense("in", "conv")
        };
        let network = Network::new(10.0, layers, vec![connection]).unwrap();
        let layouts = Layout::of_layers(&network, &[false; 2]);
        let synapses = Synapses::<f32>::new(&network, &layouts);
        let count = |source| {
            let (mut blocks, mut rows) = (Vec::new(), 0);
            synapses.fan_out(0, source, |block, _| {
                blocks.push(block);
                rows += 1;
            });
            blocks.sort_unstable();
            blocks.dedup();
            assert_eq!(blocks.len(), rows, "no block is reached twice");
            rows
        };
        (0..from.iter().product()).map(count).collect()
    }

    /// 40 channels are three blocks of lanes. Inside the image a spike reaches as many positions as
    /// the kernel has places, over the square of the stride; at its edge fewer. It never costs a
    /// layer.
    #[test]
    fn a_spike_costs_kernel_times_channels() {
        let all = reached([5, 3], [1, 1], [8, 12]);
        assert_eq!(all.iter().max(), Some(&(5 * 3 * 3)));
        // In the corner one position sees it.
        assert_eq!(all[0], 3);
        // Over the image: every position sees its whole kernel, once.
        assert_eq!(all.iter().sum::<usize>(), 3 * (8 * 12) * (5 * 3) * 3);
        let strided = reached([4, 4], [2, 2], [5, 6]);
        assert_eq!(strided.iter().max(), Some(&(2 * 2 * 3)));
        assert_eq!(strided.iter().sum::<usize>(), 3 * (5 * 6) * (4 * 4) * 3);
    }
}
