//! `annals health`: whether a server is ready, for scripts and for those who watch containers.

use std::process::ExitCode;
use std::time::Duration;

use annals_engine::{Clock as _, OsClock};
use clap::Args;

use crate::client::Client;
use crate::failure::Result;
use crate::span::parse_span;
use crate::store::SERVER_DEFAULT;
use crate::terminal::say;

/// Between two questions: short for whoever waits, nothing for the server.
const PAUSE: Duration = Duration::from_millis(50);

/// Ask whether a server is ready: recovered, writable, not about to stop.
///
/// Exits with 0 if it is and with 1 if not. No key is needed. With `--alive` it is enough that the server answers: a full
/// disk makes a server unready, and to start it again helps nobody.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals health
  annals health --wait 30s             returns as soon as the server is ready
  annals health --alive
  annals health --url https://events.example.org:8443")]
pub(crate) struct Health {
    /// The running server
    #[arg(long, value_name = "URL", default_value = SERVER_DEFAULT)]
    url: String,
    /// Ask again for so long, such as 30s, until it is ready
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    wait: Option<Duration>,
    /// Be content with a server that answers
    #[arg(long)]
    alive: bool,
}

pub(crate) fn run(command: &Health) -> Result<ExitCode> {
    let client = Client::new(&command.url, None)?;
    let path = if command.alive { "/healthz" } else { "/readyz" };
    let patience = command.wait.unwrap_or_default();
    let clock = OsClock::new();
    let began = clock.monotonic();
    loop {
        match client.ask_health(path) {
            Ok(answer) if answer.status == 200 => {
                say(if command.alive { "alive" } else { "ready" });
                return Ok(ExitCode::SUCCESS);
            }
            _ if clock.monotonic().saturating_sub(began) < patience => std::thread::sleep(PAUSE),
            Ok(answer) => return Err(client.refused(&answer)),
            Err(unreachable) => return Err(unreachable),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{Cli, Command};

    fn asked(arguments: &[&str]) -> Result<ExitCode> {
        let cli = Cli::try_parse_from([&["annals", "health"], arguments].concat()).unwrap();
        let Command::Health(command) = cli.command else { unreachable!() };
        run(&command)
    }

    #[test]
    fn a_server_that_is_not_there_is_not_healthy_and_not_waited_for() {
        // Nobody listens at the port of a listener that is gone.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{address}");
        for more in [&["--alive"][..], &[], &["--wait", "100ms"]] {
            let began = OsClock::new().monotonic();
            assert!(asked(&[&["--url", url.as_str()], more].concat()).is_err());
            assert!(OsClock::new().monotonic().saturating_sub(began) < Duration::from_secs(30));
        }
    }
}
