//! What goes wrong with a call of the disk.

use std::io::{Error, ErrorKind};

/// What goes wrong with a call that changes the disk or makes a change durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The machine stops, with the call done, half done or not.
    Crash,
    /// The device says no, and nothing is done; a sync loses what it should have written.
    Io,
    /// There is no room, and nothing is done; a sync loses what it should have written.
    NoSpace,
    /// A write does half of what it should, and then there is no room.
    ShortWrite,
    /// A signal comes in between; nothing is done, and nothing is lost.
    Interrupted,
    /// A sync fails, and the cache goes on showing what the device does not have. Other calls: as [`Fault::Io`].
    SyncKeeps,
    /// A sync fails, and the cache shows what the device has. Other calls: as [`Fault::Io`].
    SyncReverts,
}

impl Fault {
    /// All faults but the crash.
    pub const FAILURES: [Fault; 6] =
        [Fault::Io, Fault::NoSpace, Fault::ShortWrite, Fault::Interrupted, Fault::SyncKeeps, Fault::SyncReverts];
}

/// What a call is to do about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    /// Do it, then say that the machine is down.
    GoDown,
    /// Do not do it, and say that the machine is down; of a write do half.
    Down {
        half: bool,
    },
    /// Do not do it, and say so; of a write do half.
    Fail {
        kind: ErrorKind,
        half: bool,
        sync: FailedSync,
    },
}

/// What a sync that fails does with what it should have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailedSync {
    /// Some of it gets to the device, the rest never will; the cache shows it, or not.
    Loses,
    /// As before, and the cache shows what is lost.
    Keeps,
    /// As before, and the cache shows what the device has.
    Reverts,
    /// It is still to be written.
    Harmless,
}

impl Verdict {
    pub(crate) fn of(fault: Fault) -> Self {
        let fail = |kind, sync| Verdict::Fail { kind, half: false, sync };
        match fault {
            // How a crash ends is drawn by the world.
            Fault::Crash => Verdict::GoDown,
            Fault::Io => fail(ErrorKind::Other, FailedSync::Loses),
            Fault::NoSpace => fail(ErrorKind::StorageFull, FailedSync::Loses),
            Fault::ShortWrite => Verdict::Fail { kind: ErrorKind::StorageFull, half: true, sync: FailedSync::Loses },
            Fault::Interrupted => fail(ErrorKind::Interrupted, FailedSync::Harmless),
            Fault::SyncKeeps => fail(ErrorKind::Other, FailedSync::Keeps),
            Fault::SyncReverts => fail(ErrorKind::Other, FailedSync::Reverts),
        }
    }
}

pub(crate) fn down() -> Error {
    Error::new(ErrorKind::BrokenPipe, "the simulated machine is down")
}
