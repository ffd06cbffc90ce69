use crate::denormals;
use crate::team::Team;
use crate::trials::{Kind, Trials};
use lif_core::engine::EngineError;
use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Instant;

/// Who computes for an engine: the caller and, where there are to be several threads, a [`Team`] that helps.
pub(crate) struct Threads {
    team: Option<Team>,
    denormals: Denormals,
    /// How many threads share the work at present.
    count: AtomicUsize,
    /// Where nobody has said how many: which number is quickest.
    trials: Option<Arc<Mutex<Trials>>>,
}

/// Work whose time is taken, until this is dropped.
pub(crate) struct Attempt(Option<(Arc<Mutex<Trials>>, Kind, usize, Instant)>);

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some((trials, kind, samples, begun)) = self.0.take() {
            let seconds = begun.elapsed().as_secs_f64();
            lock(&trials, |trials| trials.note(kind, samples, seconds));
        }
    }
}

/// What arithmetic does with numbers too small to be normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denormals {
    /// It is slow with them.
    Keep,
    /// They are taken for 0.
    Flush,
}

impl Threads {
    /// So many threads, 0 for up to one a core, as many as are quickest, for the engine of a name. The caller is one
    /// of them.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if they cannot be started.
    pub(crate) fn start(
        engine: &'static str,
        count: usize,
        denormals: Denormals,
    ) -> Result<Self, EngineError> {
        let most = match count {
            0 => available_parallelism().map_or(1, NonZero::get),
            count => count,
        };
        if most == 1 {
            return Ok(Self { team: None, denormals, count: AtomicUsize::new(1), trials: None });
        }
        let prepare = move || {
            if denormals == Denormals::Flush {
                denormals::flush_to_zero();
            }
        };
        let team = Team::start(most - 1, prepare).map_err(|error| EngineError::Unavailable {
            engine,
            reason: format!("its threads cannot be started: {error}"),
        })?;
        let trials = (count == 0).then(|| Arc::new(Mutex::new(Trials::new(most))));
        Ok(Self { team: Some(team), denormals, count: AtomicUsize::new(most), trials })
    }

    /// How many share the work at present.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Begins work on so many samples, to be shared by as many threads as it is done soonest by.
    pub(crate) fn attempt(&self, kind: Kind, samples: usize) -> Attempt {
        Attempt(self.trials.as_ref().map(|trials| {
            let count = lock(trials, |trials| trials.count(kind, samples));
            self.count.store(count, Ordering::Relaxed);
            (Arc::clone(trials), kind, samples, Instant::now())
        }))
    }

    /// Has so many threads share the work from now on.
    #[cfg(test)]
    pub(crate) fn share_among(&self, count: usize) {
        self.count.store(count, Ordering::Relaxed);
    }

    /// Does `work`, in which [`Self::each`] and [`Self::reduce`] may be called.
    pub(crate) fn run<V>(&self, work: impl FnOnce() -> V) -> V {
        if let Some(team) = &self.team {
            team.call(self.count() - 1);
        }
        match self.denormals {
            Denormals::Flush => denormals::flushing_to_zero(work),
            Denormals::Keep => work(),
        }
    }

    /// Does `work` with each of `items`.
    pub(crate) fn each<I: IndexedParallelIterator>(
        &self,
        items: I,
        work: impl Fn(I::Item) + Sync + Send,
    ) {
        self.reduce(items.map(work), (), |(), ()| ());
    }

    /// Joins all of `items`, in any order.
    pub(crate) fn reduce<I>(
        &self,
        items: I,
        identity: I::Item,
        join: impl Fn(I::Item, I::Item) -> I::Item + Sync + Send,
    ) -> I::Item
    where
        I: IndexedParallelIterator,
        I::Item: Copy + Sync,
    {
        let (count, helpers) = (items.len(), self.count() - 1);
        let team = self.team.as_ref().filter(|_| count > 1 && helpers > 0);
        let team = team.map(|team| (team, helpers));
        items.with_producer(Joined { team, count, identity, join })
    }
}

/// Items that are made and joined: by the caller and the team, who take what is left until nothing is.
struct Joined<'a, V, J> {
    /// With so many of whom.
    team: Option<(&'a Team, usize)>,
    count: usize,
    identity: V,
    join: J,
}

impl<V: Copy + Send + Sync, J: Fn(V, V) -> V + Sync> ProducerCallback<V> for Joined<'_, V, J> {
    type Output = V;

    fn callback<P: Producer<Item = V>>(self, items: P) -> V {
        let Self { team, count, identity, join } = self;
        let Some((team, helpers)) = team else {
            return items.into_iter().fold(identity, join);
        };
        let parts = Part::cut(items, count, helpers + 1);
        let total = Mutex::new(identity);
        team.all(helpers, |member| {
            let mut sum = None;
            // First the thread's own part, then what the others have not come to.
            let (others, own) = parts.split_at(member % parts.len());
            for part in own.iter().chain(others) {
                while let Some(items) = lock(part, Part::take) {
                    sum = Some(items.into_iter().fold(sum.unwrap_or(identity), &join));
                }
            }
            if let Some(sum) = sum {
                lock(&total, |total| *total = join(*total, sum));
            }
        });
        total.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left of a thread's share of the items. A thread has the same share of as many items every time, so what
/// belongs to an item stays in its cache.
struct Part<P> {
    items: Option<P>,
    count: usize,
}

impl<P: Producer> Part<P> {
    /// Shares `count` items out, in their order.
    fn cut(items: P, count: usize, threads: usize) -> Vec<Mutex<Self>> {
        let (mut rest, mut parts) = (items, Vec::with_capacity(threads));
        for thread in 0..threads {
            let count = (thread + 1) * count / threads - thread * count / threads;
            let (items, others) = rest.split_at(count);
            parts.push(Mutex::new(Self { items: Some(items), count }));
            rest = others;
        }
        parts
    }

    /// Takes some of what is left: ever fewer, for whoever is early is to find something.
    fn take(&mut self) -> Option<P> {
        let items = self.items.take().filter(|_| self.count > 0)?;
        let some = self.count.div_ceil(4);
        let (taken, rest) = items.split_at(some);
        (self.items, self.count) = (Some(rest), self.count - some);
        Some(taken)
    }
}

/// What panicked elsewhere is told by the team.
fn lock<V, R>(value: &Mutex<V>, work: impl FnOnce(&mut V) -> R) -> R {
    work(&mut value.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::{Denormals, Threads};
    use proptest::prelude::*;
    use rayon::prelude::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_item_is_done_once(threads in 1_usize..6, counts in proptest::collection::vec(0_usize..300, 1..6)) {
            let threads = Threads::start("test", threads, Denormals::Keep).unwrap();
            threads.run(|| {
                for count in counts {
                    let mut items = vec![0_u32; count];
                    threads.each(items.par_iter_mut(), |item| *item += 1);
                    prop_assert!(items.iter().all(|&item| item == 1));
                    let sum = threads.reduce((0..count).into_par_iter(), 0, |a, b| a + b);
                    prop_assert_eq!(sum, (0..count).sum::<usize>());
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn a_panic_comes_to_the_caller_and_the_threads_go_on() {
        let threads = Threads::start("test", 3, Denormals::Flush).unwrap();
        let each = |bad: usize| {
            threads.run(|| threads.each((0..100).into_par_iter(), |item| assert_ne!(item, bad)));
        };
        for bad in [0, 50, 99] {
            assert!(catch_unwind(AssertUnwindSafe(|| each(bad))).is_err());
        }
        each(100);
    }
}
