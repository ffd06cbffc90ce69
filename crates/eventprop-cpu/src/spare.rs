use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Scratch that tasks borrow and bring back: as much of it as ran at once, whatever their number.
#[derive(Debug, Default)]
pub(crate) struct Spare<V>(Mutex<Vec<V>>);

/// Scratch on loan.
pub(crate) struct Lent<'a, V: Default> {
    spare: &'a Spare<V>,
    value: V,
}

impl<V: Default> Spare<V> {
    /// Something that another task is done with, or anew.
    pub(crate) fn take(&self) -> Lent<'_, V> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent { spare: self, value: value.unwrap_or_default() }
    }

    /// All that tasks have brought back.
    pub(crate) fn all(&mut self) -> &mut [V] {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Default> Drop for Lent<'_, V> {
    fn drop(&mut self) {
        let mut spare = self.spare.0.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(std::mem::take(&mut self.value));
    }
}

impl<V: Default> Deref for Lent<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V: Default> DerefMut for Lent<'_, V> {
    fn deref_mut(&mut self) -> &mut V {
        &mut self.value
    }
}
