use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::commented::PROCESSORS;
use super::*;
use crate::config::{DIRECTORY_DEFAULT, ServerConfig};

/// What a file, the environment and flags say together.
fn load(file: &str, environment: &[(&str, &str)], flags: &[(&str, &[&str])]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, file).unwrap();
    let flag =
        |(key, words): &(&str, &[&str])| ((*key).to_owned(), words.iter().map(|&word| word.to_owned()).collect());
    let sources = Sources {
        file: Some(path),
        environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        flags: flags.iter().map(flag).collect(),
    };
    let shorter = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    sources.load().map_err(|error| shorter(error.to_string()))
}

fn wrong(file: &str) -> String {
    load(file, &[], &[]).unwrap_err()
}

#[test]
fn the_file_of_the_documents_is_made_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/annals.toml");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == commented_file(), "docs/annals.toml is old: `annals config example > docs/annals.toml`");
}

#[test]
fn uncommented_the_file_says_the_defaults() {
    let uncommented = |takes: &dyn Fn(&str) -> bool| -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|first: char| first.is_ascii_lowercase()) && takes(rest) => {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        };
        commented_file().lines().map(line).collect()
    };
    let defaults = ServerConfig::for_processors(DIRECTORY_DEFAULT, PROCESSORS);
    let unset: HashSet<&str> =
        table().filter(|setting| setting.value(&defaults) == Value::Unset).map(Setting::name).collect();
    let has_default = |line: &str| !unset.contains(line.split(' ').next().unwrap());
    let loaded = load(&uncommented(&has_default), &[], &[]).unwrap();
    for entry in loaded.entries() {
        let default = entry.setting.value(&defaults);
        assert_eq!(entry.value, default, "{}", entry.setting.key);
        assert_eq!(*entry.origin == Origin::Default, default == Value::Unset, "{}", entry.setting.key);
    }
    // The examples of the others are read too; these three name files that there are not.
    let files = ["admin_key_file", "cert", "key"];
    let all = uncommented(&|line| !files.contains(&line.split(' ').next().unwrap()));
    let set = load(&all, &[], &[]).unwrap();
    let named: Vec<_> =
        set.entries().filter(|entry| entry.value == Value::Unset).map(|entry| entry.setting.name()).collect();
    assert_eq!(named, files);
}

#[test]
fn every_setting_takes_what_it_gives() {
    let defaults = ServerConfig::new(DIRECTORY_DEFAULT);
    for setting in table() {
        let mut config = defaults.clone();
        let value = setting.value(&config);
        (setting.set)(&mut config, value.clone()).unwrap_or_else(|error| panic!("{}: {error}", setting.key));
        assert_eq!(setting.value(&config), value, "{}", setting.key);
        if value == Value::Unset {
            let example = setting.kind.read_text(setting.traits.example).unwrap();
            (setting.set)(&mut config, example.clone()).unwrap();
            assert_eq!(setting.value(&config), example, "{}", setting.key);
        }
    }
}

#[test]
fn names_are_told_apart() {
    let count = table().count();
    assert_eq!(table().map(|setting| setting.key).collect::<BTreeSet<_>>().len(), count);
    assert_eq!(table().map(Setting::variable).collect::<BTreeSet<_>>().len(), count);
    let flags: Vec<_> = table().filter_map(Setting::flag).map(|(name, _)| name).collect();
    assert_eq!(flags.iter().collect::<BTreeSet<_>>().len(), flags.len());
    assert!(count >= 60, "{count}");
    assert!(table().all(|setting| setting.doc.trim().ends_with('.')), "a meaning is a sentence");
}

const MS: Duration = Duration::from_millis(1);

fn next(value: &Value) -> Option<Value> {
    match value {
        Value::Whole(count) => count.checked_add(1).map(Value::Whole),
        Value::Span(span) => span.checked_add(MS).map(Value::Span),
        _ => None,
    }
}

fn previous(value: &Value) -> Option<Value> {
    match value {
        Value::Whole(count) => count.checked_sub(1).map(Value::Whole),
        Value::Span(span) => span.checked_sub(MS).map(Value::Span),
        _ => None,
    }
}

#[test]
fn the_engine_takes_every_value_in_range_and_none_beyond() {
    for setting in table().filter(|setting| setting.section() == "engine" || setting.key == "log_size") {
        let with = |value: Value| {
            let mut config = ServerConfig::new("x");
            (setting.set)(&mut config, value).map_err(|_too_large| ())?;
            config.engine_options().validate().map_err(|_out_of_range| ())
        };
        let (min, max) = match setting.kind {
            Kind::Count(min, max) | Kind::Size(min, max) => (Value::Whole(min), Value::Whole(max)),
            Kind::Span(min, max) => (Value::Span(min), Value::Span(max)),
            other => panic!("{}: {other:?}", setting.key),
        };
        assert_eq!((with(min.clone()), with(max.clone())), (Ok(()), Ok(())), "{}", setting.key);
        // The engine sets no bound to how far ahead a time may lie; some spans begin at zero.
        if setting.key != "engine.future_max" {
            assert!(with(next(&max).unwrap()).is_err(), "{}", setting.key);
            assert!(previous(&min).is_none_or(|below| with(below).is_err()), "{}", setting.key);
        }
    }
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let file = "log_size = \"2MiB\"\n\n[limits]\nheaders_max = 100\nquery_time_max = \"2s\"\n";
    let environment = [("ANNALS_LOG_SIZE", "3MiB"), ("ANNALS_LIMITS_HEADERS_MAX", "101"), ("ANNALS_LISTEN", "")];
    let loaded = load(file, &environment, &[("log_size", &["4MiB"])]).unwrap();
    assert_eq!(loaded.config.log_size_bytes, 4 << 20);
    assert_eq!(loaded.config.limits.headers_max, 101);
    assert_eq!(loaded.config.limits.query_time_max.as_secs(), 2);
    assert_eq!(*loaded.origin("log_size"), Origin::Flag("--log-size".to_owned()));
    assert_eq!(*loaded.origin("limits.headers_max"), Origin::Environment("ANNALS_LIMITS_HEADERS_MAX".to_owned()));
    assert!(loaded.origin("limits.query_time_max").to_string().ends_with("/a.toml:5"));
    assert_eq!(*loaded.origin("listen"), Origin::Default, "an empty variable sets nothing");
}

#[test]
fn unknown_names_are_errors_with_a_suggestion() {
    for (file, expected) in [
        ("lisen = \"x\"", "a.toml:1: there is no setting lisen, did you mean listen?"),
        (
            "\n[limits]\nquerytime_max = 1",
            "a.toml:3: there is no setting limits.querytime_max, did you mean limits.query_time_max?",
        ),
        ("query_time_max = 1", "a.toml:1: there is no setting query_time_max, did you mean limits.query_time_max?"),
        ("[limit]\nreads_max = 1", "a.toml:1: there is no setting limit, did you mean [limits]?"),
        ("[engine]\nzzzzzzzz = 1", "a.toml:2: there is no setting engine.zzzzzzzz"),
        ("limits = 5", "a.toml:1: limits is a section: write [limits]"),
    ] {
        assert_eq!(wrong(file), expected);
    }
    assert_eq!(wrong("zz = 1\n[limits]\nyy = 1\n").lines().count(), 2);
    assert!(wrong("zz = 1\n[limits]\nyy = 1\n").starts_with("a.toml:1: "), "in the order of the file");
    for (name, expected) in [
        ("ANNALS_LISTN", "there is no setting ANNALS_LISTN, did you mean ANNALS_LISTEN?"),
        ("ANNALS_LIMITS_ZZZZZZZZZZZZZZ", "there is no setting ANNALS_LIMITS_ZZZZZZZZZZZZZZ"),
    ] {
        assert_eq!(load("", &[(name, "1")], &[]).unwrap_err(), expected);
    }
    // Of the client, of a container's platform, of others.
    let others = [("ANNALS_KEY", "k"), ("ANNALS_SERVICE_HOST", "10.0.0.1"), ("ANNALS", "1"), ("PATH", "/bin")];
    load("", &others, &[]).unwrap();
    for short in ["ANNALS_BIN", "ANNALS_DAMAGE", "ANNALS_PORT", "ANNALS_", "ANNALS_URL"] {
        load("", &[(short, "1")], &[]).unwrap();
    }
}

#[test]
fn wrong_values_are_named_with_their_place_all_at_once() {
    let file = "log_size = 5\nlisten = \"here\"\npartition = 1\n\n[limits]\nquery_time_max = \"5\"\nreads_max = -1\n";
    let environment = [("ANNALS_DEGRADED", "perhaps"), ("ANNALS_LIMITS_HEADERS_MAX", "7")];
    let message =
        load(file, &environment, &[("scrub.rate", &["1KiB"]), ("deltafi.trusted_proxy", &["me"])]).unwrap_err();
    let lines: BTreeSet<&str> = message.lines().collect();
    let expected = [
        "--deltafi-trusted-proxy: deltafi.trusted_proxy names \"me\", must name addresses such as 192.0.2.1 or 2001:db8::1",
        "--scrub-rate is 1KiB, the range is 4KiB to 1TiB",
        "ANNALS_DEGRADED is \"perhaps\", must be true or false",
        "ANNALS_LIMITS_HEADERS_MAX is 7, the range is 8 to 1000",
        "a.toml:1: log_size is 5B, the range is 1MiB to 2GiB",
        "a.toml:2: listen is \"here\", must be an address and a port such as 127.0.0.1:8080",
        "a.toml:3: partition is a number, must be a text in quotes",
        "a.toml:6: limits.query_time_max is \"5\": a length of time is written as 200ms, 30s, 15m, 1h, 1d or 1w",
        "a.toml:7: limits.reads_max is out of range, the range is 1 to 1024",
    ];
    assert_eq!(lines, expected.into_iter().collect(), "{message}");
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    for (file, line) in [("a = ", 1), ("\nlog_size = \"1MiB\"\nlog_size = \"2MiB\"\n", 3), ("\n\n[", 3)] {
        let message = wrong(file);
        assert!(message.starts_with(&format!("a.toml:{line}: ")) && !message.contains('\n'), "{message}");
    }
    assert!(wrong(&"[".repeat(100_000)).starts_with("a.toml:1: "));
    assert!(
        wrong(&format!("#{}", "x".repeat(1 << 20))).ends_with("a.toml has more than a mebibyte, so it is no such file")
    );
    let missing = Sources { file: Some(PathBuf::from("/nonexistent/a.toml")), ..Sources::default() };
    assert!(missing.load().unwrap_err().to_string().starts_with("cannot read /nonexistent/a.toml: "));
}

#[test]
fn the_administrators_key_may_have_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let file = format!("admin_key_file = {:?}", path.display().to_string());
    assert!(wrong(&file).starts_with("admin_key_file: cannot read "));
    std::fs::write(&path, "0123456789abcdef\n").unwrap();
    let loaded = load(&file, &[], &[]).unwrap();
    assert_eq!(loaded.config.admin_key.as_deref(), Some("0123456789abcdef"));
    let shown: Vec<String> = loaded.entries().map(|entry| entry.shown()).collect();
    assert!(!shown.iter().any(|text| text.contains("0123456789abcdef")), "{shown:?}");
    let both = load(&file, &[("ANNALS_ADMIN_KEY", "0123456789abcdefg")], &[]).unwrap_err();
    assert_eq!(both, "admin_key (ANNALS_ADMIN_KEY) and admin_key_file (a.toml:1) are both set: leave one of them out");
    std::fs::write(&path, "short").unwrap();
    assert!(wrong(&file).contains("16 or more printable ASCII"));
}

#[test]
fn lists_and_groups_have_a_form_for_each_source() {
    let file = "without_face = [\"hoody\"]\n[waldur.event_groups]\naccess = [\"user.login\"]\n[deltafi]\ntrusted_proxy = [\"::1\"]";
    let groups =
        |types: &[&str]| BTreeMap::from([("access".to_owned(), types.iter().map(|&one| one.to_owned()).collect())]);
    let of_file = load(file, &[], &[]).unwrap().config.faces;
    assert_eq!(of_file.off, ["hoody"]);
    assert_eq!(of_file.waldur_event_groups, groups(&["user.login"]));
    assert_eq!(of_file.deltafi_trusted_proxies, ["::1".parse::<std::net::IpAddr>().unwrap()]);
    let environment = [("ANNALS_WITHOUT_FACE", "orgs, deltafi"), ("ANNALS_WALDUR_EVENT_GROUPS", "access=a,b")];
    let loaded = load(file, &environment, &[("without_face", &["waldur", "audit,hoody"])]).unwrap().config.faces;
    assert_eq!(loaded.off, ["waldur", "audit", "hoody"], "a list takes the place of the other one");
    assert_eq!(loaded.waldur_event_groups, groups(&["a", "b"]));
    assert!(wrong("without_face = [\"nonsense\"]").contains("there is no face"));
    assert!(wrong("without_face = [1]").starts_with("a.toml:1: without_face must have lists of texts"));
}
