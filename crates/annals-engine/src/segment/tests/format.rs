//! The worked example of `docs/format.md` is what the writer writes.

use std::fmt::Write;

use super::*;

/// Sixteen bytes a line with their offset; lines of zeroes are left out.
fn dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (offset, line) in (0..).step_by(16).zip(bytes.chunks(16)) {
        if line.iter().any(|byte| *byte != 0) {
            let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "{offset:04x}: {}", hex.join(" ")).unwrap();
        }
    }
    out
}

#[test]
fn the_worked_example_is_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.seg");
    let mut event = Event::new("a.b");
    event.created_at_us = Some(1_700_000_000_000_000);
    event.message = Some("hi");
    let mut bytes = Vec::new();
    record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
    let stored = Record::take(&mut Reader::new(&bytes)).unwrap().to_stored(1).unwrap();
    write_segment(&path, 1, &[stored]);
    let written = dump(&std::fs::read(&path).unwrap());
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format.md")).unwrap();
    let documented =
        page.split("```hex segment\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    assert_eq!(written, documented, "the file as it is written:\n{written}");
}
