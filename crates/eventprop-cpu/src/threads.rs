use crate::denormals;
use lif_core::engine::EngineError;
use rayon::iter::plumbing::{Producer, ProducerCallback};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Who computes for an engine: a pool of threads or, where there would be but one of them, the caller. To
/// hand a short step over to another thread and to wait for it costs as much as some of its samples.
pub(crate) struct Threads {
    pool: Option<ThreadPool>,
    denormals: Denormals,
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
    /// So many threads, 0 for one a core, for the engine of a name.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if they cannot be started.
    pub(crate) fn start(
        engine: &'static str,
        count: usize,
        denormals: Denormals,
    ) -> Result<Self, EngineError> {
        if count == 1 {
            return Ok(Self { pool: None, denormals });
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("eventprop-{index}"))
            .start_handler(move |_| {
                if denormals == Denormals::Flush {
                    denormals::flush_to_zero();
                }
            })
            .build()
            .map_err(|error| EngineError::Unavailable {
                engine,
                reason: format!("its threads cannot be started: {error}"),
            })?;
        Ok(Self { pool: Some(pool).filter(|pool| pool.current_num_threads() > 1), denormals })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, ThreadPool::current_num_threads)
    }

    /// Does `work`, in which [`Self::each`] and [`Self::reduce`] may be called.
    pub(crate) fn run<V: Send>(&self, work: impl FnOnce() -> V + Send) -> V {
        match (&self.pool, self.denormals) {
            (Some(pool), _) => pool.install(work),
            (None, Denormals::Flush) => denormals::flushing_to_zero(work),
            (None, Denormals::Keep) => work(),
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
        match self.pool {
            Some(_) => items.reduce(|| identity, join),
            None => items.with_producer(InTurn { identity, join }),
        }
    }
}

/// One item after the other, on the thread that asks.
struct InTurn<V, J> {
    identity: V,
    join: J,
}

impl<V, J: Fn(V, V) -> V> ProducerCallback<V> for InTurn<V, J> {
    type Output = V;

    fn callback<P: Producer<Item = V>>(self, items: P) -> V {
        items.into_iter().fold(self.identity, self.join)
    }
}
