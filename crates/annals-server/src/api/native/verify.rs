//! `POST /annals/v1/verify`: reads the whole store and says what is damaged.

use annals_engine::VerifyReport;
use axum::http::StatusCode;
use serde_json::json;

use super::query::only;
use crate::damage::report_json;
use crate::deed::Deed;
use crate::error::Answer;
use crate::face;
use crate::request::Request;
use crate::state::AppState;

/// `POST /annals/v1/verify`
pub(crate) async fn verify(request: Request) -> Answer {
    only(&request.params, &[])?;
    tracing::info!(by = ?request.caller.user_id, "a verification starts");
    let deed = request.deed("store.verified");
    let told =
        |deed: Deed, report: &VerifyReport| deed.count(report.events).detail("damages", json!(report.damages.len()));
    let verified = request.state.verify(move |state| state.audited(deed, read, told))?;
    let report = verified.await?;
    for damage in &report.damages {
        tracing::error!(damage, "stored bytes are damaged");
    }
    // Clients are not told where on this machine the store lies.
    let directory = request.state.engine().options().directory.join("");
    Ok(face::json(StatusCode::OK, report_json(&report, &directory.to_string_lossy()).to_string()))
}

/// Reads the store and the internal one. The events are the store's own.
fn read(state: &AppState) -> Answer<VerifyReport> {
    let mut report = state.engine().verify(&mut |_done, _all| {})?;
    if let Some(internal) = state.internal().engine() {
        let VerifyReport { files, bytes, details, notes, .. } = internal.verify(&mut |_done, _all| {})?;
        report.files += files;
        report.bytes += bytes;
        report.notes.extend(notes);
        for mut damage in details {
            damage.file = format!("{}/{}", crate::INTERNAL_FOLDER, damage.file);
            report.damages.push(damage.to_string());
            report.details.push(damage);
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use annals_engine::{Engine, Options};

    use super::*;
    use crate::config::ServerConfig;

    #[test]
    fn files_are_named_from_within_the_store() {
        let damage =
            |place: &str| VerifyReport { damages: vec![format!("bad ({place}seg/1.seg)")], ..Default::default() };
        for directory in ["/var/lib/annals/", "./annals-data/", ""] {
            assert_eq!(report_json(&damage(directory), directory)["damages"][0], "bad (seg/1.seg)", "{directory}");
        }
    }
    #[tokio::test]
    async fn a_second_one_is_refused_while_one_runs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(Options::new(directory.path())).unwrap();
        let state = AppState::with_engine(engine, &ServerConfig::new(directory.path())).unwrap().state;
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let first = state.verify(move |_| Ok(finished.recv().is_err())).unwrap();
        let refused = state.verify(|_| Ok(())).map(|_| ()).unwrap_err();
        assert_eq!((refused.status, refused.code), (StatusCode::CONFLICT, "verification_running"));
        drop(finish);
        assert!(first.await.unwrap());
        state.verify(|_| Ok(())).unwrap().await.unwrap();
    }
}
