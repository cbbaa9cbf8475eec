//! Events and arguments as files, for drivers that are not written in Rust.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use annals_bench::{Arguments, Workload};
use annals_engine::{EventId, Field};
use serde::Serialize;

use crate::Outcome;

/// Opens NDJSON, plain, gzip or zstd by its name.
pub(crate) fn open_packed(path: &Path) -> Outcome<Box<dyn Read>> {
    let file = BufReader::with_capacity(1 << 18, File::open(path)?);
    Ok(match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some("zst") => {
            let mut decoder = zstd::stream::Decoder::new(file)?;
            decoder.window_log_max(27)?;
            Box::new(decoder)
        }
        _ => Box::new(file),
    })
}

/// One event as columns. The id is the 128 bits that Annals keeps, as a UUID: 24 hex digits have a place
/// among them.
#[derive(Debug, Serialize)]
struct Columns<'a> {
    seq: u64,
    id: String,
    created_at: i64,
    event_type: Option<&'a str>,
    resource_type: Option<&'a str>,
    resource_id: Option<&'a str>,
    user_id: Option<&'a str>,
    project_id: Option<&'a str>,
    container_id: Option<&'a str>,
    severity: Option<&'a str>,
    status: Option<&'a str>,
    source: Option<&'a str>,
    realm_ids: Vec<&'a str>,
    message: Option<&'a str>,
    payload: Option<&'a str>,
}

pub(crate) fn prepare(directory: &Path, workload: &Workload) -> Outcome<()> {
    fs::create_dir_all(directory)?;
    let packed = zstd::stream::Encoder::new(File::create(directory.join("events.ndjson.zst"))?, 1)?;
    let mut out = BufWriter::with_capacity(1 << 20, packed);
    let (mut text_bytes, mut oldest_us, mut newest_us) = (0, i64::MAX, 0);
    for position in 0..workload.len() {
        let written = workload.with_event(position, |event| -> Outcome<()> {
            let columns = Columns {
                seq: seq_of(position),
                id: event.id.unwrap_or(EventId::from_u128(0)).to_string(),
                created_at: event.created_at_us.unwrap_or(0),
                event_type: event.get(Field::EventType),
                resource_type: event.get(Field::ResourceType),
                resource_id: event.get(Field::ResourceId),
                user_id: event.get(Field::UserId),
                project_id: event.get(Field::ProjectId),
                container_id: event.get(Field::ContainerId),
                severity: event.get(Field::Severity),
                status: event.get(Field::Status),
                source: event.get(Field::Source),
                realm_ids: event.realm_ids.iter().collect(),
                message: event.message,
                payload: event.payload,
            };
            let line = serde_json::to_vec(&columns)?;
            text_bytes += line.len() + 1;
            (oldest_us, newest_us) = (oldest_us.min(columns.created_at), newest_us.max(columns.created_at));
            out.write_all(&line)?;
            out.write_all(b"\n")?;
            Ok(())
        });
        written.unwrap_or(Ok(()))?;
    }
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?.sync_all()?;
    let arguments = Arguments::draw(workload)?;
    let uuids: Vec<String> =
        arguments.ids.iter().map(|id| id.parse().map(|id: EventId| id.to_string())).collect::<Result<_, _>>()?;
    let mut json = serde_json::to_value(&arguments)?;
    if let Some(object) = json.as_object_mut() {
        object.insert("uuids".to_owned(), serde_json::to_value(uuids)?);
        object.insert("is_generated".to_owned(), workload.is_generated().into());
        object.insert("events".to_owned(), workload.len().into());
        object.insert("text_bytes".to_owned(), text_bytes.into());
        object.insert("oldest_us".to_owned(), oldest_us.into());
        object.insert("newest_us".to_owned(), newest_us.into());
        object.insert("description".to_owned(), workload.description().into());
    }
    fs::write(directory.join("arguments.json"), serde_json::to_vec_pretty(&json)?)?;
    Ok(())
}

/// The place in the order of appending, from 1.
pub(crate) fn seq_of(position: usize) -> u64 {
    u64::try_from(position).unwrap_or(u64::MAX - 1) + 1
}
