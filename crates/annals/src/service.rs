//! What a service manager is told: systemd waits for it when a unit says `Type=notify`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where the manager listens; nobody does without it.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The server listens: whoever waits for the service can go on.
pub(crate) fn say_ready() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    if let Err(error) = tell(&socket, b"READY=1") {
        // The manager gives the service up when its time is over; this says why.
        tracing::warn!(%error, "the service manager could not be told that the server is ready");
    }
}

/// Sends a line to a socket of the file system or, with `@` in front, of the abstract names.
fn tell(socket: &OsStr, line: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.send_to_addr(line, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(listener: &UnixDatagram) -> Vec<u8> {
        let mut line = vec![0; 64];
        let len = listener.recv(&mut line).unwrap();
        line.truncate(len);
        line
    }

    #[test]
    fn a_manager_hears_it_in_the_file_system_and_among_the_abstract_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        tell(path.as_os_str(), b"READY=1").unwrap();
        assert_eq!(heard(&listener), b"READY=1");

        // The folder's name is nobody else's.
        let name = path.to_str().unwrap();
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        tell(OsStr::new(&format!("@{name}")), b"READY=1").unwrap();
        assert_eq!(heard(&listener), b"READY=1");
    }

    #[test]
    fn nobody_there_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        assert!(tell(folder.path().join("nothing").as_os_str(), b"READY=1").is_err());
        assert!(tell(OsStr::new(&format!("@{}", "x".repeat(200))), b"READY=1").is_err());
    }
}
