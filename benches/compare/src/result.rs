//! What a run of one store gives: written as JSON by every driver, in Rust or in Python.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// Figures of one store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) store: String,
    pub(crate) version: String,
    pub(crate) settings: String,
    pub(crate) events: u64,
    /// Until the last batch was acknowledged.
    pub(crate) acknowledged_per_s: f64,
    pub(crate) acknowledged_cpu_us: f64,
    /// Until the store has nothing left to do in the background: sealed, merged, checkpointed.
    pub(crate) settled_per_s: f64,
    pub(crate) settled_cpu_us: f64,
    /// Whole blocks of all files, closed, settled.
    pub(crate) disk_bytes: f64,
    /// The same after the compaction that a user can ask for; as settled where there is none.
    pub(crate) compacted_disk_bytes: f64,
    /// What that compaction costs.
    pub(crate) compacting_cpu_us: f64,
    pub(crate) answers: Vec<Answered>,
    pub(crate) d1: Deleted,
    pub(crate) d2: Deleted,
    pub(crate) mixed: Mixed,
}

/// One query over all its runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) name: String,
    pub(crate) runs: usize,
    pub(crate) median_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) totals: u64,
    pub(crate) rows: u64,
    pub(crate) times: i64,
}

/// One delete.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Deleted {
    pub(crate) deleted: u64,
    pub(crate) returned_ms: f64,
    /// Part of the disk free one second later.
    pub(crate) freed_part: f64,
}

/// The second query while events come in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Mixed {
    pub(crate) acknowledged_per_s: f64,
    pub(crate) median_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Measured {
    pub(crate) fn write(&self, directory: &Path) -> Outcome<()> {
        let path = directory.join(format!("result-{}.json", self.store.to_lowercase().replace(' ', "-")));
        fs::write(&path, serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }

    /// All results in a directory; Annals first.
    pub(crate) fn read_all(directory: &Path) -> Outcome<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("result-") && name.ends_with(".json") {
                found.push(serde_json::from_slice::<Self>(&fs::read(&path)?)?);
            }
        }
        found.sort_by_key(|measured| (measured.store != "Annals", measured.store.clone()));
        Ok(found)
    }
}
