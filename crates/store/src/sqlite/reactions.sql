-- Who reacted to an original or to a copy of it, and what we set at its copies for that.
CREATE TABLE reaction (
    of_conversation TEXT NOT NULL,
    of_message TEXT NOT NULL,
    -- Where it stands.
    conversation TEXT NOT NULL,
    -- Whether we set it.
    ours INTEGER NOT NULL,
    -- The platform's id of a user; of ours, `app` or the id of a person.
    who TEXT NOT NULL,
    emoji BLOB NOT NULL,
    sealed_emoji BLOB NOT NULL,
    standing TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (of_conversation, of_message, conversation, ours, who, emoji),
    FOREIGN KEY (of_conversation, of_message) REFERENCES original (conversation, message) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX reaction_in ON reaction (conversation);
