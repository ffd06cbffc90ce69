//! How many batches go to an engine at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A number of batches: one, until whoever takes them asks for more. What a training comes to does not depend on it.
#[derive(Debug)]
pub(crate) struct Stride(AtomicUsize);

/// Engines that keep samples are to be busy for about so long before they are heard of again: much longer than it takes to
/// hear of them, and no time for who waits for a training to break off.
const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(100);
const MOST: usize = 1024;

impl Stride {
    pub(crate) const fn one() -> Self {
        Self(AtomicUsize::new(1))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Learns from `batches` that took so long.
    pub(crate) fn adapt(&self, batches: usize, time: Duration) {
        let now = self.get();
        if time < SHORT && batches >= now {
            self.0.store((2 * now).min(MOST), Ordering::Relaxed);
        } else if time > LONG && now > 1 {
            self.0.store(now / 2, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_while_batches_are_short() {
        let stride = Stride::one();
        let ms = Duration::from_millis;
        let after = |batches, time| {
            stride.adapt(batches, ms(time));
            stride.get()
        };
        assert_eq!([after(1, 5), after(2, 10), after(1, 5), after(4, 50)], [2, 4, 4, 4]);
        assert_eq!([after(4, 200), after(2, 200), after(1, 200)], [2, 1, 1]);
        (0..20).for_each(|_| stride.adapt(stride.get(), ms(0)));
        assert_eq!(stride.get(), MOST);
    }
}
