//! What was found, for people and for programs.

use std::io::Write;

use annals_engine::inspect::{LogFileInfo, LogInfo, OverlayFile, SectionPart, SegmentFile, SegmentInfo, StoreInfo};
use serde_json::{Value, json};

use super::{Index, Owner};
use crate::backup::shown_time;
use crate::failure::Result;
use crate::report::harmless;
use crate::terminal::{aligned, grouped};

/// Up to the minute, for tables.
fn minute(time_us: i64) -> String {
    shown_time(time_us).chars().take(16).collect()
}

fn uuid(store: u128) -> String {
    format!("{store:032x}")
}

/// A share of all bytes, in percent.
fn percent(part: u64, all: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(all.max(1));
    format!("{}.{}%", tenths / 10, tenths % 10)
}

pub(super) fn write_store(out: &mut impl Write, found: &StoreInfo) -> Result<()> {
    let StoreInfo { segments, logs, blobs, .. } = found;
    let rows: u64 = segments.iter().map(|segment| u64::from(segment.rows)).sum();
    let bytes: u64 = segments.iter().map(|segment| segment.size_bytes).sum();
    let logged: u64 = logs.iter().filter_map(|log| log.held.as_ref().ok()).map(|log| log.events).sum();
    writeln!(out, "store     {} (manifest {}, epoch {})", uuid(found.store), grouped(found.version), found.epoch)?;
    let state = if found.closed_cleanly { "closed cleanly" } else { "open in a process, or was not closed" };
    writeln!(out, "state     {state}")?;
    if let Some(reason) = &found.fallback {
        writeln!(out, "warning   this is MANIFEST.prev: {}", harmless(reason))?;
    }
    writeln!(out, "segments  {}, with {} rows in {} bytes", segments.len(), grouped(rows), grouped(bytes))?;
    writeln!(out, "logs      {}, with {} events", logs.len(), grouped(logged))?;
    if let Some(cutoff_us) = found.retention_cutoff_us {
        writeln!(out, "cutoff    nothing before {} is kept", shown_time(cutoff_us))?;
    }
    if found.leaving > 0 {
        writeln!(out, "leaving   {} (files that are being made or removed)", found.leaving)?;
    }
    for path in &found.unknown {
        writeln!(out, "unknown   {}", harmless(&path.display().to_string()))?;
    }
    write_segments(out, segments)?;
    write_logs(out, logs)?;
    if !blobs.is_empty() {
        writeln!(out)?;
        let mut table = vec![row(&["VALUE", "FILE", "BYTES"])];
        table
            .extend(blobs.iter().map(|blob| vec![harmless(&blob.name), blob.id.to_string(), grouped(blob.size_bytes)]));
        write_table(out, &table)?;
    }
    Ok(())
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn write_table(out: &mut impl Write, rows: &[Vec<String>]) -> Result<()> {
    for line in aligned(rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn deleted(overlay: Option<&OverlayFile>) -> String {
    match overlay.map(|overlay| &overlay.held) {
        None => "0".to_owned(),
        Some(Ok(counts)) => grouped(counts.deleted),
        Some(Err(_)) => "damaged".to_owned(),
    }
}

fn write_segments(out: &mut impl Write, segments: &[SegmentFile]) -> Result<()> {
    if segments.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = vec![row(&["SEGMENT", "SPAN", "ROWS", "DELETED", "BYTES", "FROM", "TO"])];
    table.extend(segments.iter().map(|segment| {
        vec![
            segment.id.to_string(),
            segment.partition_span.map_or_else(|| "?".to_owned(), |span| span.to_string()),
            grouped(u64::from(segment.rows)),
            deleted(segment.overlay.as_ref()),
            grouped(segment.size_bytes),
            minute(segment.created_at_us.0),
            minute(segment.created_at_us.1),
        ]
    }));
    write_table(out, &table)
}

fn write_logs(out: &mut impl Write, logs: &[LogFileInfo]) -> Result<()> {
    if logs.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = vec![row(&["LOG", "EVENTS", "FRAMES", "USED", "RESERVED", "SEQUENCES"])];
    for log in logs {
        let held = log.held.as_ref();
        table.push(match held {
            Err(error) => vec![log.id.to_string(), format!("cannot be read: {}", harmless(error))],
            Ok(held) => vec![
                log.id.to_string(),
                grouped(held.events),
                grouped(frames(held)),
                grouped(held.end_offset),
                grouped(held.reserved_bytes),
                held.sequences.map_or_else(
                    || "none".to_owned(),
                    |(first, last)| format!("{} to {}", grouped(first), grouped(last)),
                ),
            ],
        });
    }
    write_table(out, &table)?;
    for log in logs {
        if let Some((id, rest)) = log.held.as_ref().ok().and_then(|held| Some((log.id, rest_bytes(held)?))) {
            writeln!(out, "log {id}: {} {REST}", grouped(rest))?;
        }
    }
    Ok(())
}

const REST: &str = "bytes behind the last whole frame: being written, or torn";

fn frames(log: &LogInfo) -> u64 {
    log.event_frames + log.control_frames + log.replacing_frames + log.sync_markers
}

fn rest_bytes(log: &LogInfo) -> Option<u64> {
    log.rest_end.map(|end| end.saturating_sub(log.end_offset))
}

pub(super) fn write_log(out: &mut impl Write, log: &LogInfo) -> Result<()> {
    writeln!(out, "log        {} of store {}", log.id, uuid(log.store))?;
    writeln!(out, "made       {}", shown_time(log.made_at_us))?;
    writeln!(
        out,
        "frames     {}: {} of events, {} of deletes and marks,\n           {} of replacing events, {} sync markers",
        grouped(frames(log)),
        grouped(log.event_frames),
        grouped(log.control_frames),
        grouped(log.replacing_frames),
        grouped(log.sync_markers)
    )?;
    match log.sequences {
        None => writeln!(out, "events     none")?,
        Some((first, last)) => {
            let (first, last, events) = (grouped(first), grouped(last), grouped(log.events));
            writeln!(out, "events     {events}, sequences {first} to {last}")?;
            let (from, to) = log.created_at_us;
            writeln!(out, "created    {} to {}", shown_time(from), shown_time(to))?;
        }
    }
    writeln!(
        out,
        "bytes      {} used of {} reserved,\n           {} known to be durable when the last frame was made",
        grouped(log.end_offset),
        grouped(log.reserved_bytes),
        grouped(log.synced_upto)
    )?;
    if let Some(rest) = rest_bytes(log) {
        writeln!(out, "rest       {} {REST}", grouped(rest))?;
    }
    Ok(())
}

pub(super) fn write_segment(out: &mut impl Write, segment: &SegmentInfo) -> Result<()> {
    let per_row = segment.size_bytes.saturating_mul(10) / u64::from(segment.rows).max(1);
    let form = if segment.is_packed { "packed" } else { "fresh" };
    let ids = if segment.ids_made { "made by the store" } else { "stored" };
    let ((from, to), (first, last)) = (segment.created_at_us, segment.sequences);
    writeln!(out, "segment    {} of store {}", segment.id, uuid(segment.store))?;
    writeln!(out, "sealed     {}, {form}, ids {ids}", shown_time(segment.sealed_at_us))?;
    writeln!(
        out,
        "rows       {}, sequences {} to {}",
        grouped(u64::from(segment.rows)),
        grouped(first),
        grouped(last)
    )?;
    writeln!(out, "created    {} to {}", shown_time(from), shown_time(to))?;
    writeln!(out, "bytes      {}, {}.{} a row", grouped(segment.size_bytes), per_row / 10, per_row % 10)?;
    Ok(())
}

impl Owner {
    fn size_bytes(&self) -> u64 {
        self.parts.values().sum()
    }

    fn part(&self, part: SectionPart) -> u64 {
        self.parts.get(&part).copied().unwrap_or(0)
    }
}

/// What each field and text takes, the largest first.
pub(super) fn write_index(out: &mut impl Write, index: &Index) -> Result<()> {
    let all = index.owners.values().map(Owner::size_bytes).sum::<u64>() + index.frame_bytes;
    let mut owners: Vec<_> = index.owners.iter().collect();
    owners.sort_by_key(|(name, owner)| (std::cmp::Reverse(owner.size_bytes()), **name));
    let mut table = vec![row(&["COLUMN", "TERMS", "DICTIONARY", "VALUES", "POSTINGS", "BYTES", "SHARE"])];
    for (name, owner) in owners {
        let index_part = |part| owner.terms.map_or_else(|| "-".to_owned(), |_| grouped(owner.part(part)));
        table.push(vec![
            (*name).to_owned(),
            owner.terms.map_or_else(|| "-".to_owned(), grouped),
            index_part(SectionPart::Dictionary),
            index_part(SectionPart::Column),
            index_part(SectionPart::Postings),
            grouped(owner.size_bytes()),
            percent(owner.size_bytes(), all),
        ]);
    }
    let mut frame = row(&["(checksums, ends)", "-", "-", "-", "-"]);
    frame.extend([grouped(index.frame_bytes), percent(index.frame_bytes, all)]);
    table.push(frame);
    write_table(out, &table)?;
    let (segments, rows) = (grouped(index.segments), grouped(index.rows));
    writeln!(out, "{} bytes in {segments} segments of {rows} rows in all", grouped(all))?;
    Ok(())
}

pub(super) fn store_json(found: &StoreInfo) -> Value {
    json!({
        "store": uuid(found.store),
        "manifest_version": found.version,
        "epoch": found.epoch,
        "closed_cleanly": found.closed_cleanly,
        "fallback": found.fallback,
        "next_sequence_floor": found.next_sequence_floor,
        "retention_cutoff": found.retention_cutoff_us.map(shown_time),
        "segments": found.segments.iter().map(segment_file_json).collect::<Vec<_>>(),
        "logs": found.logs.iter().map(log_file_json).collect::<Vec<_>>(),
        "values": found.blobs.iter()
            .map(|blob| json!({"name": blob.name, "file": blob.id, "size_bytes": blob.size_bytes}))
            .collect::<Vec<_>>(),
        "files_leaving": found.leaving,
        "files_unknown": found.unknown.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
    })
}

fn segment_file_json(segment: &SegmentFile) -> Value {
    let overlay = segment.overlay.as_ref().map(|overlay| match &overlay.held {
        Ok(counts) => json!({
            "file": overlay.id, "deleted": counts.deleted, "acknowledged": counts.acknowledged,
            "amended": counts.amended,
        }),
        Err(error) => json!({"file": overlay.id, "error": error}),
    });
    json!({
        "id": segment.id,
        "partition_start": shown_time(segment.partition_start_us),
        "partition_span": segment.partition_span.map(|span| span.to_string()),
        "rows": segment.rows,
        "size_bytes": segment.size_bytes,
        "created_at_min": shown_time(segment.created_at_us.0),
        "created_at_max": shown_time(segment.created_at_us.1),
        "sequence_min": segment.sequences.0,
        "sequence_max": segment.sequences.1,
        "overlay": overlay,
    })
}

fn log_file_json(log: &LogFileInfo) -> Value {
    match &log.held {
        Err(error) => json!({"id": log.id, "sealed_off_at": log.end_offset, "error": error}),
        Ok(held) => {
            let mut json = log_json(held);
            if let Value::Object(fields) = &mut json {
                fields.insert("sealed_off_at".to_owned(), json!(log.end_offset));
            }
            json
        }
    }
}

pub(super) fn log_json(log: &LogInfo) -> Value {
    let times = log.sequences.map(|_| log.created_at_us);
    json!({
        "id": log.id,
        "store": uuid(log.store),
        "made_at": shown_time(log.made_at_us),
        "frames": {
            "events": log.event_frames, "control": log.control_frames, "replacing": log.replacing_frames,
            "sync_markers": log.sync_markers,
        },
        "events": log.events,
        "sequence_min": log.sequences.map(|(first, _)| first),
        "sequence_max": log.sequences.map(|(_, last)| last),
        "created_at_min": times.map(|(from, _)| shown_time(from)),
        "created_at_max": times.map(|(_, to)| shown_time(to)),
        "end_offset": log.end_offset,
        "synced_upto": log.synced_upto,
        "rest_bytes": rest_bytes(log).unwrap_or(0),
        "size_bytes": log.size_bytes,
        "reserved_bytes": log.reserved_bytes,
    })
}

pub(super) fn segment_json(segment: &SegmentInfo) -> Value {
    let fields = segment.fields.iter().map(|field| {
        json!({
            "field": field.field.name(), "terms": field.terms, "rows": field.rows, "values": field.values,
            "same_as": field.same_as.map(annals_engine::Field::name),
        })
    });
    let sections = segment.sections.iter().map(|section| {
        json!({
            "name": section.name, "owner": section.owner, "offset": section.offset,
            "size_bytes": section.size_bytes, "count": section.count,
        })
    });
    json!({
        "id": segment.id,
        "store": uuid(segment.store),
        "sealed_at": shown_time(segment.sealed_at_us),
        "rows": segment.rows,
        "size_bytes": segment.size_bytes,
        "created_at_min": shown_time(segment.created_at_us.0),
        "created_at_max": shown_time(segment.created_at_us.1),
        "sequence_min": segment.sequences.0,
        "sequence_max": segment.sequences.1,
        "packed": segment.is_packed,
        "ids_made": segment.ids_made,
        "fields": fields.collect::<Vec<_>>(),
        "sections": sections.collect::<Vec<_>>(),
        "frame_bytes": segment.frame_bytes,
    })
}

pub(super) fn index_json(index: &Index) -> Value {
    let owners = index.owners.iter().map(|(name, owner)| {
        json!({
            "name": name,
            "terms": owner.terms,
            "rows": owner.rows,
            "dictionary_bytes": owner.part(SectionPart::Dictionary),
            "column_bytes": owner.part(SectionPart::Column),
            "postings_bytes": owner.part(SectionPart::Postings),
            "size_bytes": owner.size_bytes(),
        })
    });
    json!({
        "segments": index.segments,
        "rows": index.rows,
        "columns": owners.collect::<Vec<_>>(),
        "frame_bytes": index.frame_bytes,
    })
}
