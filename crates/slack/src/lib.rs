//! Slack connector.
