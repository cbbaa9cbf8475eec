//! What a run takes: time, CPU, memory, disk.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use annals_engine::{Clock, OsClock};

/// How often memory is looked at.
const MEMORY_PERIOD: Duration = Duration::from_millis(20);

/// Wall and process CPU time since its start.
#[derive(Debug)]
pub struct Stopwatch {
    clock: OsClock,
    cpu_start_ns: i64,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self { clock: OsClock::new(), cpu_start_ns: cpu_ns() }
    }

    /// Wall seconds.
    pub fn wall_s(&self) -> f64 {
        self.clock.monotonic().as_secs_f64()
    }

    /// Wall milliseconds.
    pub fn wall_ms(&self) -> f64 {
        self.wall_s() * 1e3
    }

    /// CPU seconds of all threads of the process, user and system.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run are far below 2^53")]
    pub fn cpu_s(&self) -> f64 {
        (cpu_ns() - self.cpu_start_ns) as f64 / 1e9
    }
}

fn cpu_ns() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Resident memory of this process that is no file's: maps of sealed files, which the system can take
/// back, do not count. 0 where the system does not tell.
pub fn anonymous_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Watches [`anonymous_bytes`] from a thread of its own.
#[derive(Debug)]
pub struct AnonymousPeak {
    before_bytes: u64,
    peak_bytes: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AnonymousPeak {
    /// Starts watching; what is resident now does not count.
    pub fn start() -> Self {
        let (peak_bytes, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watch = {
            let (peak_bytes, stop) = (Arc::clone(&peak_bytes), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    peak_bytes.fetch_max(anonymous_bytes(), Ordering::Relaxed);
                    std::thread::sleep(MEMORY_PERIOD);
                }
            }
        };
        Self { before_bytes: anonymous_bytes(), peak_bytes, stop, thread: Some(std::thread::spawn(watch)) }
    }

    /// The most seen so far, beyond what was resident at the start.
    pub fn bytes(&self) -> u64 {
        self.peak_bytes.load(Ordering::Relaxed).saturating_sub(self.before_bytes)
    }
}

impl Drop for AnonymousPeak {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot fail: it reads a file and sleeps.
            _ = thread.join();
        }
    }
}

/// Bytes that all files below a directory take on the disk, in whole blocks and with what was reserved.
///
/// # Errors
/// What the system says, except of files that go meanwhile.
pub fn disk_bytes(directory: &Path) -> io::Result<u64> {
    const BLOCK: u64 = 512;
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += disk_bytes(&entry.path())?,
            Ok(metadata) => bytes += metadata.blocks() * BLOCK,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
