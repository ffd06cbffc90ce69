//! By how many threads work is done soonest. Where a batch is small, threads wait for each other and for
//! weights that others changed longer than they compute; how long depends on the machine, on where the system puts
//! threads, and on what else runs. So it is tried.

/// Work that may be quickest with a number of threads of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Forward alone.
    Inference,
    /// Forward and backward.
    Differentiation,
    /// Forward, backward and update.
    Training,
}

/// What was found out about each kind of work and size of batch.
#[derive(Debug)]
pub(crate) struct Trials {
    /// The numbers of threads that are tried: all, half of them, and so on, ascending.
    counts: Vec<usize>,
    trials: Vec<(Topic, Trial)>,
}

/// A kind of work on batches of much the same size: the power of two below it.
type Topic = (Kind, u32);

/// First all threads are tried, then fewer for as long as they are about as quick; the quickest count is kept, and
/// from time to time its neighbours are tried again.
#[derive(Debug)]
struct Trial {
    /// Which of the counts is in use.
    place: usize,
    /// Which is kept.
    best: usize,
    /// By count: seconds a sample; infinite where they were not measured in this trial.
    costs: Vec<f64>,
    /// Whether fewer threads are tried one after the other.
    descending: bool,
    /// Which are still to be tried.
    others: Vec<usize>,
    /// Seconds of work that the last trial took, and since.
    trying: f64,
    settled: f64,
    /// Whether the count has just changed, and with it what lies in whose cache.
    fresh: bool,
    window: Window,
}

/// What is measured at a time.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    steps: u32,
    seconds: f64,
    samples: f64,
}

/// Seconds and steps that are measured together, at least: what the system does meanwhile is to count.
const WINDOW: (f64, u32) = (0.01, 4);

/// Seconds of work from one trial to the next, at least; and as a multiple of what a trial takes.
const SETTLED: (f64, f64) = (2.0, 50.0);

/// How much slower than the quickest a count may be for fewer to be tried.
const WORSE: f64 = 1.3;

/// How much quicker another count must be to be taken.
const BETTER: f64 = 0.97;

impl Trials {
    /// Of up to so many threads.
    pub(crate) fn new(most: usize) -> Self {
        let halves = std::iter::successors(Some(most), |&count| Some(count.div_ceil(2)));
        let mut counts: Vec<usize> = halves.take_while(|&count| count > 1).collect();
        counts.push(1);
        counts.reverse();
        Self { counts, trials: Vec::new() }
    }

    /// By how many threads to do work of a kind on so many samples.
    pub(crate) fn count(&mut self, kind: Kind, samples: usize) -> usize {
        let place = self.trial(kind, samples).place;
        self.counts[place]
    }

    /// It took so many seconds.
    pub(crate) fn note(&mut self, kind: Kind, samples: usize, seconds: f64) {
        self.trial(kind, samples).note(samples, seconds);
    }

    fn trial(&mut self, kind: Kind, samples: usize) -> &mut Trial {
        let topic = (kind, samples.max(1).ilog2());
        let position = self.trials.iter().position(|(known, _)| *known == topic);
        let position = position.unwrap_or_else(|| {
            self.trials.push((topic, Trial::new(self.counts.len())));
            self.trials.len() - 1
        });
        &mut self.trials[position].1
    }
}

impl Trial {
    fn new(counts: usize) -> Self {
        Self {
            place: counts - 1,
            best: counts - 1,
            costs: vec![f64::INFINITY; counts],
            descending: true,
            others: Vec::new(),
            trying: 0.0,
            settled: 0.0,
            fresh: true,
            window: Window::default(),
        }
    }

    fn note(&mut self, samples: usize, seconds: f64) {
        let settled = !self.descending && self.place == self.best;
        *(if settled { &mut self.settled } else { &mut self.trying }) += seconds;
        if std::mem::take(&mut self.fresh) {
            return;
        }
        let window = &mut self.window;
        window.steps += 1;
        window.seconds += seconds;
        window.samples += samples as f64;
        if window.seconds < WINDOW.0 || window.steps < WINDOW.1 {
            return;
        }
        let Window { seconds, samples, .. } = std::mem::take(window);
        let cost = seconds / samples.max(1.0);
        self.costs[self.place] = cost;
        let least = self.costs.iter().copied().fold(cost, f64::min);
        if self.descending && self.place > 0 && cost < WORSE * least {
            self.go(self.place - 1);
        } else if let Some(next) = self.others.pop() {
            self.go(next);
        } else if !settled {
            self.settle();
        } else if self.settled >= SETTLED.0.max(SETTLED.1 * self.trying) {
            self.try_neighbours();
        }
    }

    /// Tries those beside the one that is kept, which was just measured.
    fn try_neighbours(&mut self) {
        let cost = self.costs[self.best];
        self.costs.fill(f64::INFINITY);
        self.costs[self.best] = cost;
        self.trying = 0.0;
        let neighbours = [self.best.checked_sub(1), Some(self.best + 1)];
        self.others.extend(neighbours.into_iter().flatten().filter(|&n| n < self.costs.len()));
        self.others.pop().into_iter().for_each(|next| self.go(next));
    }

    /// Keeps the quickest.
    fn settle(&mut self) {
        let (kept, costs) = (self.costs[self.best], &self.costs);
        let quickest = (0..costs.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b]));
        self.best = quickest.filter(|&q| costs[q] < BETTER * kept).unwrap_or(self.best);
        self.descending = false;
        self.settled = 0.0;
        self.go(self.best);
    }

    fn go(&mut self, place: usize) {
        self.fresh = place != self.place;
        self.place = place;
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Trials};
    use proptest::prelude::*;

    /// So many seconds of work, each step of which takes what `cost` says of the number of threads; the share
    /// of it that was done by each number.
    fn work(trials: &mut Trials, seconds: f64, cost: impl Fn(usize) -> f64) -> Vec<f64> {
        let (mut total, mut shares) = (0.0, vec![0.0; 65]);
        while total < seconds {
            let count = trials.count(Kind::Training, 5);
            let step = cost(count);
            trials.note(Kind::Training, 5, step);
            (total, shares[count]) = (total + step, shares[count] + step);
        }
        shares.iter().map(|share| share / total).collect()
    }

    proptest! {
        /// Threads that divide the work and get in each other's way by so much each: there is a best number.
        #[test]
        fn the_quickest_number_does_nearly_all_work(
            most in 2_usize..=64,
            work_of_one in 1e-4..2e-3,
            hindrance in 1e-6..1e-3,
        ) {
            let cost = |count: usize| work_of_one / count as f64 + hindrance * (count - 1) as f64;
            let mut trials = Trials::new(most);
            let least = trials.counts.iter().map(|&count| cost(count)).fold(f64::INFINITY, f64::min);
            let shares = work(&mut trials, 60.0, cost);
            let near = trials.counts.iter().filter(|&&count| cost(count) <= 1.04 * least);
            prop_assert!(near.map(|&count| shares[count]).sum::<f64>() > 0.9, "{shares:?}");
        }

        /// What was best need not stay so.
        #[test]
        fn it_is_found_again_after_a_change(before in 0_u32..4, after in 0_u32..4) {
            let peak = |best: u32| move |count: usize| {
                1e-4 * 1.5_f64.powi(count.ilog2().abs_diff(best) as i32)
            };
            let mut trials = Trials::new(8);
            work(&mut trials, 10.0, peak(before));
            work(&mut trials, 10.0, peak(after));
            prop_assert!(work(&mut trials, 10.0, peak(after))[1 << after] > 0.9);
        }
    }

    #[test]
    fn long_steps_are_seldom_tried() {
        let mut trials = Trials::new(16);
        let shares = work(&mut trials, 1000.0, |count| 4.0 / count as f64);
        assert_eq!(trials.counts, [1, 2, 4, 8, 16]);
        assert!(shares[16] > 0.97, "{shares:?}");
    }

    #[test]
    fn each_kind_and_size_has_its_own() {
        let mut trials = Trials::new(2);
        for (kind, samples, best) in
            [(Kind::Training, 5, 1), (Kind::Training, 64, 2), (Kind::Inference, 5, 2)]
        {
            for _ in 0..1000 {
                let cost = if trials.count(kind, samples) == best { 1e-4 } else { 2e-4 };
                trials.note(kind, samples, cost);
            }
        }
        let counts = [(Kind::Training, 7), (Kind::Training, 100), (Kind::Inference, 4)]
            .map(|(kind, samples)| trials.count(kind, samples));
        assert_eq!(counts, [1, 2, 2]);
    }
}
