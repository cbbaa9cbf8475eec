use annals_engine::{AppendOptions, Engine, Options};

use super::*;

#[test]
fn a_store_is_shown_while_it_is_open_and_fits_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(folder.path()) }).unwrap();
    let mut text = Vec::new();
    let mut generator = annals_generate::Generator::new(1, 2000, 1_700_000_000_000_000);
    while generator.write_line(&mut text) {}
    engine.append(annals_json::parse_ndjson(&text, 1).batch, &AppendOptions::default()).unwrap();
    engine.seal_now().unwrap();
    engine.append(annals_json::parse_ndjson(b"{\"event_type\":\"a\"}\n", 1).batch, &AppendOptions::default()).unwrap();

    let storage: Arc<dyn Storage> = Arc::new(OsStorage::new());
    let found = inspect::store(&storage, folder.path()).unwrap();
    let index = index_of(&*storage, folder.path(), &found).unwrap();
    let mut out = Vec::new();
    shown::write_store(&mut out, &found).unwrap();
    shown::write_index(&mut out, &index).unwrap();
    let segment = found.segments.first().unwrap();
    let segment = inspect::segment(&*storage, &inspect::path_of_segment(folder.path(), segment.id)).unwrap();
    shown::write_segment(&mut out, &segment).unwrap();
    let log = found.logs.last().unwrap().held.clone().unwrap();
    shown::write_log(&mut out, &log).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("open in a process") && text.contains("logs      1, with 1 events"), "{text}");

    let json = shown::store_json(&found);
    let rows: u64 = json["segments"].as_array().unwrap().iter().map(|one| one["rows"].as_u64().unwrap()).sum();
    assert_eq!((rows, &json["logs"][0]["events"], &json["logs"][0]["sequence_min"]), (2000, &1.into(), &2001.into()));
    let sections = shown::segment_json(&segment)["sections"].as_array().unwrap().len();
    assert_eq!(sections, segment.sections.len());
    let bytes: u64 = index.owners.values().flat_map(|owner| owner.parts.values()).sum::<u64>() + index.frame_bytes;
    assert_eq!(bytes, found.segments.iter().map(|segment| segment.size_bytes).sum::<u64>());
    engine.close().unwrap();
}

#[test]
fn what_is_no_file_of_a_store_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let told = |path: &Path| {
        let command = Inspect { path: Some(path.to_owned()), data: None, index: false, json: false };
        run(&command).unwrap_err().to_string()
    };
    assert!(told(&folder.path().join("missing")).contains("there is no store"));
    for (name, bytes) in [("empty", &b""[..]), ("text", b"something else"), ("log", b"ANNLOG\r\nand then nothing")] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert!(told(&path).contains(name), "{}", told(&path));
    }
}
