use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What can happen to a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// Neurons reach their thresholds, if nothing has happened to the block since its state number
    /// `stamp`.
    Crossing { stamp: u32 },
    /// The refractory time of a lane is over.
    Release { lane: u32 },
    /// The next arrivals from outside are due.
    External,
    /// A delayed spike arrives.
    Delayed { row: u32, spike: u32, lane: u32 },
}

/// An [`Action`] that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// In ms.
    pub(super) time: f64,
    pub(super) block: u32,
    pub(super) action: Action,
    number: u32,
}

/// Events by time; at one moment crossings come before releases and these before arrivals, and
/// otherwise what was put in first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Due>,
    pushed: u32,
}

impl Queue {
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.pushed = 0;
    }

    pub(super) fn push(&mut self, time: f64, block: u32, action: Action) {
        self.heap.push(Due { time, block, action, number: self.pushed });
        self.pushed = self.pushed.wrapping_add(1);
    }

    /// The time of the earliest event.
    pub(super) fn next_time(&self) -> Option<f64> {
        self.heap.peek().map(|due| due.time)
    }

    /// The earliest event, if it is due at `time` and no arrival (or may be one).
    pub(super) fn pop_at(&mut self, time: f64, arrivals: bool) -> Option<Due> {
        let next = self.heap.peek()?;
        if next.time != time || (!arrivals && next.phase() == 2) {
            return None;
        }
        self.heap.pop()
    }
}

impl Due {
    fn phase(&self) -> u8 {
        match self.action {
            Action::Crossing { .. } => 0,
            Action::Release { .. } => 1,
            Action::External | Action::Delayed { .. } => 2,
        }
    }
}

impl Ord for Due {
    /// The greatest is the earliest: `BinaryHeap` pops the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        let later = other.time.total_cmp(&self.time);
        later.then_with(|| (other.phase(), other.number).cmp(&(self.phase(), self.number)))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}
