//! Files of events: plain, gzip or zstd, by what they begin with.

mod pausing;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::{Result, while_doing};
use crate::source::pausing::Pausing;

/// Read at once from a file or a pipe.
const BUFFER_SIZE_BYTES: usize = 256 << 10;
/// The largest zstd window that is taken, as a power of two: 128 MiB, what `zstd --long` makes. A
/// larger one asks for more memory than an import should need.
const WINDOW_LOG_MAX: u32 = 27;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// An open file of events, and how far it was read.
pub(crate) struct Source {
    /// How errors call it.
    pub(crate) name: String,
    /// Its bytes on disk, if that is known.
    pub(crate) size_bytes: Option<u64>,
    /// Bytes of it that were read, before decompression.
    pub(crate) position: Arc<AtomicU64>,
    /// What it holds, decompressed.
    pub(crate) reader: Box<dyn Read + Send>,
}

impl Source {
    /// Whether [`Source::open`] would find the file; nothing is read of it.
    ///
    /// # Errors
    /// The file is missing or may not be read. A pipe is not opened: its writer would see it closed.
    pub(crate) fn check(path: &Path) -> Result<()> {
        let failed = || while_doing::<io::Error>(format!("open {}", path.display()));
        if path == Path::new("-") || !std::fs::metadata(path).map_err(failed())?.is_file() {
            return Ok(());
        }
        File::open(path).map(drop).map_err(failed())
    }

    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
        let failed = while_doing::<io::Error>;
        let (raw, size_bytes): (Box<dyn Read + Send>, _) = if is_stdin {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).map_err(failed(format!("open {name}")))?;
            let metadata = file.metadata().map_err(failed(format!("open {name}")))?;
            (Box::new(file), metadata.is_file().then_some(metadata.len()))
        };
        let position = Arc::new(AtomicU64::new(0));
        let counted = Counted { raw, position: Arc::clone(&position) };
        let reader = decompressed(counted).map_err(failed(format!("read {name}")))?;
        // What comes live, `tail -f` for example, is stored without waiting for more of it.
        let reader = if is_stdin { Box::new(Pausing::new(reader)) } else { reader };
        Ok(Self { name, size_bytes, position, reader })
    }
}

/// Counts what is read.
struct Counted {
    raw: Box<dyn Read + Send>,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.position.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}

fn decompressed(mut raw: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
    raw.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head)?;
    let (is_zstd, is_gzip) = (head == ZSTD_MAGIC, head.starts_with(&GZIP_MAGIC));
    let whole = BufReader::with_capacity(BUFFER_SIZE_BYTES, Cursor::new(head).chain(raw));
    if is_zstd {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(whole)?;
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        Ok(Box::new(decoder))
    } else if is_gzip {
        Ok(Box::new(flate2::bufread::MultiGzDecoder::new(whole)))
    } else {
        Ok(Box::new(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompressed(Cursor::new(bytes.to_vec()))?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        let text = b"{\"event_type\":\"a\"}\n".repeat(1000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::stream::encode_all(text.as_slice(), 1).unwrap();
        let twice = |bytes: &[u8]| [bytes, bytes].concat();
        for (bytes, expected) in [
            (text.clone(), text.clone()),
            (gzip.clone(), text.clone()),
            (zstd.clone(), text.clone()),
            (twice(&gzip), twice(&text)),
            (twice(&zstd), twice(&text)),
            (Vec::new(), Vec::new()),
            (b"{".to_vec(), b"{".to_vec()),
        ] {
            assert_eq!(read(&bytes).unwrap(), expected);
        }
        assert!(read(&gzip[..gzip.len() - 9]).is_err() && read(&zstd[..zstd.len() - 9]).is_err(), "a cut file is told");
    }
}
