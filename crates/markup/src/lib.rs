//! Rich text between the canonical tree and each platform's markup.
