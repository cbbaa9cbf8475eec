//! The same names over a model checker's threads. Its locks are those of the standard library in form; no thread
//! panics while it holds one, and if one does the run has failed anyway, so poisoning is passed over.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Duration;

#[cfg(loom)]
use loom as model;
#[cfg(all(shuttle, not(loom)))]
use shuttle as model;

use model::sync::RwLockWriteGuard;
pub(crate) use model::sync::{RwLockReadGuard, atomic};
pub(crate) use model::thread::JoinHandle;

/// Starts a thread.
pub(crate) fn spawn_named(_name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Ok(model::thread::spawn(body))
}

/// As `parking_lot::Mutex`.
pub(crate) struct Mutex<T>(model::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(model::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The right to what a [`Mutex`] guards. Without it only while its holder waits in a [`Condvar`].
pub(crate) struct MutexGuard<'a, T>(Option<model::sync::MutexGuard<'a, T>>);

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().expect("a guard lets go only in `Condvar::wait`, which has it alone")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect("a guard lets go only in `Condvar::wait`, which has it alone")
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

/// As `parking_lot::Condvar`, but that time never runs out: a wait that only ends so is found as a deadlock.
#[derive(Debug, Default)]
pub(crate) struct Condvar(model::sync::Condvar);

/// Whether the time ran out: never.
pub(crate) struct Waited;

impl Waited {
    #[expect(clippy::unused_self, reason = "the form of the real one")]
    pub(crate) fn timed_out(&self) -> bool {
        false
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        if let Some(held) = guard.0.take() {
            guard.0 = Some(self.0.wait(held).unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _timeout: Duration) -> Waited {
        self.wait(guard);
        Waited
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// As `parking_lot::RwLock`. Those who may write take turns, so that a reader who may come to write keeps others from
/// it while readers go on.
pub(crate) struct RwLock<T> {
    turn: Mutex<()>,
    value: model::sync::RwLock<T>,
}

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { turn: Mutex::new(()), value: model::sync::RwLock::new(value) }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> WriteGuard<'_, T> {
        let turn = self.turn.lock();
        WriteGuard { value: self.value.write().unwrap_or_else(PoisonError::into_inner), _turn: turn }
    }

    pub(crate) fn upgradable_read(&self) -> RwLockUpgradableReadGuard<'_, T> {
        let turn = self.turn.lock();
        RwLockUpgradableReadGuard { value: Some(self.read()), lock: self, _turn: turn }
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").finish_non_exhaustive()
    }
}

/// The right to write.
pub(crate) struct WriteGuard<'a, T> {
    value: RwLockWriteGuard<'a, T>,
    _turn: MutexGuard<'a, ()>,
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// As `parking_lot::RwLockUpgradableReadGuard`.
pub(crate) struct RwLockUpgradableReadGuard<'a, T> {
    /// Absent while this writes.
    value: Option<RwLockReadGuard<'a, T>>,
    lock: &'a RwLock<T>,
    _turn: MutexGuard<'a, ()>,
}

impl<T> RwLockUpgradableReadGuard<'_, T> {
    pub(crate) fn with_upgraded<R>(guard: &mut Self, write: impl FnOnce(&mut T) -> R) -> R {
        // Nobody else writes in between: this has the turn.
        guard.value = None;
        let answer = write(&mut guard.lock.value.write().unwrap_or_else(PoisonError::into_inner));
        guard.value = Some(guard.lock.read());
        answer
    }
}

impl<T> Deref for RwLockUpgradableReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("the value is there except within `with_upgraded`, which has the guard alone")
    }
}

/// As `std::sync::OnceLock`, but that two threads may both compute: a thread that waits for another one's computing,
/// which steps, would keep the checker's only thread for ever.
#[derive(Debug)]
pub(crate) struct OnceLock<T>(std::sync::OnceLock<T>);

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.0.get() {
            return value;
        }
        let made = make();
        self.0.get_or_init(|| made)
    }
}
