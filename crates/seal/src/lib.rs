//! Envelope encryption, epochs, secret slots, locked secrets.
