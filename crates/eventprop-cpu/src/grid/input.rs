use super::rows::LANES;
use lif_core::grid::{GridModel, GridSpec};
use lif_core::{SpikeBatch, SpikeTrain};
use std::ops::Range;

/// Spike trains as [`GridEngine`](super::GridEngine) reads them: for each sample a few lists of
/// inputs, a list being those that spike at one step or all that do not.
///
/// About 0.4 kB a sample where 784 inputs spike once at one of two times, a fifteenth of the
/// spikes. A data set that is read many times is best prepared once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridInput {
    /// The number of inputs and the grid that it was read for.
    grid: Option<(usize, usize, GridSpec)>,
    /// Sample `s` owns `offsets[s]..offsets[s + 1]` of `lists`.
    offsets: Vec<usize>,
    lists: Vec<InputList>,
    members: Vec<u32>,
}

/// A set of inputs, ascending: `start..end` of the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InputList {
    start: usize,
    end: usize,
    /// The step at which the spikes of its members reach the current.
    pub(super) each: Option<u32>,
    /// The step at which the spikes of all other inputs do.
    pub(super) all_but: Option<u32>,
}

impl InputList {
    /// The steps at which something reaches the current.
    pub(super) fn arrivals(&self) -> impl Iterator<Item = u32> {
        self.each.into_iter().chain(self.all_but)
    }
}

impl GridInput {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lists of sample `sample`.
    pub(super) fn lists(&self, sample: usize) -> &[InputList] {
        &self.lists[self.places(sample)]
    }

    /// Where they stand among those of all samples.
    pub(super) fn places(&self, sample: usize) -> Range<usize> {
        self.offsets[sample]..self.offsets[sample + 1]
    }

    /// The lists of all samples, one sample after the other.
    pub(super) fn all_lists(&self) -> &[InputList] {
        &self.lists
    }

    /// The inputs in `list`, ascending.
    pub(super) fn members(&self, list: &InputList) -> &[u32] {
        &self.members[list.start..list.end]
    }

    /// Whether it was read for the inputs and the grid of `model`.
    pub(super) fn fits(&self, model: &GridModel) -> bool {
        self.grid == Some(grid_of(model))
    }

    /// Reads the samples `samples` of `spikes` for `model`, in place of what was there; false, and
    /// nothing read, if an index is out of range.
    pub(super) fn read(
        &mut self,
        spikes: &SpikeBatch<f32>,
        samples: Range<usize>,
        model: &GridModel,
    ) -> bool {
        self.clear();
        self.grid = Some(grid_of(model));
        let inputs = model.network().input().size;
        let mut in_range = true;
        for sample in samples {
            in_range &= self.push(spikes.get(sample), inputs, model);
            self.offsets.push(self.lists.len());
        }
        if !in_range {
            self.clear();
        }
        in_range
    }

    /// Reads the spikes that a layer of `blocks` blocks has sent, in place of what was there: `fired` has
    /// a bit for each, `[sample][block][step]`, and a spike of a step arrives at `arrival` of it.
    pub(super) fn read_fired(
        &mut self,
        fired: &[u16],
        blocks: usize,
        steps: usize,
        arrival: impl Fn(usize) -> usize,
    ) {
        self.clear();
        for fired in fired.chunks_exact(blocks * steps) {
            let seen = (0..steps).map(|step| (step, arrival(step))).filter(|seen| seen.1 < steps);
            for (step, arrival) in seen {
                let start = self.members.len();
                for (first, of_block) in (0..).step_by(LANES).zip(fired.chunks_exact(steps)) {
                    let mut left = of_block[step];
                    while left != 0 {
                        self.members.push(first + left.trailing_zeros());
                        left &= left - 1;
                    }
                }
                if self.members.len() > start {
                    self.push_list(start, arrival as u32);
                }
            }
            self.offsets.push(self.lists.len());
        }
    }

    /// Copies the samples `samples` of `set`, in place of what was there. Kept apart from their use,
    /// the cache misses of a shuffled set overlap.
    pub(super) fn gather(&mut self, set: &Self, samples: &[u32]) {
        self.clear();
        for &sample in samples {
            self.lists.extend_from_slice(set.lists(sample as usize));
            self.offsets.push(self.lists.len());
        }
        for list in &mut self.lists {
            let members = set.members(list);
            list.start = self.members.len();
            self.members.extend_from_slice(members);
            list.end = self.members.len();
        }
    }

    fn clear(&mut self) {
        self.offsets.clear();
        self.lists.clear();
        self.members.clear();
        self.offsets.push(0);
    }

    /// Appends the lists of a sample; false if an index is out of range.
    fn push(&mut self, train: SpikeTrain<'_, f32>, inputs: usize, model: &GridModel) -> bool {
        let indices = train.indices();
        let first_list = self.lists.len();
        let mut most: Option<(Range<usize>, u32)> = None;
        let mut in_range = true;
        let mut start = 0;
        while start < indices.len() {
            let end = run_end(train.times(), start);
            let run = start..end;
            start = end;
            let Some(arrival) = arrival(model, train.times()[run.start]) else {
                in_range &= all_below(&indices[run], inputs);
                continue;
            };
            if run.len() * 2 > inputs
                && most.is_none()
                && ascends_below(&indices[run.clone()], inputs)
            {
                most = Some((run, arrival));
            } else {
                in_range &= all_below(&indices[run.clone()], inputs);
                self.push_run(&indices[run], arrival);
            }
        }
        if let Some((run, arrival)) = most {
            self.push_all_but(&indices[run], arrival, first_list, inputs);
        }
        in_range
    }

    fn push_run(&mut self, run: &[u32], arrival: u32) {
        let start = self.members.len();
        self.members.extend_from_slice(run);
        if !self.members[start..].is_sorted() {
            self.members[start..].sort_unstable();
        }
        self.push_list(start, arrival);
    }

    /// Appends the list of the members from `start` on.
    fn push_list(&mut self, start: usize, arrival: u32) {
        let end = self.members.len();
        self.lists.push(InputList { start, end, each: Some(arrival), all_but: None });
    }

    /// Appends a strictly ascending run as what it lacks: where that is a list the sample has already,
    /// by a second role of that list.
    fn push_all_but(&mut self, run: &[u32], arrival: u32, first_list: usize, inputs: usize) {
        let members = &self.members;
        let lacking = self.lists[first_list..]
            .iter_mut()
            .find(|list| is_complement(&members[list.start..list.end], run, inputs));
        if let Some(list) = lacking {
            list.all_but = Some(arrival);
            return;
        }
        let start = self.members.len();
        let mut next = 0;
        for &index in run {
            self.members.extend(next..index);
            next = index + 1;
        }
        self.members.extend(next..inputs as u32);
        let end = self.members.len();
        self.lists.push(InputList { start, end, each: None, all_but: Some(arrival) });
    }
}

fn grid_of(model: &GridModel) -> (usize, usize, GridSpec) {
    (model.network().input().size, model.steps(), *model.spec())
}

/// The step at which a spike at `time` reaches the current; none if that is after the last.
fn arrival(model: &GridModel, time: f32) -> Option<u32> {
    let GridSpec { variant, .. } = model.spec();
    let step = variant.arrival(model.spec().step_of(f64::from(time)).min(model.steps()));
    (step < model.steps()).then_some(step as u32)
}

/// The end of the run of equal times that begins at `start`: looked for in steps that double.
fn run_end(times: &[f32], start: usize) -> usize {
    let time = times[start];
    if times[times.len() - 1] == time {
        return times.len();
    }
    let (mut low, mut width) = (start + 1, 1);
    while low + width < times.len() && times[low + width - 1] == time {
        low += width;
        width *= 2;
    }
    let high = (low + width).min(times.len());
    low + times[low..high].partition_point(|&other| other == time)
}

fn all_below(indices: &[u32], inputs: usize) -> bool {
    indices.iter().fold(0, |highest, &index| highest.max(index)) < inputs as u32
}

/// Whether the indices ascend strictly and stay below `inputs`. Without an early exit: vectorised.
fn ascends_below(indices: &[u32], inputs: usize) -> bool {
    let pairs = indices.iter().zip(&indices[1..]);
    let ascends = pairs.fold(true, |ascends, (before, after)| ascends & (before < after));
    ascends && indices.last().is_none_or(|&last| (last as usize) < inputs)
}

/// Whether `few` (ascending) and `many` (strictly ascending) are each other's complement among the
/// inputs. If they are, the elements of `many` below the k-th of `few`, f, are as many as f - k.
fn is_complement(few: &[u32], many: &[u32], inputs: usize) -> bool {
    if few.len() + many.len() != inputs || few.windows(2).any(|pair| pair[0] == pair[1]) {
        return false;
    }
    few.iter().enumerate().all(|(k, &index)| {
        let below = index as usize - k;
        many.get(below).is_none_or(|&next| next > index) && (below == 0 || many[below - 1] < index)
    })
}
