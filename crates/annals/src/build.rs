//! Which program this is, as `build.rs` found out. Nothing in it depends on when, where or by whom it was built.

use annals_server::Build;

/// `-V`, and what the manual pages say.
pub(crate) const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), env!("ANNALS_BUILD_ORIGIN"));

/// `--version`.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    env!("ANNALS_BUILD_ORIGIN"),
    "\ncommit: ",
    env!("ANNALS_BUILD_COMMIT"),
    "\ncommit-date: ",
    env!("ANNALS_BUILD_DATE"),
    "\ntarget: ",
    env!("ANNALS_BUILD_TARGET"),
);

/// What the server says of it to whoever watches it.
pub(crate) const OF_SERVER: Build = Build { version: env!("CARGO_PKG_VERSION"), commit: env!("ANNALS_BUILD_COMMIT") };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_line_and_says_the_rest_on_request() {
        assert!(SHORT.starts_with(env!("CARGO_PKG_VERSION")) && !SHORT.contains('\n'), "{SHORT}");
        let lines: Vec<&str> = LONG.lines().collect();
        assert_eq!(lines.first(), Some(&SHORT));
        let commit = lines[1].strip_prefix("commit: ").unwrap();
        let id = commit.split('-').next().unwrap();
        let is_id = id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_id || commit == "unknown" || option_env!("ANNALS_COMMIT") == Some(commit), "{commit}");
        assert!(commit == "unknown" || SHORT.contains(&id[..id.len().min(12)]), "{SHORT}, {commit}");
        let date = lines[2].strip_prefix("commit-date: ").unwrap();
        assert!(date == "unknown" || SHORT.ends_with(&format!("{date})")), "{SHORT}, {date}");
        let target = lines[3].strip_prefix("target: ").unwrap();
        assert!(target.starts_with(std::env::consts::ARCH) && target.contains("linux"), "{target}");
    }

    /// A path would say where it was built, and differ from machine to machine.
    #[test]
    fn it_names_no_place() {
        assert!(!LONG.contains('/') && !LONG.contains(env!("CARGO_MANIFEST_DIR")), "{LONG}");
    }
}
