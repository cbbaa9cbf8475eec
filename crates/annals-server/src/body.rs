//! Request bodies: read whole up to a limit, or in pieces, decompressed on the way.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::error::Failure;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    Gzip,
    Zstd,
}

impl Coding {
    /// The `Content-Encoding` of a request.
    ///
    /// # Errors
    /// 415 for one that is not known.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = values.next() else {
            return Ok(Self::Plain);
        };
        // Packed twice, in one header or two, is packed in a way that is not known.
        let value = if values.next().is_some() { "?" } else { value.to_str().unwrap_or("?") };
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Content-Encoding must be identity, gzip or zstd",
            )),
        }
    }
}

/// A body as it arrives, piece by piece, never more than a piece ahead.
pub(crate) struct Pieces {
    body: Body,
    pause_max: Duration,
    size: usize,
    size_max: usize,
}

impl Pieces {
    pub(crate) fn new(body: Body, pause_max: Duration) -> Self {
        Self { body, pause_max, size: 0, size_max: usize::MAX }
    }

    /// The same, of at most `size_max` bytes.
    ///
    /// # Errors
    /// 413 if its sender announces more.
    pub(crate) fn limited(self, headers: &HeaderMap, size_max: usize) -> Result<Self, Failure> {
        if announced_size(headers).is_some_and(|size| size > size_max) {
            return Err(too_large(size_max));
        }
        Ok(Self { size_max, ..self })
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// 408 if the client pauses too long, 400 if it breaks off, 413 if it is larger than it may be.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = tokio::time::timeout(self.pause_max, self.body.frame()).await.map_err(|_elapsed| {
                Failure::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body came too slowly")
            })?;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.size = self.size.saturating_add(data.len());
                        return if self.size > self.size_max { Err(too_large(self.size_max)) } else { Ok(Some(data)) };
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "a body broke off");
                    return Err(Failure::bad_body("the body broke off"));
                }
            }
        }
    }
}

/// The size of a body as its sender announces it.
pub(crate) fn announced_size(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(size_max: usize) -> Failure {
    Failure::too_large(format!("the body has more than {size_max} bytes"))
}

/// The whole body as it came, at most `size_max` bytes of it.
///
/// # Errors
/// 413 if it is larger; nothing beyond the limit is kept.
pub(crate) async fn read_all(pieces: Pieces, headers: &HeaderMap, size_max: usize) -> Result<Bytes, Failure> {
    let mut pieces = pieces.limited(headers, size_max)?;
    let Some(first) = pieces.next().await? else {
        return Ok(Bytes::new());
    };
    // One piece that is all of it is not copied.
    let Some(second) = pieces.next().await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::with_capacity(announced_size(headers).unwrap_or(first.len() + second.len()));
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        whole.extend_from_slice(&bytes);
        piece = pieces.next().await?;
    }
    Ok(whole.freeze())
}

/// Unpacks a whole body, up to `size_max` bytes of it. Blocks.
///
/// # Errors
/// 413 if it unpacks to more, 400 if it is damaged.
pub(crate) fn unpack(packed: Bytes, coding: Coding, size_max: usize) -> Result<Bytes, Failure> {
    use std::io::Read as _;
    let mut reader: Box<dyn std::io::Read + '_> = match coding {
        Coding::Plain => return Ok(packed),
        // Whoever sends nothing packs nothing.
        _ if packed.is_empty() => return Ok(packed),
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed.as_ref())),
        Coding::Zstd => Box::new(zstd_reader(packed.as_ref())?),
    };
    let mut plain = Vec::new();
    let limit = u64::try_from(size_max).unwrap_or(u64::MAX).saturating_add(1);
    reader.by_ref().take(limit).read_to_end(&mut plain).map_err(|error| damaged(&error))?;
    if plain.len() > size_max {
        return Err(Failure::too_large(format!("the body unpacks to more than {size_max} bytes")));
    }
    Ok(plain.into())
}

/// A zstd reader whose window is bounded: the sender chooses it, and it is memory of ours.
pub(crate) fn zstd_reader<R: std::io::Read>(
    packed: R,
) -> Result<zstd::Decoder<'static, std::io::BufReader<R>>, Failure> {
    /// 128 MiB, what the zstd tool takes too: files made with its higher levels need more than 8 MiB.
    const WINDOW_LOG_MAX: u32 = 27;
    let mut decoder = zstd::Decoder::new(packed).map_err(|error| damaged(&error))?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(|error| damaged(&error))?;
    Ok(decoder)
}

pub(crate) fn damaged(error: &std::io::Error) -> Failure {
    Failure::bad_body(format!("the body cannot be unpacked: {error}"))
}

/// A body that somebody else sends piece by piece; an error breaks the connection off.
pub(crate) struct Sent(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl Sent {
    pub(crate) fn new(receiver: mpsc::Receiver<Result<Bytes, std::io::Error>>) -> Self {
        Self(receiver)
    }

    /// A body of nothing whose size nobody knows beforehand.
    pub(crate) fn nothing() -> Self {
        Self(mpsc::channel(1).1)
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|result| result.map(hyper::body::Frame::data)))
    }
}

/// Said of an answer that does not count among the requests being answered, but on its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnPlace;

/// What the socket takes of an answer at once.
const TAKEN_SIZE_MAX: usize = 256 << 10;

/// The same body, which has its place until the client has taken nearly all of it.
pub(crate) fn taken(body: Body, place: OwnedSemaphorePermit) -> Body {
    use hyper::body::Body as _;
    // The socket takes so little at once, and the place would be free again.
    let small = body.size_hint().exact().is_some_and(|size| usize::try_from(size).is_ok_and(|s| s <= TAKEN_SIZE_MAX));
    if small { body } else { Body::new(Taken { body, left: Bytes::new(), _place: place }) }
}

/// A body that gives little at a time, so that somebody who takes none of it is seen to.
struct Taken {
    body: Body,
    /// Of the piece that is being given.
    left: Bytes,
    _place: OwnedSemaphorePermit,
}

impl hyper::body::Body for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        if self.left.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.left = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let size = self.left.len().min(TAKEN_SIZE_MAX);
        Poll::Ready(Some(Ok(hyper::body::Frame::data(self.left.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        let (rest, left) = (self.body.size_hint(), u64::try_from(self.left.len()).unwrap_or(u64::MAX));
        let mut hint = hyper::body::SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(left));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(left));
        }
        hint
    }
}

/// The most levels of objects and arrays within each other that a setting can allow.
pub(crate) const JSON_DEPTH_MAX: usize = 64;

/// Whether `json` nests deeper than `depth_max`; looks at brackets outside strings only.
pub(crate) fn too_deep(json: &[u8], depth_max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match *byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// # Errors
/// 400 if `json` nests deeper than `depth_max`.
pub(crate) fn check_depth(json: &[u8], depth_max: usize) -> Result<(), Failure> {
    if too_deep(json, depth_max) {
        return Err(Failure::bad_body(format!("the body nests deeper than {depth_max} levels")));
    }
    Ok(())
}

/// A small body as a JSON object; an empty one is an empty object.
///
/// # Errors
/// 400 if it is none.
pub(crate) fn object(bytes: &[u8]) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(serde_json::Map::new());
    }
    check_depth(bytes, JSON_DEPTH_MAX)?;
    match serde_json::from_slice(bytes) {
        Ok(serde_json::Value::Object(object)) => Ok(object),
        Ok(_other) => Err(Failure::bad_body("the body must be a JSON object")),
        Err(error) => Err(Failure::bad_body(format!("the body is not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(plain: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn packed_bodies_unpack_up_to_the_limit() {
        let plain = vec![b'x'; 1000];
        let zstd = Bytes::from(zstd::encode_all(plain.as_slice(), 1).unwrap());
        for (packed, coding) in [(gzip(&plain), Coding::Gzip), (zstd, Coding::Zstd)] {
            assert_eq!(unpack(packed.clone(), coding, 1000).unwrap(), plain);
            assert_eq!(unpack(packed.clone(), coding, 999).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
            let cut = packed.slice(..packed.len() - 2);
            assert_eq!(unpack(cut, coding, 1000).unwrap_err().status, StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!too_deep(nested(JSON_DEPTH_MAX).as_bytes(), JSON_DEPTH_MAX));
        assert!(too_deep(nested(JSON_DEPTH_MAX + 1).as_bytes(), JSON_DEPTH_MAX));
        assert!(!too_deep(format!("\"\\\"{}\"", "[".repeat(100)).as_bytes(), JSON_DEPTH_MAX));
        assert!(!too_deep("[]".repeat(100).as_bytes(), 1));
    }

    #[test]
    fn an_empty_body_is_an_empty_object() {
        assert!(object(b" \n").unwrap().is_empty());
        assert!(object(b"[]").is_err());
        assert!(object(b"{").is_err());
        assert_eq!(object(br#"{"a":1}"#).unwrap().len(), 1);
    }
}
