//! Times as text: what is read and written again is the same time.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    _ = annals_json::parse_millis(text);
    let Some(time_us) = annals_json::parse_time(text) else { return };
    let mut written = Vec::new();
    annals_json::write_micros(&mut written, time_us);
    let written = String::from_utf8(written).expect("a time is ASCII");
    let again = annals_json::parse_time(&written).expect("a written time can be read");
    // Times outside of the years 0 to 9999 are shown as the nearest one inside.
    let inside = (-62_167_219_200_000_000..=253_402_300_799_999_999).contains(&time_us);
    assert!(!inside || again == time_us, "{text} is {time_us}, written as {written}");
});
