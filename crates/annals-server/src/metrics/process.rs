//! What the operating system says of this process. A figure that it does not give is left out.

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Figures of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    pub(super) cpu_s: f64,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) threads: Option<u64>,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
}

impl Process {
    /// Reads them. Blocks, for as long as a few files of /proc take.
    pub(super) fn read() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_s = i32::try_from(cpu.tv_sec).map_or(0.0, f64::from)
            + i32::try_from(cpu.tv_nsec).map_or(0.0, |ns| f64::from(ns) / 1e9);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = |name: &str| field(&status, name)?.checked_mul(1024);
        let open_fds = std::fs::read_dir("/proc/self/fd").ok().and_then(|entries| u64::try_from(entries.count()).ok());
        Self {
            cpu_s,
            resident_bytes: kib("VmRSS:"),
            virtual_bytes: kib("VmSize:"),
            threads: field(&status, "Threads:"),
            // Reading the folder opens one.
            open_fds: open_fds.map(|count| count.saturating_sub(1)),
            max_fds: getrlimit(Resource::Nofile).current,
        }
    }
}

/// The number behind a name at the start of a line.
fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_figures() {
        let process = Process::read();
        assert!(process.cpu_s > 0.0, "{process:?}");
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 1 << 20), "{process:?}");
        assert!(process.threads.is_some_and(|count| count >= 1) && process.open_fds.is_some_and(|count| count >= 3));
    }

    #[test]
    fn a_field_is_a_number_behind_its_name() {
        let status = "Name:\tVmRSS: 7\nVmRSS:\t  12 kB\nThreads:\tmany\n";
        assert_eq!(
            (field(status, "VmRSS:"), field(status, "Threads:"), field(status, "VmSize:")),
            (Some(12), None, None)
        );
    }
}
