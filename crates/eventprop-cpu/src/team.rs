//! Threads that are at hand. A step forks and joins a dozen times within half a millisecond, while to wake a
//! thread that sleeps takes some thirty microseconds. So those of a team stay awake and look for work, from
//! when they are called until a moment after nobody needs them.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder, Yield};
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Helpers of whoever calls them.
pub(crate) struct Team {
    pool: ThreadPool,
    shared: Arc<Shared>,
}

/// What a team and its callers know of each other. None of it decides what is computed: a helper that nobody
/// thought asleep is only slower to come.
#[derive(Debug)]
struct Shared {
    /// How many callers there are.
    callers: AtomicUsize,
    /// Which helpers are awake.
    awake: Box<[AtomicBool]>,
}

/// As long as it is held, helpers stay awake.
pub(crate) struct Call<'a>(&'a Shared);

/// How long they stay awake afterwards: the next step seldom is longer in coming.
const LINGER: Duration = Duration::from_micros(200);

impl Team {
    /// So many helpers, each of which begins with `prepare`.
    pub(crate) fn start(
        size: usize,
        prepare: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(size)
            .thread_name(|index| format!("eventprop-{index}"))
            .start_handler(move |_| prepare())
            .build()?;
        let awake = (0..size).map(|_| AtomicBool::new(false)).collect();
        Ok(Self { pool, shared: Arc::new(Shared { callers: AtomicUsize::new(0), awake }) })
    }

    /// How many they are.
    pub(crate) fn size(&self) -> usize {
        self.shared.awake.len()
    }

    /// Wakes them, but does not wait for that.
    pub(crate) fn call(&self) -> Call<'_> {
        self.shared.callers.fetch_add(1, Ordering::SeqCst);
        if !self.shared.awake.iter().all(|awake| awake.load(Ordering::SeqCst)) {
            let shared = Arc::clone(&self.shared);
            self.pool.spawn_broadcast(move |helper| shared.attend(helper.index()));
        }
        Call(&self.shared)
    }

    /// Everybody does `work`, the calling thread too, which is member 0; returns when all have.
    ///
    /// # Panics
    /// If one of them does.
    pub(crate) fn all(&self, work: impl Fn(usize) + Sync) {
        let working = AtomicUsize::new(self.size());
        self.pool.in_place_scope(|scope| {
            for _ in 0..self.size() {
                scope.spawn(|_| {
                    let _done = Done(&working);
                    work(rayon::current_thread_index().map_or(0, |index| index + 1));
                });
            }
            work(0);
            // A thread that comes to the end of the scope too early is put to sleep.
            let mut pause = Pause::default();
            while working.load(Ordering::Acquire) > 0 {
                pause.wait();
            }
            (0..Pause::SHORT).for_each(|_| spin_loop());
        });
    }
}

impl Shared {
    /// Does what there is to do until nobody needs it.
    fn attend(&self, helper: usize) {
        if self.awake[helper].swap(true, Ordering::SeqCst) {
            return;
        }
        let (mut pause, mut needed) = (Pause::default(), Instant::now());
        loop {
            if rayon::yield_now() == Some(Yield::Executed) {
                pause = Pause::default();
            }
            if self.callers.load(Ordering::SeqCst) > 0 {
                needed = Instant::now();
            } else if needed.elapsed() > LINGER {
                break;
            }
            pause.wait();
        }
        self.awake[helper].store(false, Ordering::SeqCst);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.callers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Counts down, however the work ends.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Between one look and the next.
#[derive(Default)]
struct Pause {
    looks: u32,
}

impl Pause {
    /// Looks after which a wait is not short.
    const SHORT: u32 = 8;
    /// Looks after which other threads may have the processor.
    const LONG: u32 = 64;

    fn wait(&mut self) {
        if self.looks < Self::LONG {
            self.looks += 1;
            spin_loop();
        } else {
            thread::yield_now();
        }
    }
}
