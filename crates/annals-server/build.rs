//! Lists the files of the page in `ui/`, so that the binary has them all: `src/ui/mod.rs` includes the list.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// What browsers are sent, by the end of its name; what lies beside it is for those who work on it.
const SERVED: [&str; 4] = ["html", "js", "css", "svg"];

fn main() -> io::Result<()> {
    let variable = |name: &str| std::env::var_os(name).ok_or_else(|| io::Error::other(format!("{name} is not set")));
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("ui");
    println!("cargo::rerun-if-changed=ui");
    let mut paths = Vec::new();
    walk(&folder, "", &mut paths)?;
    // The same list whatever order the disk has them in.
    paths.sort();
    let mut list = String::from("&[\n");
    for path in &paths {
        let _ = writeln!(
            list,
            "    ({path:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/ui/\", {path:?}))),"
        );
    }
    list.push_str("]\n");
    std::fs::write(PathBuf::from(variable("OUT_DIR")?).join("ui_files.rs"), list)
}

/// Adds the files below a folder, named from within `ui/`.
fn walk(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), paths)?;
        } else if SERVED.iter().any(|end| name.strip_suffix(end).is_some_and(|stem| stem.ends_with('.'))) {
            paths.push(path);
        }
    }
    Ok(())
}
