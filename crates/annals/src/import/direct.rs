//! Into a directory: reading and storing overlap.

use std::path::Path;
use std::sync::mpsc::sync_channel;

use annals_engine::{AppendOptions, Engine, Options};
use annals_json::{BatchReader, ImportIds, IncomingEvent, Line};

use super::progress::Progress;
use super::{Importer, Totals, give_id};
use crate::failure::{Result, while_doing};
use crate::signals::Stop;
use crate::source::Source;
use crate::store::say_recovery;

/// Batches that wait to be stored: enough that neither side waits, little memory.
const BATCHES_WAITING_MAX: usize = 2;

/// An open store to import into.
pub(super) struct Direct {
    engine: Engine,
    threads: usize,
}

impl Direct {
    /// Opens the store, making one if there is none.
    pub(super) fn open(directory: &Path, threads: usize) -> Result<Self> {
        let engine = Engine::open(Options::new(directory))?;
        say_recovery(&engine);
        Ok(Self { engine, threads })
    }
}

impl Importer for Direct {
    fn import(&mut self, source: Source, totals: &mut Totals, progress: &mut Progress, stop: &Stop) -> Result<()> {
        let ids = ImportIds::new();
        let latest_us = self.engine.latest_created_at_us();
        let mut reader = BatchReader::new(source.reader).with_threads(self.threads);
        let (send, batches) = sync_channel(BATCHES_WAITING_MAX);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let hook = |event: &mut IncomingEvent<'_>, line: Line<'_>| {
                    give_id(&ids, event, line);
                    event.check_not_after(latest_us)
                };
                while let Some(parsed) = reader.next_batch(&hook).transpose() {
                    let is_over = parsed.is_err() || stop.is_asked();
                    // The other side hangs up when storing failed.
                    if send.send(parsed).is_err() || is_over {
                        break;
                    }
                }
            });
            for parsed in batches {
                let parsed = parsed.map_err(while_doing(format_args!("read {}", source.name)))?;
                totals.reject(&source.name, parsed.rejected, &parsed.errors);
                if !parsed.batch.is_empty() {
                    let receipt = self.engine.append(parsed.batch, &AppendOptions::default())?;
                    totals.accepted += receipt.sequences.end.saturating_sub(receipt.sequences.start);
                    totals.duplicates += u64::from(receipt.duplicate_count);
                }
                progress.show(totals.lines());
            }
            Ok(())
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.engine.flush()?;
        Ok(self.engine.close()?)
    }
}
