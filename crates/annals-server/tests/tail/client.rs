//! A client of server-sent events on a socket, as little of one as the tests need.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than anything a test waits for takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// One message that a client shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// An open tail.
pub(crate) struct Tail {
    stream: TcpStream,
    /// What came and is not decoded from its chunks.
    raw: Vec<u8>,
    /// Decoded and not read.
    text: Vec<u8>,
    /// What the client would send when it comes back.
    pub(crate) last_id: Option<u64>,
    /// Blocks without data.
    pub(crate) signs_of_life: usize,
    ended: bool,
}

/// Sends a request for a tail and returns its head with the open connection.
pub(crate) async fn ask(address: SocketAddr, method: &str, key: &str, query: &str, headers: &str) -> (String, Tail) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} /annals/v1/tail{query} HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("an answer").unwrap());
    }
    let tail = Tail { stream, raw: Vec::new(), text: Vec::new(), last_id: None, signs_of_life: 0, ended: false };
    (String::from_utf8(head).unwrap(), tail)
}

impl Tail {
    /// Opens a tail that must be granted.
    pub(crate) async fn open(address: SocketAddr, key: &str, query: &str) -> Self {
        Self::granted(ask(address, "GET", key, query, "").await)
    }

    /// Opens a tail behind what an earlier one has seen.
    pub(crate) async fn resume(address: SocketAddr, key: &str, query: &str, last_id: u64) -> Self {
        Self::granted(ask(address, "GET", key, query, &format!("last-event-id: {last_id}\r\n")).await)
    }

    fn granted((head, tail): (String, Self)) -> Self {
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream\r\n"), "{head}");
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        tail
    }

    /// The next message; `None` once the server has ended the stream in order.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                if let Some(message) = self.block(std::str::from_utf8(&block).unwrap()) {
                    return Some(message);
                }
            }
            if self.ended {
                assert!(self.text.is_empty(), "the stream ends within a message");
                return None;
            }
            self.fill().await;
        }
    }

    /// The data of the next message, which must be an event of the store.
    pub(crate) async fn event(&mut self) -> Value {
        let message = self.next().await.expect("an event");
        assert_eq!(message.event, "message", "{message:?}");
        assert_eq!(message.data["sequence"].as_u64(), self.last_id, "the id is the sequence");
        message.data
    }

    /// The next message, which must have this name.
    pub(crate) async fn named(&mut self, name: &str) -> Value {
        let message = self.next().await.unwrap_or_else(|| panic!("ended before {name}"));
        assert_eq!(message.event, name, "{message:?}");
        message.data
    }

    fn block(&mut self, block: &str) -> Option<Message> {
        let (mut event, mut data) = ("message".to_owned(), String::new());
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => {
                    let id: u64 = id.parse().unwrap();
                    assert!(self.last_id.is_none_or(|last| id >= last), "ids ascend");
                    self.last_id = Some(id);
                }
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("data", text)) => data.push_str(text),
                _ => assert!(line.is_empty() || line.starts_with(':'), "{line:?}"),
            }
        }
        if data.is_empty() {
            self.signs_of_life += 1;
            return None;
        }
        Some(Message { event, data: serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}")) })
    }

    /// Waits for bytes and takes whole chunks out of them.
    async fn fill(&mut self) {
        let read = self.stream.read_buf(&mut self.raw);
        let size = tokio::time::timeout(PATIENCE, read).await.expect("something comes").unwrap();
        assert!(size > 0, "the connection is cut off");
        while let Some(line_end) = self.raw.windows(2).position(|pair| pair == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..line_end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let start = line_end + 2;
            if self.raw.len() < start + size + 2 {
                return;
            }
            self.text.extend_from_slice(&self.raw[start..start + size]);
            self.raw.drain(..start + size + 2);
            self.ended |= size == 0;
        }
    }
}
