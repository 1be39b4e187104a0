//! Zoom Team Chat.
