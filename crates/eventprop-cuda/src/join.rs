//! The kernels that join what a layer hears of several others, and collect the errors of what several hear.

use crate::abi::{Address, Layer};
use crate::program::Program;
use crate::wiring::targets;
use bytemuck::bytes_of;
use lif_core::engine::EngineError;

impl Program<'_> {
    /// Makes one list of records of what layer number `index` above the input hears, if it hears several, or none.
    pub(crate) fn join_arrivals(&self, index: usize) -> Result<(), EngineError> {
        let Some(join) = self.batch.lists.join(index) else { return Ok(()) };
        self.device.launch(
            "join_arrivals",
            self.block_a_sample(),
            &[
                bytes_of(&self.descriptions.to_below[index]),
                bytes_of(&join.lists.address()),
                bytes_of(&(join.ranks.len() as i32)),
            ],
        )
    }

    /// Where the errors of spikes of the layer at position `from` lie; none if no layer hears them.
    pub(crate) fn errors(&self, from: usize) -> Option<Layer> {
        let target = *targets(self.plan, from).first()?;
        Some(match self.batch.lists.collected(from) {
            Some(errors) => Layer { errors, tiles: 1, ..self.lists[from][0] },
            None => self.descriptions.to_below[target.index],
        })
    }

    /// Where the errors of the spikes of layer number `index` above the input lie, how wide the rows are, and how many
    /// parts each has: none where they are the loss's, -1 where there are none.
    pub(crate) fn above(&self, index: usize) -> (Address, i32, i32) {
        match self.errors(index + 1) {
            Some(above) => (above.errors, above.width, above.tiles),
            None if index + 1 == self.plan.len() && self.looks_at_spikes() => (0, 0, 0),
            None => (0, 0, -1),
        }
    }

    /// Puts them there, if those who hear the layer left them elsewhere.
    pub(crate) fn collect_errors(&self, from: usize) -> Result<(), EngineError> {
        let (Some(_), Some(list)) = (self.batch.lists.collected(from), self.errors(from)) else {
            return Ok(());
        };
        let has_loss = from == self.plan.len() && self.looks_at_spikes();
        if has_loss {
            self.device.launch(
                "loss_errors",
                self.block_a_sample(),
                &[
                    bytes_of(self.output()),
                    bytes_of(&list),
                    bytes_of(&self.every_spike()),
                    bytes_of(&self.queue.control.address()),
                ],
            )?;
        }
        for (number, target) in targets(self.plan, from).iter().enumerate() {
            let ranks: Address = match self.batch.lists.join(target.index) {
                Some(join) => join.ranks[target.input].address(),
                None => 0,
            };
            self.device.launch(
                "collect_errors",
                self.block_a_sample(),
                &[
                    bytes_of(&list),
                    bytes_of(&self.descriptions.to_below[target.index]),
                    bytes_of(&ranks),
                    bytes_of(&i32::from(number > 0 || has_loss)),
                    bytes_of(&self.queue.control.address()),
                ],
            )?;
        }
        Ok(())
    }
}
