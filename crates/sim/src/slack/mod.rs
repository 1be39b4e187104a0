//! Slack: Web API, OAuth, Events API, Socket Mode and a small chat page.
