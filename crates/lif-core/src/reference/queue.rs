use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What can happen to a neuron, in the order in which it happens at one moment: spikes, then
/// releases, then arrivals (so an arrival at the own layer comes after the reset).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// The neuron reaches its threshold, if nothing has happened to it since its state number
    /// `stamp`.
    Spike { stamp: u64 },
    /// The refractory time is over.
    Release,
    /// A spike arrives.
    Arrival(Arrival),
}

/// A spike that arrives over one synapse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) connection: usize,
    /// The position of the synapse's weight; none where the weight is fixed.
    pub(super) synapse: Option<usize>,
    /// Which spike: its position in the simulation's list.
    pub(super) spike: usize,
}

/// Events ordered by time, then by kind, then by when they were put in.
#[derive(Default)]
pub(super) struct EventQueue {
    heap: BinaryHeap<Event>,
    pushed: u64,
}

struct Event {
    time: f64,
    neuron: usize,
    action: Action,
    number: u64,
}

impl EventQueue {
    pub(super) fn push(&mut self, time: f64, neuron: usize, action: Action) {
        // -0.0 + 0.0 is 0.0: the order of bits has to be that of values.
        self.heap.push(Event { time: time + 0.0, neuron, action, number: self.pushed });
        self.pushed += 1;
    }

    /// The time of the earliest event.
    pub(super) fn next_time(&self) -> Option<f64> {
        self.heap.peek().map(|event| event.time)
    }

    /// The earliest event, if it comes at `time`.
    pub(super) fn pop_at(&mut self, time: f64) -> Option<(usize, Action)> {
        if self.next_time()? != time {
            return None;
        }
        self.heap.pop().map(|event| (event.neuron, event.action))
    }
}

impl Event {
    fn phase(&self) -> u8 {
        match self.action {
            Action::Spike { .. } => 0,
            Action::Release => 1,
            Action::Arrival(_) => 2,
        }
    }
}

impl Ord for Event {
    /// The greatest is the earliest: `BinaryHeap` pops the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        let kind = |event: &Self| (event.phase(), event.number);
        other.time.total_cmp(&self.time).then_with(|| kind(other).cmp(&kind(self)))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}
