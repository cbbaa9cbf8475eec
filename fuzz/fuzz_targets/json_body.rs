//! Bodies of many events: every way to read one gives the same events and the same errors.
#![no_main]

use annals_json::{BatchReader, IncomingEvent, Line, parse_json, parse_ndjson};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    parse_json(bytes);
    let whole = parse_ndjson(bytes, 1);
    assert_eq!(whole.lines, whole.rejected + whole.batch.len() as u64);
    let mut reader = BatchReader::new(bytes).with_threads(2).with_block_size(0);
    let (mut lines, mut rejected, mut events, mut errors) = (0, 0, 0, Vec::new());
    while let Some(parsed) =
        reader.next_batch(&|_: &mut IncomingEvent<'_>, _: Line<'_>| Ok(())).expect("a slice can be read")
    {
        lines += parsed.lines;
        rejected += parsed.rejected;
        events += parsed.batch.len();
        errors.extend(parsed.errors);
    }
    assert_eq!((lines, rejected, events), (whole.lines, whole.rejected, whole.batch.len()));
    assert_eq!(errors, whole.errors);
});
