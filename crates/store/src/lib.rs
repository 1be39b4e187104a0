//! Organisations, bridges, message map, events and legs; all SQL.
