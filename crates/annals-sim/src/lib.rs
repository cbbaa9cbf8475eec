//! A simulated machine for the event store: its disk forgets what was not synced, tears what was being written,
//! fails when it is told to, and does it all from one seed.
//!
//! [`World`] is the machine, [`SimStorage`] its disk as the engine sees it, [`run`] a seeded run of a store that
//! crashes again and again, checked against what its acknowledgements promised.
#![forbid(unsafe_code)]

mod disk;
mod image;
mod oracle;
mod random;
mod run;
mod script;
mod world;

pub use disk::SimStorage;
pub use image::{FileImage, SECTOR_SIZE};
pub use random::Random;
pub use run::{Failure, Figures, RunOptions, run};
pub use world::{Fault, World};
