-- The schema of SQLite. INTEGER is BIGINT or BOOLEAN elsewhere, BLOB is BYTEA; columns that end in `_json` are
-- text that only Rust looks inside. Times are milliseconds since 1970.

CREATE TABLE org (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    wrapped_keys_json TEXT NOT NULL,
    policy_json TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE app (
    id TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL REFERENCES org (id),
    platform TEXT NOT NULL,
    facts_json TEXT NOT NULL,
    sealed_secrets_json TEXT NOT NULL,
    features_json TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX app_of_org ON app (org);

CREATE TABLE installation (
    id TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL REFERENCES org (id),
    app TEXT NOT NULL REFERENCES app (id),
    workspace TEXT NOT NULL,
    name TEXT NOT NULL,
    facts_json TEXT NOT NULL,
    scopes_json TEXT NOT NULL,
    trouble TEXT,
    created_ms INTEGER NOT NULL,
    UNIQUE (app, workspace)
) STRICT;
CREATE INDEX installation_of_org ON installation (org);

CREATE TABLE token (
    installation TEXT NOT NULL REFERENCES installation (id),
    slot TEXT NOT NULL,
    sealed_access BLOB NOT NULL,
    sealed_refresh BLOB,
    expires_at_ms INTEGER,
    PRIMARY KEY (installation, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
    id TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL REFERENCES org (id),
    installation TEXT NOT NULL REFERENCES installation (id),
    remote TEXT NOT NULL,
    kind TEXT NOT NULL,
    sealed_name BLOB NOT NULL,
    external INTEGER NOT NULL,
    facts_json TEXT NOT NULL,
    watch_id TEXT,
    watch_renew_ms INTEGER,
    watch_expires_ms INTEGER,
    seen_until_ms INTEGER NOT NULL,
    UNIQUE (installation, remote)
) STRICT;
CREATE INDEX conversation_of_org ON conversation (org);

CREATE TABLE bridge (
    id TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL REFERENCES org (id),
    state TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    past_json TEXT NOT NULL
) STRICT;
CREATE INDEX bridge_of_org ON bridge (org);

CREATE TABLE bridge_member (
    bridge TEXT NOT NULL REFERENCES bridge (id),
    position INTEGER NOT NULL,
    conversation TEXT NOT NULL REFERENCES conversation (id),
    -- Whether the bridge has not ended.
    live INTEGER NOT NULL,
    PRIMARY KEY (bridge, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bridge_member_live ON bridge_member (conversation) WHERE live = TRUE;
CREATE INDEX bridge_member_of_conversation ON bridge_member (conversation);

CREATE TABLE account (
    org TEXT NOT NULL REFERENCES org (id),
    installation TEXT NOT NULL REFERENCES installation (id),
    remote_user TEXT NOT NULL,
    sealed_profile BLOB NOT NULL,
    email_digest BLOB,
    person TEXT,
    refreshed_ms INTEGER NOT NULL,
    PRIMARY KEY (installation, remote_user)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_by_email ON account (installation, email_digest) WHERE email_digest IS NOT NULL;
CREATE INDEX account_of_person ON account (org, person) WHERE person IS NOT NULL;

-- One row: the number of the last frame of the journal that the tables below hold, and that of the next leg.
CREATE TABLE journal (
    id INTEGER NOT NULL PRIMARY KEY,
    applied INTEGER NOT NULL,
    next_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
    id TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL,
    installation TEXT NOT NULL,
    bridge TEXT,
    conversation TEXT,
    message TEXT,
    thread_root TEXT,
    kind TEXT NOT NULL,
    feed TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    record BLOB,
    slot INTEGER
) STRICT;
CREATE INDEX event_with_payload ON event (received_ms, id) WHERE slot IS NOT NULL;

CREATE TABLE lane (
    id TEXT NOT NULL PRIMARY KEY,
    depth INTEGER NOT NULL,
    owner TEXT,
    fence INTEGER NOT NULL,
    lease_until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX lane_with_legs ON lane (lease_until_ms, id) WHERE depth > 0;
CREATE INDEX lane_of_owner ON lane (owner, id) WHERE owner IS NOT NULL;

CREATE TABLE leg (
    -- From `journal`: never given twice, so that order holds whatever was deleted.
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    lane TEXT NOT NULL,
    place INTEGER NOT NULL,
    event TEXT NOT NULL REFERENCES event (id),
    attempts INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL,
    code TEXT,
    parts_json TEXT NOT NULL
) STRICT;
CREATE INDEX leg_of_lane ON leg (lane, place, seq);
CREATE INDEX leg_of_event ON leg (event);

CREATE TABLE delivery (
    installation TEXT NOT NULL,
    digest BLOB NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (installation, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_until ON delivery (until_ms, installation, digest);

CREATE TABLE original (
    conversation TEXT NOT NULL,
    message TEXT NOT NULL,
    bridge TEXT NOT NULL,
    thread_root TEXT,
    sent_ms INTEGER NOT NULL,
    active_ms INTEGER NOT NULL,
    -- The later of the two, so that one index serves both.
    recent_ms INTEGER NOT NULL,
    -- Whether it is gone at its source and goes here with its last copy.
    gone INTEGER NOT NULL,
    PRIMARY KEY (conversation, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX original_recent ON original (conversation, recent_ms, message);

CREATE TABLE copy (
    of_conversation TEXT NOT NULL,
    of_message TEXT NOT NULL,
    conversation TEXT NOT NULL,
    part INTEGER NOT NULL,
    message TEXT NOT NULL,
    thread_root TEXT,
    spokesman TEXT NOT NULL,
    edits INTEGER NOT NULL,
    version INTEGER,
    fingerprint BLOB,
    epoch TEXT,
    PRIMARY KEY (of_conversation, of_message, conversation, part),
    UNIQUE (conversation, message),
    FOREIGN KEY (of_conversation, of_message) REFERENCES original (conversation, message)
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstone (
    conversation TEXT NOT NULL,
    message TEXT NOT NULL,
    died_ms INTEGER NOT NULL,
    revived_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_until ON tombstone (until_ms, conversation, message);

CREATE TABLE receipt (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    org TEXT NOT NULL,
    leg TEXT NOT NULL,
    bridge TEXT,
    kind TEXT NOT NULL,
    from_conversation TEXT,
    message TEXT,
    to_conversation TEXT,
    outcome TEXT NOT NULL,
    code TEXT,
    notes_json TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    settled_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL
) STRICT;
CREATE INDEX receipt_of_org ON receipt (org, seq);
CREATE INDEX receipt_of_message ON receipt (message, seq) WHERE message IS NOT NULL;
CREATE INDEX receipt_settled ON receipt (settled_ms, seq);

CREATE TABLE dead_letter (
    id TEXT NOT NULL PRIMARY KEY,
    org TEXT NOT NULL,
    event_json TEXT NOT NULL,
    lane TEXT NOT NULL,
    code TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    died_ms INTEGER NOT NULL,
    -- That of its event.
    installation TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letter_of_org ON dead_letter (org, died_ms, id);
CREATE INDEX dead_letter_died ON dead_letter (died_ms, id);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    org TEXT,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;
CREATE INDEX audit_of_org ON audit (org) WHERE org IS NOT NULL;
