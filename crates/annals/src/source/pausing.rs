//! A stream that says so when nothing comes, so that what came before is stored.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Nothing for so long is a pause.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest time between two pauses: a line every now and then does not wait for many more.
const PAUSE_EVERY: Duration = Duration::from_secs(1);
const PIECE_SIZE_BYTES: usize = 256 << 10;
/// Pieces read ahead.
const PIECES_MAX: usize = 4;

/// Reads in a thread of its own; a `read` that gets nothing for a while fails with `WouldBlock` and may
/// be tried again. What comes slowly without a pause does so every second.
pub(super) struct Pausing {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    taken: usize,
    pause: Duration,
    paused_at: Instant,
}

impl Pausing {
    pub(super) fn new(reader: impl Read + Send + 'static) -> Self {
        Self::with_pause(reader, PAUSE)
    }

    fn with_pause(mut reader: impl Read + Send + 'static, pause: Duration) -> Self {
        let (sender, pieces) = sync_channel(PIECES_MAX);
        // Ends with the stream, with whoever takes the pieces, or, inside of a read, with the process.
        std::thread::spawn(move || {
            loop {
                let piece = read_piece(&mut reader);
                let is_last = piece.as_ref().map_or(true, Vec::is_empty);
                if sender.send(piece).is_err() || is_last {
                    return;
                }
            }
        });
        Self { pieces, piece: Vec::new(), taken: 0, pause, paused_at: now() }
    }

    fn say_pause(&mut self) -> io::Error {
        self.paused_at = now();
        ErrorKind::WouldBlock.into()
    }
}

#[expect(clippy::disallowed_methods, reason = "a person waits in real time")]
fn now() -> Instant {
    Instant::now()
}

/// What one read gives; empty at the end.
fn read_piece(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; PIECE_SIZE_BYTES];
    let read = loop {
        match reader.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Not a pause of ours: nobody would read on.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(io::Error::other(error)),
            read => break read?,
        }
    };
    piece.truncate(read);
    Ok(piece)
}

impl Read for Pausing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            if now().duration_since(self.paused_at) >= PAUSE_EVERY {
                return Err(self.say_pause());
            }
            self.taken = 0;
            self.piece.clear();
            self.piece = match self.pieces.recv_timeout(self.pause) {
                Ok(piece) => piece?,
                Err(RecvTimeoutError::Timeout) => return Err(self.say_pause()),
                Err(RecvTimeoutError::Disconnected) => Vec::new(),
            };
        }
        let read = self.piece.get(self.taken..).unwrap_or_default().read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_pause_is_told_and_nothing_is_lost() {
        let (theirs, mut ours) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut reader = Pausing::with_pause(theirs, Duration::from_millis(20));
        let mut buffer = [0; 4];
        assert_eq!(reader.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        ours.write_all(b"abcdef").unwrap();
        let mut all = Vec::new();
        while all.len() < 6 {
            match reader.read(&mut buffer) {
                Ok(read) => all.extend_from_slice(&buffer[..read]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert_eq!(reader.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(ours);
        while reader.read(&mut buffer).map_or(true, |read| read > 0) {}
        assert_eq!((all.as_slice(), reader.read(&mut buffer).unwrap()), (b"abcdef".as_slice(), 0));
    }

    #[test]
    fn a_broken_stream_fails_and_ends() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(ErrorKind::InvalidData.into())
            }
        }
        let mut reader = Pausing::with_pause(Broken, Duration::from_secs(10));
        assert_eq!(reader.read(&mut [0]).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
