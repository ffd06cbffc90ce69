//! Threads that are at hand. A step forks and joins a dozen times within half a millisecond, while to wake a
//! thread that sleeps takes some thirty microseconds. So those of a team stay awake and look for work, from
//! when they are called until there was none for a while. On a machine that has other work a wait may be long:
//! whoever waits that long sleeps, for a thread that used its time up in waiting has none when it is needed.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder, Yield};
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Helpers of whoever calls them.
pub(crate) struct Team {
    pool: ThreadPool,
    awake: Awake,
}

/// Which helpers are awake. It does not decide what is computed: one that nobody thought asleep is only slower
/// to come.
type Awake = Arc<[AtomicBool]>;

/// How long somebody without work stays awake: parts of a step, and steps, seldom are longer in coming.
const PATIENCE: Duration = Duration::from_micros(100);

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
        Ok(Self { pool, awake })
    }

    /// Wakes the first so many, but does not wait for that.
    pub(crate) fn call(&self, helpers: usize) {
        if !self.awake.iter().take(helpers).all(|awake| awake.load(Ordering::Relaxed)) {
            let awake = Arc::clone(&self.awake);
            self.pool.spawn_broadcast(move |helper| {
                awake[..helpers].get(helper.index()).into_iter().for_each(attend);
            });
        }
    }

    /// So many helpers do `work`, and the calling thread, which is member 0; returns when all have.
    ///
    /// # Panics
    /// If one of them does.
    pub(crate) fn all(&self, helpers: usize, work: impl Fn(usize) + Sync) {
        let working = AtomicUsize::new(helpers);
        self.pool.in_place_scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| {
                    let _done = Done(&working);
                    work(rayon::current_thread_index().map_or(0, |index| index + 1));
                });
            }
            work(0);
            // A thread that comes to the end of the scope too early is put to sleep.
            let mut pause = Pause::new();
            while working.load(Ordering::Acquire) > 0 && pause.wait() {}
            (0..Pause::SHORT).for_each(|_| spin_loop());
        });
    }
}

/// Does what there is to do until there is nothing for a while.
fn attend(awake: &AtomicBool) {
    if awake.swap(true, Ordering::Relaxed) {
        return;
    }
    let mut pause = Pause::new();
    while pause.wait() {
        if rayon::yield_now() == Some(Yield::Executed) {
            pause = Pause::new();
        }
    }
    awake.store(false, Ordering::Relaxed);
}

/// Counts down, however the work ends.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Between one look and the next.
struct Pause {
    looks: u32,
    since: Instant,
}

impl Pause {
    /// Looks after which a wait is not short.
    const SHORT: u32 = 8;
    /// Looks after which other threads may have the processor.
    const LONG: u32 = 64;

    fn new() -> Self {
        Self { looks: 0, since: Instant::now() }
    }

    /// Waits; false if it has been too long.
    fn wait(&mut self) -> bool {
        if self.looks < Self::LONG {
            self.looks += 1;
            spin_loop();
            return true;
        }
        thread::yield_now();
        self.since.elapsed() < PATIENCE
    }
}
