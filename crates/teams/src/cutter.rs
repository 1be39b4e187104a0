//! A file in parts: an upload session takes them one by one, each with its length.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_platform::Chunks;
use futures_util::StreamExt as _;
use futures_util::stream::{self, Fuse};
use tokio::sync::Mutex;

/// Cuts a stream into pieces of given lengths.
pub(crate) struct Cutter(Arc<Mutex<Rest>>);

struct Rest {
    // A stream that ended is not asked again.
    chunks: Fuse<Chunks>,
    left: Bytes,
}

impl Cutter {
    pub(crate) fn new(chunks: Chunks) -> Self {
        Self(Arc::new(Mutex::new(Rest { chunks: chunks.fuse(), left: Bytes::new() })))
    }

    /// The next piece; shorter where the stream ends.
    pub(crate) fn piece(&self, length: u64) -> Chunks {
        let state = (self.0.clone(), length);
        Box::pin(stream::unfold(state, |(rest, wanted)| async move {
            if wanted == 0 {
                return None;
            }
            let mut rest_now = rest.lock().await;
            if rest_now.left.is_empty() {
                rest_now.left = loop {
                    match rest_now.chunks.next().await? {
                        Ok(chunk) if chunk.is_empty() => {}
                        Ok(chunk) => break chunk,
                        Err(failure) => {
                            drop(rest_now);
                            return Some((Err(failure), (rest, 0)));
                        }
                    }
                };
            }
            let most = usize::try_from(wanted).unwrap_or(usize::MAX).min(rest_now.left.len());
            let part = rest_now.left.split_to(most);
            drop(rest_now);
            let wanted = wanted - part.len() as u64;
            Some((Ok(part), (rest, wanted)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use dragoman_model::codes;
    use dragoman_platform::Failure;

    use super::*;

    #[tokio::test]
    async fn pieces_are_cut_where_they_end_and_failures_pass() {
        let parts = [Ok(Bytes::from_static(b"abc")), Ok(Bytes::new()), Ok(Bytes::from_static(b"defg"))];
        let cutter = Cutter::new(Box::pin(stream::iter(parts)));
        let read = async |length| {
            let mut piece = cutter.piece(length);
            let mut all = Vec::new();
            while let Some(chunk) = piece.next().await {
                all.extend_from_slice(&chunk.unwrap());
            }
            all
        };
        assert_eq!(read(2).await, b"ab");
        assert_eq!(read(4).await, b"cdef");
        assert_eq!(read(4).await, b"g");
        assert_eq!(read(4).await, b"");
        let broken = Failure::Refused(codes::FILE_GONE);
        let cutter = Cutter::new(Box::pin(stream::iter([Ok(Bytes::from_static(b"a")), Err(broken.clone())])));
        let got: Vec<_> = cutter.piece(9).collect().await;
        assert_eq!(got, [Ok(Bytes::from_static(b"a")), Err(broken)]);
    }
}
