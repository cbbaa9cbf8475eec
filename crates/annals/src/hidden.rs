//! Asking a person for something that the terminal must not show.

use std::io::{BufRead as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::{Result, while_doing};

/// The terminal as it was, put back when it is dropped.
struct Echo(Termios);

impl Echo {
    fn off() -> std::io::Result<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // Without signals Ctrl-C is a character of the line: one that ended the process would leave the
        // terminal mute.
        hidden.local_modes.remove(LocalModes::ISIG);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Nothing is left to do for a terminal that cannot be put back.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Reads a line from the terminal without showing it.
///
/// # Errors
/// Standard input is no terminal, or Ctrl-C was in the line.
pub(crate) fn read_hidden(prompt: &str) -> Result<String> {
    let doing = "read the password";
    let mut terminal = std::io::stderr();
    let _ = write!(terminal, "{prompt}");
    let _ = terminal.flush();
    let echo = Echo::off().map_err(while_doing(doing))?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    drop(echo);
    let _ = writeln!(terminal);
    read.map_err(while_doing(doing))?;
    if line.contains('\u{3}') {
        return Err(crate::failure::Failure::new("interrupted: nothing was changed"));
    }
    line.truncate(line.trim_end_matches(['\n', '\r']).len());
    Ok(line)
}
