//! An answer that is made piece by piece: what does not fit one piece is streamed, so that no answer
//! takes more memory than a piece.

use axum::body::Body;
use tokio::sync::mpsc;

use crate::body::Sent;
use crate::error::Answer;
use crate::state::AppState;

/// Makes the pieces of an answer, one after the other, on the threads of queries.
pub(crate) trait Pieces: Send + 'static {
    /// Appends the next piece; whether another one follows.
    fn write(&mut self, state: &AppState, out: &mut Vec<u8>) -> Answer<bool>;
}

/// The body that the pieces make. The first one may still fail with a status; a later failure ends the
/// connection.
pub(crate) async fn body(state: &AppState, pieces: impl Pieces) -> Answer<Body> {
    let (mut pieces, first, mut more) = next(state, pieces).await?;
    if !more {
        return Ok(first.into());
    }
    let (sender, receiver) = mpsc::channel(1);
    let state = state.clone();
    tokio::spawn(async move {
        let mut piece = first;
        while sender.send(Ok(piece.into())).await.is_ok() && more {
            match next(&state, pieces).await {
                Ok(read) => (pieces, piece, more) = read,
                Err(failure) => {
                    tracing::warn!(code = failure.code, "a streamed answer broke off");
                    let _ = sender.send(Err(std::io::Error::other(failure.code))).await;
                    return;
                }
            }
        }
    });
    Ok(Body::new(Sent::new(receiver)))
}

async fn next<P: Pieces>(state: &AppState, mut pieces: P) -> Answer<(P, Vec<u8>, bool)> {
    state
        .read(move |state| {
            let mut out = Vec::new();
            let more = pieces.write(state, &mut out)?;
            Ok((pieces, out, more))
        })
        .await
}
