//! The server's settings as flags: made of the one table of settings, so that nothing is said twice.

use std::path::PathBuf;

use annals_server::settings::{Kind, Loaded, Setting, Sources, Value, table};
use annals_server::{DIRECTORY_DEFAULT, ServerConfig};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::failure::{Failure, Result};

/// The file of settings, and those that are given as flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingFlags {
    file: Option<PathBuf>,
    given: Vec<(String, Vec<String>)>,
}

const CONFIG: &str = "config";

impl SettingFlags {
    /// A file and no flags.
    pub(crate) fn of_file(file: Option<PathBuf>) -> Self {
        Self { file, given: Vec::new() }
    }

    /// Where the server's settings come from.
    pub(crate) fn sources(&self) -> Sources {
        Sources::of_process(self.file.clone(), self.given.clone())
    }

    /// Reads and checks them.
    pub(crate) fn load(&self) -> Result<Loaded> {
        self.sources().load().map_err(Failure::new)
    }
}

/// A flag for a setting: what it takes is read by the table, after file and environment.
fn argument(setting: &'static Setting, name: String, takes: &'static str, defaults: &ServerConfig) -> Arg {
    let doc = setting.doc.trim();
    let first = doc.split_once(". ").map_or(doc, |(first, _)| first).trim_end_matches('.');
    let default = setting.value(defaults);
    let default = match (&setting.kind, &default) {
        (Kind::Flag, _) | (_, Value::Unset) => String::new(),
        (_, Value::List(list)) if list.is_empty() => String::new(),
        _ => format!(" [default: {}]", setting.kind.shown(&default)),
    };
    let notes = format!("{default} [env: {}]", setting.variable());
    let arg = Arg::new(setting.key).long(name).help(format!("{first}{notes}")).long_help(format!("{doc}{notes}"));
    match setting.kind {
        Kind::Flag => arg.action(ArgAction::SetTrue),
        Kind::List => arg.action(ArgAction::Append).value_name(takes),
        Kind::Choice(words) => arg.value_name(takes).value_parser(PossibleValuesParser::new(words)),
        _ => arg.value_name(takes),
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .help("The file of settings, TOML; flags and the environment go before it")
            .value_parser(clap::value_parser!(PathBuf))
            .env("ANNALS_CONFIG");
        let defaults = ServerConfig::new(DIRECTORY_DEFAULT);
        let argument = |(setting, (name, takes))| argument(setting, name, takes, &defaults);
        let flags = table().filter_map(|setting| Some((setting, setting.flag()?))).map(argument);
        command.arg(file).args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for setting in table().filter(|setting| setting.flag().is_some()) {
            if let Kind::Flag = setting.kind {
                if matches.get_flag(setting.key) {
                    given.push((setting.key.to_owned(), Vec::new()));
                }
            } else if let Some(words) = matches.get_many::<String>(setting.key) {
                given.push((setting.key.to_owned(), words.cloned().collect()));
            }
        }
        let file = matches.get_one::<PathBuf>(CONFIG).filter(|path| !path.as_os_str().is_empty()).cloned();
        Ok(Self { file, given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use annals_server::settings::Origin;
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        settings: SettingFlags,
    }

    fn load(words: &[&str]) -> std::result::Result<Loaded, String> {
        let words = std::iter::once("serve").chain(words.iter().copied());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        // Not what the machine of the test happens to have.
        Sources { environment: Vec::new(), ..line.settings.sources() }.load().map_err(|error| error.to_string())
    }

    #[test]
    fn flags_are_taken_as_they_are_given() {
        let set = load(&[
            "--without-face=hoody",
            "--without-face=orgs",
            "--deltafi-default-window=24h",
            "--deltafi-trusted-proxy=127.0.0.1,::1",
            "--listen=0.0.0.0:80",
            "--insecure",
            "--durability=buffered",
            "--scrub-period=never",
        ])
        .unwrap();
        let faces = &set.config.faces;
        assert_eq!((&faces.off[..], faces.deltafi_trusted_proxies.len()), (&["hoody".into(), "orgs".into()][..], 2));
        assert_eq!(faces.deltafi_default_window, Some(Duration::from_hours(24)));
        assert!(set.config.insecure && set.config.scrub_period.is_zero() && !set.config.degraded);
        assert_eq!(*set.origin("insecure"), Origin::Flag("--insecure".to_owned()));
        assert_eq!(*load(&[]).unwrap().origin("insecure"), Origin::Default);
    }

    #[test]
    fn wrong_flags_are_named() {
        for (words, expected) in [
            (&["--deltafi-default-window=1"][..], "--deltafi-default-window is \"1\""),
            (&["--deltafi-trusted-proxy=proxy"], "--deltafi-trusted-proxy: deltafi.trusted_proxy names \"proxy\""),
            (&["--without-face=nonsense"], "there is no face \"nonsense\" to switch off"),
            (&["--durability=twice"], "invalid value 'twice' for '--durability <LEVEL>'"),
            (&["--log-size=1KiB"], "--log-size is 1KiB, the range is 1MiB to 2GiB"),
            (&["--listen=0.0.0.0:80"], "--tls-cert and --tls-key"),
            (&["--tls-cert=c.pem"], "tls.cert is set and tls.key is not"),
            (&["--config=/nonexistent/annals.toml"], "cannot read /nonexistent/annals.toml"),
            (&["--query-time-max=1s"], "unexpected argument '--query-time-max'"),
        ] {
            let error = load(words).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
