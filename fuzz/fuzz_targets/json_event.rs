//! One event as JSON: read, filled in, taken into a batch.
#![no_main]

use annals_engine::Batch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut event) = annals_json::parse_event(bytes) else { return };
    event.fill_in();
    let mut batch = Batch::new();
    if batch.push(&event.as_event()).is_ok() {
        assert_eq!(batch.len(), 1);
    }
    // Filling in twice is filling in once.
    let first = format!("{:?}", event.as_event());
    event.fill_in();
    assert_eq!(format!("{:?}", event.as_event()), first);
});
