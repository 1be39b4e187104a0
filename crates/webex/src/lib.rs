//! Webex.
