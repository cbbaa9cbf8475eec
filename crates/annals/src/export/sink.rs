//! Where an export goes: a file that gets its name when it is whole, a device or a pipe, or standard output.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::format::Packing;
use crate::failure::{Failure, Result, while_doing};

const BUFFER_SIZE_BYTES: usize = 256 << 10;
/// Quick, and close to what higher levels make of events.
const ZSTD_LEVEL: i32 = 3;

/// An export's destination.
pub(super) struct Sink {
    packed: Packed,
    name: String,
}

enum Packed {
    Plain(Counted),
    Gzip(Box<flate2::write::GzEncoder<Counted>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Counted>>),
}

/// Counts the bytes that leave.
struct Counted {
    place: BufWriter<Place>,
    size_bytes: u64,
}

enum Place {
    /// A file beside the one it will be.
    Unfinished {
        file: NamedTempFile,
        path: PathBuf,
        force: bool,
    },
    /// A device or a pipe.
    Direct(File),
    Stdout(Stdout),
}

impl Sink {
    /// Begins the file, or standard output for `None`.
    ///
    /// # Errors
    /// There is a file of that name and `force` is not given; its folder takes none.
    pub(super) fn open(path: Option<&Path>, packing: Packing, force: bool) -> Result<Self> {
        let (place, name) = match path {
            None => (Place::Stdout(io::stdout()), "standard output".to_owned()),
            Some(path) => (Place::open(path, force)?, path.display().to_string()),
        };
        let counted = Counted { place: BufWriter::with_capacity(BUFFER_SIZE_BYTES, place), size_bytes: 0 };
        let packed = match packing {
            Packing::Plain => Packed::Plain(counted),
            Packing::Gzip => {
                Packed::Gzip(Box::new(flate2::write::GzEncoder::new(counted, flate2::Compression::default())))
            }
            Packing::Zstd => {
                let begin = || {
                    let mut encoder = zstd::stream::write::Encoder::new(counted, ZSTD_LEVEL)?;
                    encoder.include_checksum(true)?;
                    Ok(encoder)
                };
                Packed::Zstd(Box::new(begin().map_err(while_doing::<io::Error>("begin to compress"))?))
            }
        };
        Ok(Self { packed, name })
    }

    /// How messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether what is written is read by a person at once.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(&self.packed, Packed::Plain(counted) if matches!(counted.place.get_ref(), Place::Stdout(out) if out.is_terminal()))
    }

    /// What it means that writing failed.
    pub(super) fn failure(&self, error: io::Error) -> Failure {
        failure(&self.name, error)
    }

    /// Writes what is left, makes it durable, and gives the file its name; tells its size in bytes.
    pub(super) fn finish(self) -> Result<u64> {
        let Self { packed, name } = self;
        let failed = |error| failure(&name, error);
        let counted = match packed {
            Packed::Plain(counted) => counted,
            Packed::Gzip(encoder) => encoder.finish().map_err(failed)?,
            Packed::Zstd(encoder) => encoder.finish().map_err(failed)?,
        };
        let size_bytes = counted.size_bytes;
        let place = counted.place.into_inner().map_err(|error| failed(error.into_error()))?;
        place.finish().map_err(failed)?;
        Ok(size_bytes)
    }
}

fn failure(name: &str, error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::from(error),
        io::ErrorKind::StorageFull => {
            Failure::new(format_args!("cannot write {name}: the disk is full\nMake room and run the command again."))
        }
        _ => Failure::new(format_args!("cannot write {name}: {error}")),
    }
}

impl Place {
    fn open(path: &Path, force: bool) -> Result<Self> {
        let shown = path.display();
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(Failure::new(format_args!("{shown} is a folder: name a file"))),
            Ok(found) if !found.is_file() => {
                let opened = OpenOptions::new().write(true).open(path);
                return opened.map(Place::Direct).map_err(while_doing(format_args!("open {shown}")));
            }
            Ok(_) if !force => {
                return Err(Failure::new(format_args!("there is a file {shown} already\nReplace it with --force.")));
            }
            _ => {}
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".annals-export-")
            .suffix(".unfinished")
            // What the umask leaves of it, as with any new file.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(while_doing(format_args!("write into {}", folder.display())))?;
        Ok(Place::Unfinished { file, path: path.to_owned(), force })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Place::Stdout(mut out) => out.flush(),
            Place::Direct(mut file) => file.flush(),
            Place::Unfinished { file, path, force } => {
                // ORDER: the name is given to bytes that are on the disk.
                file.as_file().sync_all()?;
                let named = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
                named.map(drop).map_err(|error| error.error)
            }
        }
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Place::Unfinished { file, .. } => file.write(bytes),
            Place::Direct(file) => file.write(bytes),
            Place::Stdout(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Place::Unfinished { file, .. } => file.flush(),
            Place::Direct(file) => file.flush(),
            Place::Stdout(out) => out.flush(),
        }
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.place.write(bytes)?;
        self.size_bytes += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.place.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.packed {
            Packed::Plain(counted) => counted.write(bytes),
            Packed::Gzip(encoder) => encoder.write(bytes),
            Packed::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.packed {
            Packed::Plain(counted) => counted.flush(),
            Packed::Gzip(encoder) => encoder.flush(),
            Packed::Zstd(encoder) => encoder.flush(),
        }
    }
}
