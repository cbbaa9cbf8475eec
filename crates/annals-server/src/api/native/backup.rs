//! `POST /annals/v1/admin/backup`: the store as of now, in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals_engine::{BackupFiles, BackupOptions, BackupReport, CheckDepth, ErrorKind, check_backup};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::query::only;
use crate::auth::grant::shown_time;
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face;
use crate::internal;
use crate::request::Request;
use crate::state::AppState;

/// The longest name, inclusive.
const NAME_LEN_MAX: usize = 64;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    /// The folder's name: a client never says where it lies.
    name: String,
    options: BackupOptions,
    verify: bool,
}

/// What was made.
struct Made {
    report: BackupReport,
    verified: bool,
    /// A sentence for each damaged file.
    damages: Vec<String>,
}

/// `POST /annals/v1/admin/backup`
pub(crate) async fn create(request: Request) -> Answer {
    only(&request.params, &[])?;
    let (state, deed) = (request.state.clone(), request.deed("store.backed_up"));
    let asked = Asked::parse(&request.object().await?)?;
    let destination = destination(&state, &asked.name)?;
    let deed = deed.on("backup", asked.name.as_str()).detail("copy", json!(asked.options.files == BackupFiles::Copy));
    let name = asked.name.clone();
    let told = |deed: Deed, made: &Made| {
        let report = &made.report;
        let deed = deed.count(report.events).detail("last_sequence", json!(report.last_sequence));
        deed.detail("bytes", json!(report.bytes_linked + report.bytes_copied))
            .detail("damages", json!(made.damages.len()))
    };
    // Clients are not told where on this machine the store or its backups lie.
    let hidden = [state.engine().options().directory.join(""), destination.join("")];
    let made =
        state.back_up(move |state| state.audited(deed, |state| make(state, &destination, &asked), told))?.await?;
    for damage in &made.damages {
        tracing::error!(damage, "stored bytes are damaged");
    }
    Ok(face::json(StatusCode::OK, shown(&name, &made, &hidden).to_string()))
}

impl Asked {
    /// # Errors
    /// 400 naming what is missing or ill-typed.
    fn parse(body: &Map<String, Value>) -> Answer<Self> {
        const KNOWN: [&str; 4] = ["name", "copy", "verify", "with_damage"];
        if let Some(unknown) = body.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(Failure::invalid(unknown.as_str(), format!("is not known; allowed are {}", KNOWN.join(", "))));
        }
        let name = match body.get("name") {
            None | Some(Value::Null) => return Err(Failure::invalid("name", "is required")),
            Some(Value::String(name)) if is_name(name) => name.clone(),
            Some(_) => {
                let message = "must be 1 to 64 letters, digits, dots, dashes and underscores, and not begin with a dot";
                return Err(Failure::invalid("name", message));
            }
        };
        let flag = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Failure::invalid(name, "must be true or false")),
        };
        let files = if flag("copy")? { BackupFiles::Copy } else { BackupFiles::Link };
        Ok(Self { name, options: BackupOptions { files, with_damage: flag("with_damage")? }, verify: flag("verify")? })
    }
}

/// Whether a name can only be that of a folder directly below the one for backups.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=NAME_LEN_MAX).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

/// Where a backup of that name goes.
fn destination(state: &AppState, name: &str) -> Answer<PathBuf> {
    let Some(folder) = state.backup_directory() else {
        let message = "this server has no folder for backups: its operator names one with --backup-dir";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "no_backup_folder", message));
    };
    Ok(folder.join(name))
}

/// Backs up the store and the internal one in it.
///
/// ORDER: the store is cut first, the internal store behind it. An action is written down after it is done, so whatever
/// the backup of the store shows was done is written down in that of the internal one, but for what was being done at
/// that moment; it may tell of a little more.
fn make(state: &AppState, destination: &Path, asked: &Asked) -> Answer<Made> {
    let storage = Arc::clone(&state.engine().options().storage);
    let is_free = storage.list(destination).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    if !is_free {
        let message = "there is a backup of that name: choose another one";
        return Err(Failure::new(StatusCode::CONFLICT, "backup_exists", message));
    }
    let mut backup = state.engine().begin_backup()?;
    if let Some(internal) = state.internal().engine() {
        backup.include(internal::FOLDER, internal.begin_backup()?)?;
    }
    let mut report =
        backup.write(destination, &asked.options, &mut |_done, _all| {}).map_err(|error| failed(&error))?;
    let mut damages = std::mem::take(&mut report.damages);
    if asked.verify {
        let checked = check_backup(&storage, destination, CheckDepth::Everything, &mut |_done, _all| {});
        damages = checked.map_err(|error| failed(&error))?.damages;
    }
    Ok(Made { report, verified: asked.verify, damages })
}

fn failed(error: &annals_engine::Error) -> Failure {
    match error.kind() {
        ErrorKind::DiskFull => {
            let message = "the disk of the folder for backups is full: what was written is removed again";
            Failure::unavailable("backup_disk_full", message)
        }
        _ => Failure::from(error),
    }
}

/// The answer; files are named from within the folder of the store, or of the backup.
fn shown(name: &str, made: &Made, folders: &[PathBuf]) -> Value {
    let Made { report, verified, damages } = made;
    let folders: Vec<String> = folders
        .iter()
        .flat_map(|folder| [std::path::absolute(folder).ok(), Some(folder.clone())])
        .flatten()
        .map(|folder| folder.to_string_lossy().into_owned())
        .filter(|folder| !folder.is_empty())
        .collect();
    let within = |damage: &String| folders.iter().fold(damage.clone(), |damage, folder| damage.replace(folder, ""));
    let damages: Vec<String> = damages.iter().map(within).collect();
    json!({
        "name": name,
        "cut_at": shown_time(report.cut_at_us),
        "events": report.events,
        "last_sequence": report.last_sequence,
        "files_linked": report.files_linked,
        "bytes_linked": report.bytes_linked,
        "files_copied": report.files_copied,
        "bytes_copied": report.bytes_copied,
        "seconds": report.elapsed.as_secs_f64(),
        "verified": verified,
        "damages": damages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for good in ["a", "2026-01-31", "a.b_c-D", "-", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", ".a", "a/b", "/", "a\\b", "a b", "ä", "a\0", "a\n", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
