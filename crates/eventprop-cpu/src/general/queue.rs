use lif_core::Real;
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
pub(super) struct Due<T> {
    /// In ms.
    pub(super) time: T,
    pub(super) block: u32,
    pub(super) action: Action,
    number: u32,
}

/// Events by time; at one moment crossings come before releases and these before arrivals, and
/// otherwise what was put in first.
#[derive(Debug)]
pub(super) struct Queue<T> {
    heap: BinaryHeap<Due<T>>,
    pushed: u32,
}

impl<T: Real> Queue<T> {
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.pushed = 0;
    }

    pub(super) fn push(&mut self, time: T, block: u32, action: Action) {
        self.heap.push(Due { time, block, action, number: self.pushed });
        self.pushed = self.pushed.wrapping_add(1);
    }

    /// The time of the earliest event.
    pub(super) fn next_time(&self) -> Option<T> {
        self.heap.peek().map(|due| due.time)
    }

    /// The earliest event, if it is due at `time` and no arrival (or may be one).
    pub(super) fn pop_at(&mut self, time: T, arrivals: bool) -> Option<Due<T>> {
        let next = self.heap.peek()?;
        if next.time != time || (!arrivals && next.phase() == 2) {
            return None;
        }
        self.heap.pop()
    }
}

impl<T: Real> Default for Queue<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), pushed: 0 }
    }
}

impl<T: Real> Due<T> {
    fn phase(&self) -> u8 {
        match self.action {
            Action::Crossing { .. } => 0,
            Action::Release { .. } => 1,
            Action::External | Action::Delayed { .. } => 2,
        }
    }
}

impl<T: Real> Ord for Due<T> {
    /// The greatest is the earliest: `BinaryHeap` pops the greatest. No time is NaN.
    fn cmp(&self, other: &Self) -> Ordering {
        let later = other.time.partial_cmp(&self.time).unwrap_or(Ordering::Equal);
        later.then_with(|| (other.phase(), other.number).cmp(&(self.phase(), self.number)))
    }
}

impl<T: Real> PartialOrd for Due<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Real> PartialEq for Due<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Real> Eq for Due<T> {}
