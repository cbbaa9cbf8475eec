use std::io::Write;
use std::path::Path;

use super::*;
use crate::store::open_existing;

fn import(data: &Path, file: &Path) -> (Totals, Result<()>) {
    let mut totals = Totals::default();
    let mut progress = Progress::new().unwrap();
    let mut importer = direct::Direct::open(data, 2).unwrap();
    let source = Source::open(file).unwrap();
    let outcome = importer.import(source, &mut totals, &mut progress, &Stop::default());
    importer.finish().unwrap();
    (totals, outcome)
}

fn counts(totals: &Totals) -> (u64, u64, u64) {
    (totals.accepted, totals.duplicates, totals.rejected)
}

#[test]
fn importing_a_file_twice_stores_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("events.ndjson"));
    let mut text = Vec::new();
    let mut generator = annals_generate::Generator::new(1, 5000, 1_700_000_000_000_000);
    while generator.write_line(&mut text) {}
    // Equal lines are different events; lines without a time are known again by their id alone.
    text.extend_from_slice(
        b"{\"event_type\":\"a\"}\n{\"event_type\":\"a\"}\nnonsense\n{\"event_type\":\"a\",\"ts\":99999999999999}\n",
    );
    std::fs::write(&file, &text).unwrap();
    let (totals, outcome) = import(&data, &file);
    outcome.unwrap();
    assert_eq!(counts(&totals), (5002, 0, 2));
    assert!(totals.errors[0].contains("events.ndjson, line 5003: the event is not valid JSON"), "{:?}", totals.errors);
    assert!(totals.errors[1].ends_with("line 5004: created_at lies too far in the future"), "{:?}", totals.errors);
    let mut packed = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    packed.write_all(&text).unwrap();
    let file = folder.path().join("events.ndjson.zst");
    std::fs::write(&file, packed.finish().unwrap()).unwrap();
    let (totals, outcome) = import(&data, &file);
    outcome.unwrap();
    assert_eq!(counts(&totals), (0, 5002, 2));
    assert_eq!(open_existing(&data).unwrap().stats().events, 5002);
}

#[test]
fn a_cut_file_is_an_error_and_what_came_before_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("events.zst"));
    let mut text = Vec::new();
    let mut generator = annals_generate::Generator::new(1, 40_000, 1_700_000_000_000_000);
    while generator.write_line(&mut text) {}
    let packed = zstd::stream::encode_all(text.as_slice(), 1).unwrap();
    std::fs::write(&file, &packed[..packed.len() - 1000]).unwrap();
    let (totals, outcome) = import(&data, &file);
    let Err(crate::failure::Failure::Message(message)) = outcome else { panic!("a cut file went through") };
    assert!(message.starts_with("cannot read ") && totals.accepted > 0, "{message}");
    assert_eq!(open_existing(&data).unwrap().stats().events, totals.accepted);
}

#[test]
fn a_missing_file_is_an_error_before_a_store_is_made() {
    use clap::Parser as _;
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        import: Import,
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, good) = (folder.path().join("data"), folder.path().join("good"));
    std::fs::write(&good, b"{\"event_type\":\"a\"}\n").unwrap();
    let missing = folder.path().join("missing");
    let line = [Path::new("import"), Path::new("--data"), &data, &good, &missing];
    let Err(failure) = run(&Line::parse_from(line).import) else { panic!("there is no such file") };
    let crate::failure::Failure::Message(message) = failure else { panic!("no message") };
    assert!(message.starts_with(&format!("cannot open {}", missing.display())), "{message}");
    assert!(!data.exists());
}
