//! Stable codes of everything that did not simply work. Each has a page under `docs/errors/`; a tidy rule
//! holds the two together.

use std::fmt;

/// A stable code, such as `DRG-ECHO`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// The code as it is printed.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Finds a code by its text, as it was stored.
    pub fn parse(text: &str) -> Option<Self> {
        CODES.iter().copied().find(|code| code.0 == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code($text);)*

        /// All codes.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    /// Our own copy came back.
    ECHO = "DRG-ECHO";
    /// The map already knows this message in this state.
    SEEN = "DRG-SEEN";
    /// The change changed nothing that a person made.
    UNCHANGED = "DRG-UNCHANGED";
    /// The platform's own redelivery of an accepted event.
    REDELIVERY = "DRG-REDELIVERY";
    /// The conversation is in no active bridge.
    UNBRIDGED = "DRG-UNBRIDGED";
    /// It was said to the app itself.
    COMMAND = "DRG-COMMAND";
    /// It was written to the app while no conversation was open.
    NOT_OPEN = "DRG-NOT-OPEN";
    /// A kind of event that is not relayed.
    KIND = "DRG-KIND";
    /// A notice that is switched off.
    NOTICE_OFF = "DRG-NOTICE-OFF";
    /// A message without anything to show.
    EMPTY = "DRG-EMPTY";
    /// Another app's message, while policy does not relay those.
    FOREIGN_BOT = "DRG-FOREIGN-BOT";
    /// A message that was deleted before its turn came.
    DELETED_MEANWHILE = "DRG-DELETED-MEANWHILE";
    /// An edit, reply or reaction whose message was never relayed.
    UNMAPPED = "DRG-UNMAPPED";
    /// A copy that its platform does not let anybody edit (any more).
    NOT_EDITABLE = "DRG-NOT-EDITABLE";
    /// A later event made this one superfluous.
    SUPERSEDED = "DRG-SUPERSEDED";
    /// A feature that is not carried yet.
    NOT_CARRIED = "DRG-NOT-CARRIED";
    /// The event could not be decoded.
    MALFORMED = "DRG-MALFORMED";
    /// The request was not authentic.
    UNAUTHENTIC = "DRG-UNAUTHENTIC";
    /// The request was signed too long ago, or the clocks differ.
    STALE = "DRG-STALE";
    /// The request is larger than anything the platform sends.
    TOO_LARGE = "DRG-TOO-LARGE";
    /// No app registration or installation for this request.
    UNKNOWN_INSTALLATION = "DRG-UNKNOWN-INSTALLATION";
    /// Keys to check the request with are out of reach.
    KEYS_UNAVAILABLE = "DRG-KEYS-UNAVAILABLE";
    /// The event could not be made durable.
    NOT_DURABLE = "DRG-NOT-DURABLE";
    /// The gateway takes no more at the moment.
    BUSY = "DRG-BUSY";
    /// The target limits the rate.
    RATE_LIMITED = "DRG-RATE-LIMITED";
    /// The target failed for a reason of its own.
    TARGET_FAILED = "DRG-TARGET-FAILED";
    /// The target was out of reach: nothing was sent.
    UNREACHABLE = "DRG-UNREACHABLE";
    /// The target's answer was lost.
    NO_ANSWER = "DRG-NO-ANSWER";
    /// A token is expired, revoked or refused.
    SIGN_IN = "DRG-SIGN-IN";
    /// A person's own token does not work any more.
    OWN_TOKEN = "DRG-OWN-TOKEN";
    /// A scope or permission is missing.
    SCOPE = "DRG-SCOPE";
    /// The conversation is gone, archived or closed to the app.
    CONVERSATION_GONE = "DRG-CONVERSATION-GONE";
    /// The message is gone.
    MESSAGE_GONE = "DRG-MESSAGE-GONE";
    /// The target refuses this message.
    REFUSED = "DRG-REFUSED";
    /// The target found a fault in our request.
    BAD_REQUEST = "DRG-BAD-REQUEST";
    /// A file that its source does not give.
    FILE_GONE = "DRG-FILE-GONE";
    /// A file without bytes, which the target does not take.
    FILE_EMPTY = "DRG-FILE-EMPTY";
    /// A file that is larger than the target or the organisation's policy takes.
    FILE_TOO_LARGE = "DRG-FILE-TOO-LARGE";
    /// A file that the rules of a platform or of the organisation do not let through.
    FILE_FORBIDDEN = "DRG-FILE-FORBIDDEN";
    /// The message is too long even after splitting.
    MESSAGE_TOO_LONG = "DRG-MESSAGE-TOO-LONG";
    /// A message that arrived late.
    LATE = "DRG-LATE";
    /// Delivery was tried until the horizon.
    HORIZON = "DRG-HORIZON";
    /// The payload was destroyed on time and the message cannot be read again.
    NOT_REREADABLE = "DRG-NOT-REREADABLE";
    /// A send of unknown outcome that could not be looked for was repeated.
    MAYBE_TWICE = "DRG-MAYBE-TWICE";
    /// A send of unknown outcome that could not be looked for was not repeated.
    MAYBE_LOST = "DRG-MAYBE-LOST";
    /// The message stopped its leg by crashing a parser or renderer.
    POISON = "DRG-POISON";
    /// A name, an address or a host that the gateway does not connect to.
    ADDRESS_BLOCKED = "DRG-ADDRESS-BLOCKED";
    /// A conversation shared with another organisation, without an explicit allow.
    EXTERNAL = "DRG-EXTERNAL";
    /// Tampered, swapped or foreign ciphertext.
    TAMPERED = "DRG-TAMPERED";
    /// The key of an event is destroyed.
    KEY_GONE = "DRG-KEY-GONE";
    /// Something that a person wrote is shown in a simpler form.
    SIMPLIFIED = "DRG-SIMPLIFIED";
    /// A file that the target does not take.
    FILE_REFUSED = "DRG-FILE-REFUSED";
    /// Somebody else's bridge sends messages in circles.
    LOOP = "DRG-LOOP";
    /// What happened before could not be read from the source.
    NOT_RECOVERABLE = "DRG-NOT-RECOVERABLE";
    /// The configuration is wrong.
    CONFIG = "DRG-CONFIG";
    /// Something that was named does not exist.
    NOT_FOUND = "DRG-NOT-FOUND";
    /// What was asked for is not understood or not allowed.
    INVALID = "DRG-INVALID";
    /// Such a thing exists already.
    CONFLICT = "DRG-CONFLICT";
    /// The conversation is in another bridge.
    ALREADY_BRIDGED = "DRG-ALREADY-BRIDGED";
    /// The app is not in the conversation.
    NOT_JOINED = "DRG-NOT-JOINED";
    /// The data folder is held by another process.
    LOCKED = "DRG-LOCKED";
    /// The data folder was written by a newer version.
    NEWER_SCHEMA = "DRG-NEWER-SCHEMA";
    /// The disk is full or failing.
    DISK = "DRG-DISK";
    /// The key file is missing, readable by others or wrong.
    KEY_FILE = "DRG-KEY-FILE";
    /// No running gateway answers.
    NOT_RUNNING = "DRG-NOT-RUNNING";
    /// The clock is wrong.
    CLOCK = "DRG-CLOCK";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_found_again() {
        for code in CODES {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
        assert_eq!(Code::parse("DRG-NONE"), None);
    }
}
