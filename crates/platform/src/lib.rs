//! The connector seam and the shared HTTP client.
