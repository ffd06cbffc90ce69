//! What becomes of a signal from node to node.

use super::fields::{Named, product};
use super::neurons::Population;
use super::paths::Path;
use super::pieces::{Pieces, Role};
use super::shapes::after;
use super::synapse::Synapse;
use super::weights::Weights;
use crate::error::ImportError;
use crate::time::{milliseconds, seconds};
use lif_core::per_neuron;

/// A signal on its way.
pub(super) struct Course<'a> {
    pieces: &'a Pieces<'a>,
    path: &'a Path,
    shape: Vec<usize>,
    target_size: usize,
    before: Elementwise,
    weights: Option<Weights>,
    behind: Elementwise,
    /// What has been added, for each element.
    bias: Option<Vec<f64>>,
    part: Option<(usize, usize)>,
    /// The node that errors are told of, with its kind.
    node: (String, String),
}

/// What happens to each element of a signal: lists of one value for all or one for each.
#[derive(Default)]
struct Elementwise {
    scale: Option<Vec<f64>>,
    /// In ms.
    delay: Option<Vec<f64>>,
}

impl<'a> Course<'a> {
    pub(super) fn begin(
        pieces: &'a Pieces<'a>,
        populations: &[Population],
        path: &'a Path,
    ) -> Self {
        let to = &populations[path.to];
        Self {
            pieces,
            path,
            shape: populations[path.from].shape.clone().unwrap_or_default(),
            target_size: to.size(),
            before: Elementwise::default(),
            weights: None,
            behind: Elementwise::default(),
            bias: None,
            part: None,
            node: (to.name.clone(), to.kind.clone()),
        }
    }

    /// Passes a node; says whether it adds a bias.
    pub(super) fn pass(&mut self, name: &'a str) -> Result<bool, ImportError> {
        let piece = &self.pieces.nodes[name];
        let next = after(self.pieces, name, &self.shape)?;
        let mut has_bias = false;
        if piece.role == Role::Map {
            let fields: &[&str] = match piece.primitive.kind.as_str() {
                "Linear" => &["weight"],
                "Affine" => &["weight", "bias"],
                "Conv2d" => {
                    &["input_shape", "weight", "stride", "padding", "dilation", "groups", "bias"]
                }
                "SumPool2d" => &["kernel_size", "stride", "padding"],
                "Flatten" => &["start_dim", "end_dim", "input_type"],
                "Delay" => &["delay"],
                _ => &["scale"],
            };
            let node = Named::of(self.pieces, name, fields)?;
            match node.kind() {
                "Flatten" => {}
                "Delay" => {
                    let delay = delay(node)?;
                    let side = self.side();
                    side.delay = Some(together(side.delay.take(), delay, |a, b| a + b));
                }
                "Scale" => {
                    let scale = node.numbers("scale")?.values.clone();
                    for (element, bias) in self.bias.iter_mut().flatten().enumerate() {
                        *bias *= per_neuron(&scale, element);
                    }
                    let side = self.side();
                    side.scale = Some(together(side.scale.take(), scale, |a, b| a * b));
                }
                _ => has_bias = self.weigh(node, &next)?,
            }
        }
        self.shape = next;
        Ok(has_bias)
    }

    pub(super) fn forget_bias(&mut self) {
        self.bias = None;
    }

    /// The connection, and the bias of each of the target's neurons.
    pub(super) fn end(
        self,
        populations: &mut [Population],
    ) -> Result<(Synapse, Option<Vec<f64>>), ImportError> {
        let Path { from, to, .. } = *self.path;
        let Self { before, weights, mut behind, bias, part, node, .. } = self;
        let mut synapse = Synapse {
            from,
            to,
            weights: weights.unwrap_or_else(Weights::identity),
            delays: None,
            part,
            node,
        };
        if let Weights::SumPool2d { .. } = synapse.weights {
            give_images(populations, &synapse)?;
        }
        let gain: Vec<_> = (0..populations[to].size()).map(|n| populations[to].gain(n)).collect();
        if gain.iter().any(|&gain| gain != 1.0) {
            behind.scale = Some(together(behind.scale.take(), gain, |a, b| a * b));
        }
        let refuse = |reason: &str, synapse: &Synapse| synapse.refuse(reason);
        let scaled = |synapse: &mut Synapse, scale: Option<Vec<f64>>, by_row: bool| {
            let Some(scale) = scale else { return Ok(()) };
            match synapse.weights.scale(&scale, by_row) {
                true => Ok(()),
                false => Err(refuse(
                    "what scales it (a Scale, or r w_in / tau_syn of the neurons behind) differs between \
                     neurons that share a weight",
                    synapse,
                )),
            }
        };
        scaled(&mut synapse, before.scale, false)?;
        scaled(&mut synapse, behind.scale, true)?;
        if before.delay.is_some() || behind.delay.is_some() {
            let (before, behind) = (before.delay.as_deref(), behind.delay.as_deref());
            match synapse.weights.delays(before, behind) {
                Some(delays) => synapse.delays = Some(delays),
                None => {
                    let reason = "a delay that differs within a channel, or without weights (Linear, Conv2d) \
                                  beside it, has no equal here";
                    return Err(synapse.refuse(reason));
                }
            }
        }
        Ok((synapse, bias))
    }

    /// Takes the weights of a node; says whether it has a bias too.
    fn weigh(&mut self, node: Named<'a>, next: &[usize]) -> Result<bool, ImportError> {
        if self.weights.is_some() {
            let reason = format!(
                "comes behind \"{}\" ({}) without neurons between them: a connection here has one of the two",
                self.node.0, self.node.1
            );
            return Err(node.refuse(reason));
        }
        self.weights = Some(Weights::of(node, &self.shape)?);
        self.node = (node.name.into(), node.kind().into());
        self.part = node.hint("connection").zip(node.hint("column"));
        let Some(bias) = node.optional("bias")? else { return Ok(false) };
        let (given, channels) = (bias.values.len(), next.first().copied().unwrap_or(1));
        if given != channels {
            return Err(node.refuse(format!("bias has {given} values for {channels} outputs")));
        }
        if bias.values.iter().all(|&bias| bias == 0.0) {
            return Ok(false);
        }
        if product(next) != self.target_size {
            // Other weights come behind, which will be refused.
            return Ok(false);
        }
        let neurons = product(next) / channels;
        let each = bias.values.iter().flat_map(|&bias| std::iter::repeat_n(bias, neurons));
        self.bias = Some(each.collect());
        Ok(true)
    }

    /// Where a node that acts on each element acts: before the weights or behind them.
    fn side(&mut self) -> &mut Elementwise {
        if self.weights.is_some() { &mut self.behind } else { &mut self.before }
    }
}

/// Pools lie between images: neurons in a row become one of width 1.
fn give_images(populations: &mut [Population], synapse: &Synapse) -> Result<(), ImportError> {
    let Weights::SumPool2d { window, .. } = &synapse.weights else { return Ok(()) };
    if *window != Weights::IDENTITY {
        return Ok(());
    }
    let from = &mut populations[synapse.from];
    let row = [from.size(), 1, 1];
    let image = *from.image.get_or_insert(row);
    let to = &mut populations[synapse.to];
    if *to.image.get_or_insert(image) != image {
        return Err(to.refuse("is reached without weights by neurons of another image"));
    }
    Ok(())
}

/// The delays of a node in ms: those that an export left, where they are still those of the node.
fn delay(node: Named) -> Result<Vec<f64>, ImportError> {
    let array = node.numbers("delay")?;
    if let Some(delay) = array.values.iter().find(|delay| **delay < 0.0) {
        return Err(node.refuse(format!("delay must not be negative, got {delay}")));
    }
    let fits = |(ms, stored): (&f64, &f64)| seconds(*ms, array.storage) == *stored;
    if let Some(exact) = node.metadata("delay_ms")
        && exact.values.len() == array.values.len()
        && exact.values.iter().zip(&array.values).all(fits)
    {
        return Ok(exact.values.clone());
    }
    Ok(array.values.iter().map(|&s| milliseconds(s, array.storage)).collect())
}

fn together(first: Option<Vec<f64>>, second: Vec<f64>, join: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    match first {
        Some(first) => {
            let elements = 0..first.len().max(second.len());
            elements.map(|e| join(*per_neuron(&first, e), *per_neuron(&second, e))).collect()
        }
        None => second,
    }
}
