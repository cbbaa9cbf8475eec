use std::fs;

use annals_engine::{AppendOptions, Engine, Options};
use annals_server::{AppState, ServerConfig, serve};
use clap::Parser;
use parquet::file::reader::FileReader as _;
use parquet::record::RowAccessor as _;

use super::*;

const KEY: &str = "the-administrators-key";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    export: Export,
}

fn export(words: &[&str]) -> Result<ExitCode> {
    run(&Line::parse_from(std::iter::once("export").chain(words.iter().copied())).export)
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Generated events, and three that are hard to write down.
fn fill(directory: &str, events: u64) {
    let mut text = Vec::new();
    let mut generator = annals_generate::Generator::new(7, events, 1_700_000_000_000_000);
    while generator.write_line(&mut text) {}
    text.extend_from_slice(
        concat!(
            r#"{"event_type":"a.b","created_at":"2020-01-01T00:00:00.000001Z","acknowledged":true,"message":"=1+1,\"x\"\nline","#,
            r#""realm_ids":["eu","a,b"],"http_status":404,"latency_ms":-1.5,"payload":{"z":1,"a":[1.50,null,"ä"]},"notification":true}"#,
            "\n",
            r#"{"event_type":"a.b","created_at":"2020-01-01T00:00:00.000001Z","id":"0123456789abcdef01234567","other":{"kept":true}}"#,
            "\n",
            r#"{"event_type":"a.b","created_at":"2020-01-01T00:00:00Z","expires_at":"2030-01-01T00:00:00Z","message":"","resource_id":7}"#,
            "\n"
        )
        .as_bytes(),
    );
    let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(directory) }).unwrap();
    let parsed = annals_json::parse_ndjson(&text, 1);
    assert_eq!(parsed.rejected, 0, "{:?}", parsed.errors);
    engine.append(parsed.batch, &AppendOptions::default()).unwrap();
    engine.close().unwrap();
}

fn import(directory: &str, file: &str) {
    let engine = Engine::open(Options { log_size_bytes: 1 << 20, ..Options::new(directory) }).unwrap();
    let mut reader = annals_json::BatchReader::new(crate::source::Source::open(Path::new(file)).unwrap().reader);
    while let Some(parsed) = reader.next_batch(&|_: &mut _, _: annals_json::Line<'_>| Ok(())).unwrap() {
        assert_eq!(parsed.rejected, 0);
        engine.append(parsed.batch, &AppendOptions::default()).unwrap();
    }
    engine.close().unwrap();
}

/// The lines without their sequences, which are each store's own.
fn lines(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| line.split_once(",\"sequence\":").unwrap())
        .map(|(id, rest)| format!("{id}{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit())))
        .collect()
}

fn statistics(directory: &str) -> annals_query::Stats {
    let engine = open_existing(Path::new(directory)).unwrap();
    let by = annals_engine::Field::ALL.to_vec();
    let request =
        annals_query::StatsRequest { by, interval_us: Some(86_400_000_000), ..annals_query::StatsRequest::default() };
    let query = annals_query::Query::new(&annals_engine::TenantScope::Unlimited);
    let stats = annals_query::stats(&engine.snapshot(), &query, &request, &|| false).unwrap();
    engine.close().unwrap();
    stats
}

#[test]
fn an_exported_file_imports_again_to_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (path(&folder, "first"), path(&folder, "second"));
    fill(&first, 12_000);
    for name in ["all.ndjson", "all.ndjson.gz", "all.ndjson.zst"] {
        export(&["--data", &first, &path(&folder, name)]).unwrap();
    }
    import(&second, &path(&folder, "all.ndjson.zst"));
    export(&["--data", &second, &path(&folder, "again.ndjson")]).unwrap();
    let all = lines(&path(&folder, "all.ndjson"));
    assert_eq!(all.len(), 12_003);
    assert!(all.iter().any(|line| line.contains("\"acknowledged\":true")));
    assert_eq!(all, lines(&path(&folder, "again.ndjson")));
    assert_eq!(statistics(&first), statistics(&second));
    // A second import of the same file stores nothing twice.
    import(&second, &path(&folder, "all.ndjson.gz"));
    assert_eq!(statistics(&first), statistics(&second));
}

#[test]
fn a_file_has_its_name_when_it_is_whole_and_is_not_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (path(&folder, "data"), path(&folder, "some.csv"));
    fill(&data, 10);
    let names = || {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert!(export(&["--data", &path(&folder, "missing"), &file]).is_err());
    assert!(export(&["--data", &data, "--filter", "colour=red", &file]).is_err());
    assert_eq!(names(), ["data"], "nothing is left of what failed");
    export(&["--data", &data, "--fields", "event_type,message,realm_ids", "--event-type", "a.b", &file]).unwrap();
    let expected = "event_type,message,realm_ids\na.b,\"\",\n\
                    a.b,\"'=1+1,\"\"x\"\"\nline\",\"[\"\"eu\"\",\"\"a,b\"\"]\"\na.b,a.b,\n";
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text, expected);
    assert!(export(&["--data", &data, &file]).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    export(&["--data", &data, "--force", "--exact", "--fields", "message", "--limit", "3", &file]).unwrap();
    assert!(fs::read_to_string(&file).unwrap().contains("\"=1+1,"));
    assert_eq!(names(), ["data", "some.csv"]);
}

#[test]
fn parquet_holds_the_values_with_their_types() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (path(&folder, "data"), path(&folder, "all.parquet"));
    fill(&data, 500);
    let fields = "id,created_at,http_status,realm_ids,message,latency_ms,expires_at,acknowledged,payload,sequence";
    export(&["--data", &data, "--fields", fields, &file]).unwrap();
    let reader = parquet::file::reader::SerializedFileReader::new(fs::File::open(&file).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 503);
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect();
    // The first three are those of 2020, oldest first and then as they were appended.
    assert_eq!(rows[0].get_timestamp_micros(1).unwrap(), 1_577_836_800_000_000);
    assert_eq!(rows[0].get_timestamp_micros(6).unwrap(), 1_893_456_000_000_000);
    assert!(rows[0].get_string(2).is_err(), "what is absent is null");
    assert_eq!(rows[1].get_string(2).unwrap(), "404");
    assert_eq!(rows[1].get_list(3).unwrap().len(), 2);
    assert_eq!(rows[0].get_list(3).unwrap().len(), 0);
    assert_eq!(rows[1].get_string(4).unwrap(), "=1+1,\"x\"\nline");
    assert_eq!(rows[1].get_double(5).unwrap().to_bits(), (-1.5f64).to_bits());
    assert!(rows[1].get_bool(7).unwrap() && !rows[2].get_bool(7).unwrap());
    assert_eq!(rows[1].get_string(8).unwrap(), r#"{"z":1,"a":[1.50,null,"ä"]}"#);
    assert_eq!(rows[2].get_long(9).unwrap(), 502);
}

#[test]
fn a_server_gives_what_its_directory_does_as_of_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let data = path(&folder, "data");
    fill(&data, 25_000);
    let (here, there) = (path(&folder, "here.ndjson"), path(&folder, "there.ndjson"));
    export(&["--data", &data, &here]).unwrap();
    let config = ServerConfig { admin_key: Some(KEY.to_owned()), ..ServerConfig::new(&data) };
    let state = AppState::open(&config).unwrap().state;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = runtime.spawn(serve(state, listener, async move { _ = stopped.await }));
    export(&["--url", &url, "--key", KEY, &there]).unwrap();
    assert_eq!(fs::read(&here).unwrap(), fs::read(&there).unwrap());
    export(&["--url", &url, "--key", KEY, "--fields", "event_type", "--force", "--limit", "2", &there]).unwrap();
    assert_eq!(fs::read_to_string(&there).unwrap(), "{\"event_type\":\"a.b\"}\n{\"event_type\":\"a.b\"}\n");

    // What comes between the first page and the last is not in it.
    let client = Client::new(&url, Some(KEY.to_owned())).unwrap();
    let command = Line::parse_from(["export"]).export;
    let sequence_max = client.visible_sequence().unwrap();
    let asked = Request { sequence_max: Some(sequence_max), ..request(&command) };
    let mut pages = Remote::new(&client, &asked).unwrap();
    let mut events = pages.next_page().unwrap().unwrap().events;
    let late = b"{\"event_type\":\"late\"}\n{\"event_type\":\"late\",\"created_at\":\"2035-01-01T00:00:00Z\"}\n";
    client.post("/annals/v1/events?partial=true", "application/x-ndjson", late).unwrap();
    while let Some(page) = pages.next_page().unwrap() {
        events.extend(page.events);
    }
    assert_eq!((sequence_max, events.len()), (25_003, 25_003));
    assert_eq!(client.visible_sequence().unwrap(), 25_004);
    drop(stop);
    runtime.block_on(server).unwrap().unwrap();
    assert_eq!(events, fs::read_to_string(&here).unwrap().lines().collect::<Vec<_>>());
}
