//! What threads share, wait for and are made with: from one place, so that a model checker can stand below it.
//!
//! A normal build gets `parking_lot`, `crossbeam-channel` and the standard library, and nothing else. Built with
//! `--cfg shuttle` or `--cfg loom` the same names are those of the checker, which then decides which thread goes on at
//! each step: see `tests/concurrency/run.sh`.
//!
//! What is only counted or computed twice without harm (bits of checked chunks, figures, prepared tables that are
//! made before they are put in place) stays with the standard library: it is no step of interest.

#[cfg(any(loom, shuttle))]
pub(crate) mod channel;
#[cfg(any(loom, shuttle))]
mod modelled;
#[cfg(all(test, loom))]
mod models;

#[cfg(any(loom, shuttle))]
pub(crate) use modelled::{
    Condvar, JoinHandle, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, atomic,
    spawn_named,
};

#[cfg(not(any(loom, shuttle)))]
pub(crate) use self::real::{
    Condvar, JoinHandle, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, atomic,
    channel, spawn_named,
};

#[cfg(not(any(loom, shuttle)))]
mod real {
    pub(crate) use crossbeam_channel as channel;
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard};
    pub(crate) use std::sync::{OnceLock, atomic};
    pub(crate) use std::thread::JoinHandle;

    /// Starts a thread that the operating system shows by this name.
    pub(crate) fn spawn_named(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(name.to_owned()).spawn(body)
    }
}
