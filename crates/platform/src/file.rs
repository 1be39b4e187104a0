//! Files on their way from a source to a target, never whole in memory.

use std::pin::Pin;

use bytes::Bytes;
use dragoman_model::{Destination, Post};
use futures_util::Stream;

use crate::failure::Failure;

/// Chunks of a file, of any length, in order. After an error nothing follows.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// A file that is being read. Content: nothing here is printed or kept.
pub struct FileBytes {
    /// How many bytes there will be, where the source said so.
    pub size: Option<u64>,
    /// The media type that came with them.
    pub media_type: Option<String>,
    /// The bytes. What is not read is not fetched.
    pub chunks: Chunks,
}

/// A file to post, with the text that stands beside it.
#[derive(Clone)]
pub struct Share {
    /// Where, in which thread, whose and in whose name, its marker; the body is a caption and often empty.
    pub post: Post,
    /// The file's name as its source has it: any characters, at most 120 of them, its ending kept.
    pub name: String,
    /// Its media type as its source states it.
    pub media_type: Option<String>,
    /// Where its reader lets it be put: [`dragoman_model::Happening::FileAnswered`]. `None`: nobody was asked yet.
    pub destination: Option<Destination>,
}
