//! All SQL of the product, in words that SQLite and PostgreSQL both know: `$n` for arguments, TEXT, BIGINT, BYTEA
//! and BOOLEAN, no function or operator of one engine. Columns of a row stand in the order in which its reader
//! takes them.

use std::sync::OnceLock;

/// The text of a statement.
pub(crate) struct Query {
    text: &'static str,
    sqlite: OnceLock<String>,
}

impl Query {
    const fn new(text: &'static str) -> Self {
        Self { text, sqlite: OnceLock::new() }
    }

    /// As it is written here.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &'static str {
        self.text
    }

    /// A statement of a test.
    #[cfg(test)]
    pub(crate) const fn for_test(text: &'static str) -> Self {
        Self::new(text)
    }

    /// For SQLite, which takes `$2` for a name and counts names as they come, but `?2` for the second argument.
    pub(crate) fn sqlite(&self) -> &str {
        self.sqlite.get_or_init(|| self.text.replace('$', "?"))
    }
}

macro_rules! queries {
    ($($name:ident = $text:expr;)*) => {
        $(pub(crate) static $name: Query = Query::new($text);)*

        /// Every query by name.
        #[cfg(test)]
        pub(crate) static ALL: &[(&str, &Query)] = &[$((stringify!($name), &$name)),*];
    };
}

queries! {
    // Organisations.
    ORGS = "SELECT id, name, wrapped_keys_json, policy_json, created_ms FROM org ORDER BY id";
    ORG_EXISTS = "SELECT id FROM org WHERE id = $1";
    ORG_NAMED = "SELECT id FROM org WHERE name = $1";
    PUT_ORG = "INSERT INTO org (id, name, wrapped_keys_json, policy_json, created_ms) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, wrapped_keys_json = excluded.wrapped_keys_json, \
        policy_json = excluded.policy_json, created_ms = excluded.created_ms";

    // Apps.
    APPS = "SELECT id, org, platform, facts_json, sealed_secrets_json, features_json, created_ms FROM app ORDER BY id";
    APP = "SELECT id, org, platform, facts_json, sealed_secrets_json, features_json, created_ms FROM app WHERE id = $1";
    APP_ORG = "SELECT org FROM app WHERE id = $1";
    PUT_APP = "INSERT INTO app (id, org, platform, facts_json, sealed_secrets_json, features_json, created_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET platform = excluded.platform, \
        facts_json = excluded.facts_json, sealed_secrets_json = excluded.sealed_secrets_json, \
        features_json = excluded.features_json, created_ms = excluded.created_ms";

    // Installations.
    INSTALLATIONS = "SELECT id, org, app, workspace, name, facts_json, scopes_json, trouble, created_ms \
        FROM installation ORDER BY id";
    INSTALLATION = "SELECT id, org, app, workspace, name, facts_json, scopes_json, trouble, created_ms \
        FROM installation WHERE id = $1";
    INSTALLATION_ORG = "SELECT org FROM installation WHERE id = $1";
    INSTALLATION_IN = "SELECT id FROM installation WHERE app = $1 AND workspace = $2";
    PUT_INSTALLATION = "INSERT INTO installation \
        (id, org, app, workspace, name, facts_json, scopes_json, trouble, created_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET app = excluded.app, \
        workspace = excluded.workspace, name = excluded.name, facts_json = excluded.facts_json, \
        scopes_json = excluded.scopes_json, trouble = excluded.trouble, created_ms = excluded.created_ms";

    // Tokens.
    TOKEN = "SELECT installation, slot, sealed_access, sealed_refresh, expires_at_ms FROM token \
        WHERE installation = $1 AND slot = $2";
    PUT_TOKEN = "INSERT INTO token (installation, slot, sealed_access, sealed_refresh, expires_at_ms) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (installation, slot) DO UPDATE SET \
        sealed_access = excluded.sealed_access, sealed_refresh = excluded.sealed_refresh, \
        expires_at_ms = excluded.expires_at_ms";
    DROP_TOKEN = "DELETE FROM token WHERE installation = $1 AND slot = $2";
    DROP_TOKENS = "DELETE FROM token WHERE installation = $1";

    // Conversations.
    CONVERSATIONS = "SELECT id, org, installation, remote, kind, sealed_name, external, facts_json, watch_id, \
        watch_renew_ms, watch_expires_ms, seen_until_ms FROM conversation ORDER BY id";
    CONVERSATION = "SELECT id, org, installation, remote, kind, sealed_name, external, facts_json, watch_id, \
        watch_renew_ms, watch_expires_ms, seen_until_ms FROM conversation WHERE id = $1";
    CONVERSATION_ORG = "SELECT org FROM conversation WHERE id = $1";
    CONVERSATION_IN = "SELECT id FROM conversation WHERE installation = $1 AND remote = $2";
    PUT_CONVERSATION = "INSERT INTO conversation (id, org, installation, remote, kind, sealed_name, external, \
        facts_json, watch_id, watch_renew_ms, watch_expires_ms, seen_until_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO UPDATE SET \
        installation = excluded.installation, remote = excluded.remote, kind = excluded.kind, \
        sealed_name = excluded.sealed_name, external = excluded.external, facts_json = excluded.facts_json, \
        watch_id = excluded.watch_id, watch_renew_ms = excluded.watch_renew_ms, \
        watch_expires_ms = excluded.watch_expires_ms, seen_until_ms = CASE \
        WHEN excluded.seen_until_ms > conversation.seen_until_ms THEN excluded.seen_until_ms \
        ELSE conversation.seen_until_ms END";
    SEEN_UNTIL = "UPDATE conversation SET seen_until_ms = CASE WHEN $2 > seen_until_ms THEN $2 ELSE seen_until_ms END \
        WHERE id = $1";

    // Bridges.
    BRIDGES = "SELECT id, org, state, created_ms, since_ms, past_json, notices, talk FROM bridge ORDER BY id";
    BRIDGE = "SELECT id, org, state, created_ms, since_ms, past_json, notices, talk FROM bridge WHERE id = $1";
    BRIDGE_MEMBERS = "SELECT bridge, conversation FROM bridge_member ORDER BY bridge, position";
    BRIDGE_STATE = "SELECT org, state FROM bridge WHERE id = $1";
    MEMBERS_OF = "SELECT conversation FROM bridge_member WHERE bridge = $1 ORDER BY position";
    LIVE_BRIDGE_OF = "SELECT bridge FROM bridge_member WHERE conversation = $1 AND live = TRUE";
    ADD_BRIDGE = "INSERT INTO bridge (id, org, state, created_ms, since_ms, past_json, notices, talk) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    SET_BRIDGE = "UPDATE bridge SET state = $2, since_ms = $3, past_json = $4, notices = $5 WHERE id = $1";
    SET_LIVE = "UPDATE bridge_member SET live = $2 WHERE bridge = $1";
    DROP_MEMBERS = "DELETE FROM bridge_member WHERE bridge = $1";
    ADD_MEMBER = "INSERT INTO bridge_member (bridge, position, conversation, live) VALUES ($1, $2, $3, $4)";

    // Accounts.
    ACCOUNT = "SELECT org, installation, remote_user, sealed_profile, email_digest, person, refreshed_ms FROM account \
        WHERE installation = $1 AND remote_user = $2";
    ACCOUNTS_BY_EMAIL = "SELECT org, installation, remote_user, sealed_profile, email_digest, person, refreshed_ms \
        FROM account WHERE installation = $1 AND email_digest = $2 ORDER BY remote_user";
    ACCOUNTS_OF = "SELECT org, installation, remote_user, sealed_profile, email_digest, person, refreshed_ms \
        FROM account WHERE org = $1 AND person = $2 ORDER BY installation, remote_user";
    PEOPLE = "SELECT org, installation, remote_user, sealed_profile, email_digest, person, refreshed_ms, \
        EXISTS (SELECT 1 FROM token WHERE token.installation = account.installation AND slot = person) \
        FROM account WHERE org = $1 AND person IS NOT NULL ORDER BY person, installation, remote_user";
    UNLINK_ACCOUNT = "UPDATE account SET person = NULL WHERE installation = $1 AND remote_user = $2";
    PUT_ACCOUNT = "INSERT INTO account \
        (org, installation, remote_user, sealed_profile, email_digest, person, refreshed_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (installation, remote_user) DO UPDATE SET \
        sealed_profile = excluded.sealed_profile, email_digest = excluded.email_digest, \
        person = COALESCE(excluded.person, account.person), refreshed_ms = excluded.refreshed_ms";
    BLANK_ACCOUNT = "UPDATE account SET sealed_profile = $3, email_digest = NULL, refreshed_ms = 0 \
        WHERE installation = $1 AND remote_user = $2 AND person IS NOT NULL";
    DROP_ACCOUNT = "DELETE FROM account WHERE installation = $1 AND remote_user = $2 AND person IS NULL";

    // Events and their deliveries.
    DELIVERY = "SELECT until_ms FROM delivery WHERE installation = $1 AND digest = $2";
    PUT_DELIVERY = "INSERT INTO delivery (installation, digest, until_ms) VALUES ($1, $2, $3) \
        ON CONFLICT (installation, digest) DO UPDATE SET until_ms = excluded.until_ms";
    COUNT_DELIVERIES = "SELECT COUNT(*) FROM delivery";
    ALL_DELIVERIES = "SELECT installation, digest, until_ms FROM delivery";
    EXPIRE_DELIVERIES = "DELETE FROM delivery WHERE (installation, digest) IN (SELECT installation, digest \
        FROM delivery WHERE until_ms <= $1 ORDER BY until_ms, installation, digest LIMIT $2)";
    GREATEST_EVENT = "SELECT MAX(id) FROM event";
    EVENT_EXISTS = "SELECT id FROM event WHERE id = $1";
    ADD_EVENT = "INSERT INTO event (id, org, installation, bridge, conversation, message, thread_root, kind, feed, \
        at_ms, received_ms, record, slot) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    DROP_EVENT = "DELETE FROM event WHERE id = $1";
    PAYLOAD = "SELECT record, slot FROM event WHERE id = $1 AND slot IS NOT NULL";
    NAMED_SLOTS = "SELECT slot FROM event WHERE slot IS NOT NULL ORDER BY slot";
    SHREDDABLE = "SELECT id, slot FROM event WHERE slot IS NOT NULL AND received_ms < $1 \
        ORDER BY received_ms, id LIMIT $2";
    SHRED = "UPDATE event SET record = NULL, slot = NULL WHERE id = $1";

    // Frames of the journal that the tables hold.
    APPLIED = "SELECT applied, next_seq FROM journal WHERE id = 1";
    PUT_APPLIED = "INSERT INTO journal (id, applied, next_seq) VALUES (1, $1, $2) ON CONFLICT (id) DO UPDATE SET \
        applied = excluded.applied, next_seq = excluded.next_seq";

    // Legs.
    TAKE_SEQ = "UPDATE journal SET next_seq = next_seq + 1 WHERE id = 1 RETURNING next_seq - 1";
    ADD_LEG = "INSERT INTO leg (seq, id, lane, place, event, attempts, not_before_ms, code, parts_json) \
        VALUES ($1, $2, $3, $4, $5, 0, 0, NULL, $6)";
    GREATEST_LEG = "SELECT MAX(id) FROM leg";
    LEG_EXISTS = "SELECT id FROM leg WHERE id = $1";
    LEGS = "SELECT leg.id, leg.lane, leg.place, leg.seq, leg.attempts, leg.not_before_ms, leg.code, leg.parts_json, \
        CASE WHEN event.slot IS NULL THEN 0 ELSE 1 END, \
        event.id, event.org, event.installation, event.bridge, event.conversation, event.message, \
        event.thread_root, event.kind, event.feed, event.at_ms, event.received_ms \
        FROM leg JOIN event ON event.id = leg.event WHERE leg.lane = $1 AND (leg.place, leg.seq) > ($2, $3) \
        ORDER BY leg.place, leg.seq LIMIT $4";
    LEG_STATE = "SELECT leg.lane, lane.fence, leg.event, event.org, event.slot FROM leg \
        JOIN event ON event.id = leg.event JOIN lane ON lane.id = leg.lane WHERE leg.id = $1";
    LEG_PARTS = "SELECT parts_json FROM leg WHERE id = $1";
    SET_LEG_PARTS = "UPDATE leg SET parts_json = $2 WHERE id = $1";
    DEFER_LEG = "UPDATE leg SET attempts = $2, not_before_ms = $3, code = $4 WHERE id = $1";
    DROP_LEG = "DELETE FROM leg WHERE id = $1";
    EVENT_LEG = "SELECT id FROM leg WHERE event = $1 LIMIT 1";

    // Lanes.
    LANES = "SELECT lane.id, lane.depth, (SELECT MIN(leg.not_before_ms) FROM leg WHERE leg.lane = lane.id) \
        FROM lane WHERE lane.id > $1 AND lane.depth > 0 ORDER BY lane.id LIMIT $2";
    LANE_OWNER = "SELECT owner, fence, lease_until_ms FROM lane WHERE id = $1";
    PUT_LANE = "INSERT INTO lane (id, depth, owner, fence, lease_until_ms) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (id) DO UPDATE SET depth = lane.depth + excluded.depth, owner = excluded.owner, \
        fence = excluded.fence, lease_until_ms = excluded.lease_until_ms";
    LANE_FENCE = "SELECT fence FROM lane WHERE id = $1";
    DEEPEN_LANE = "INSERT INTO lane (id, depth, owner, fence, lease_until_ms) VALUES ($1, 1, NULL, 0, 0) \
        ON CONFLICT (id) DO UPDATE SET depth = lane.depth + 1";
    DRAIN_LANE = "UPDATE lane SET depth = depth - 1 WHERE id = $1";
    FREE_LANES = "SELECT id FROM lane WHERE depth > 0 AND lease_until_ms <= $1 ORDER BY lease_until_ms, id LIMIT $2";
    OWN_LANES = "SELECT id FROM lane WHERE owner = $1 AND lease_until_ms > $2 AND depth > 0 \
        ORDER BY id LIMIT $3";
    LANE_STATE = "SELECT owner, lease_until_ms, depth FROM lane WHERE id = $1";
    CLAIM_LANE = "UPDATE lane SET fence = CASE WHEN owner = $2 THEN fence ELSE fence + 1 END, owner = $2, \
        lease_until_ms = $3 WHERE id = $1 RETURNING fence";
    RELEASE_LANE = "UPDATE lane SET owner = NULL, lease_until_ms = 0 WHERE id = $1 AND owner = $2";

    // The message map.
    ORIGINAL = "SELECT bridge, conversation, message, thread_root, sent_ms, active_ms FROM original WHERE conversation = $1 AND message = $2";
    PUT_ORIGINAL = "INSERT INTO original (conversation, message, bridge, thread_root, sent_ms, active_ms, \
        recent_ms, gone) VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE) \
        ON CONFLICT (conversation, message) DO UPDATE SET bridge = excluded.bridge, \
        thread_root = excluded.thread_root, sent_ms = excluded.sent_ms, active_ms = excluded.active_ms, \
        recent_ms = excluded.recent_ms";
    ORIGINAL_GONE = "UPDATE original SET gone = TRUE WHERE conversation = $1 AND message = $2";
    DROP_GONE = "DELETE FROM original WHERE conversation = $1 AND message = $2 AND gone = TRUE AND NOT EXISTS \
        (SELECT 1 FROM copy WHERE copy.of_conversation = $1 AND copy.of_message = $2)";
    ORIGINALS_SINCE = "SELECT bridge, conversation, message, thread_root, sent_ms, active_ms FROM original WHERE conversation = $1 AND recent_ms >= $2 \
        ORDER BY recent_ms DESC, message DESC LIMIT $3";
    COPY_OWNER = "SELECT of_conversation, of_message, part FROM copy WHERE conversation = $1 AND message = $2";
    COPY = "SELECT conversation, part, message, thread_root, spokesman, edits, version, fingerprint, epoch, file, beside FROM copy \
        WHERE of_conversation = $1 AND of_message = $2 AND conversation = $3 AND part = $4";
    PUT_COPY = "INSERT INTO copy (of_conversation, of_message, conversation, part, message, thread_root, spokesman, \
        edits, version, fingerprint, epoch, file, beside) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
        ON CONFLICT (of_conversation, of_message, conversation, part) DO UPDATE SET message = excluded.message, \
        thread_root = excluded.thread_root, spokesman = excluded.spokesman, edits = excluded.edits, \
        version = excluded.version, fingerprint = excluded.fingerprint, epoch = excluded.epoch, file = excluded.file, \
        beside = excluded.beside";
    DROP_COPY = "DELETE FROM copy WHERE conversation = $1 AND message = $2 RETURNING of_conversation, of_message";
    COPIES = "SELECT conversation, part, message, thread_root, spokesman, edits, version, fingerprint, epoch, file, beside FROM copy \
        WHERE of_conversation = $1 AND of_message = $2 AND conversation = $3 ORDER BY part";
    ORIGINAL_OF_COPY = "SELECT copy.conversation, copy.part, copy.message, copy.thread_root, copy.spokesman, copy.edits, \
        copy.version, copy.fingerprint, copy.epoch, copy.file, copy.beside, original.bridge, original.conversation, original.message, \
        original.thread_root, original.sent_ms, original.active_ms \
        FROM copy JOIN original ON original.conversation = copy.of_conversation AND original.message = copy.of_message \
        WHERE copy.conversation = $1 AND copy.message = $2";
    REACTIONS = "SELECT conversation, ours, who, emoji, sealed_emoji, standing, at_ms, until_ms FROM reaction \
        WHERE of_conversation = $1 AND of_message = $2 ORDER BY conversation, ours, who, emoji";
    REACTION_AT = "SELECT at_ms FROM reaction WHERE of_conversation = $1 AND of_message = $2 AND conversation = $3 \
        AND ours = $4 AND who = $5 AND emoji = $6";
    PUT_REACTION = "INSERT INTO reaction (of_conversation, of_message, conversation, ours, who, emoji, sealed_emoji, \
        standing, at_ms, until_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
        ON CONFLICT (of_conversation, of_message, conversation, ours, who, emoji) DO UPDATE SET \
        sealed_emoji = excluded.sealed_emoji, standing = excluded.standing, at_ms = excluded.at_ms, \
        until_ms = excluded.until_ms";
    KEEP_REACTIONS = "UPDATE reaction SET until_ms = $3 WHERE of_conversation = $1 AND of_message = $2 \
        AND until_ms < $3 AND standing <> $4";
    DROP_REACTION = "DELETE FROM reaction WHERE of_conversation = $1 AND of_message = $2 AND conversation = $3 \
        AND ours = $4 AND who = $5 AND emoji = $6";
    EXPIRE_REACTIONS = "DELETE FROM reaction WHERE (of_conversation, of_message, conversation, ours, who, emoji) IN \
        (SELECT of_conversation, of_message, conversation, ours, who, emoji FROM reaction WHERE until_ms <= $1 \
        ORDER BY until_ms, of_conversation, of_message, conversation, ours, who, emoji LIMIT $2)";
    EVENT_IS_REACTION = "UPDATE event SET kind = $2 WHERE id = $1";
    TOMBSTONE = "SELECT conversation, message, died_ms, revived_ms, until_ms FROM tombstone \
        WHERE conversation = $1 AND message = $2";
    KNOWN = "SELECT 1 WHERE EXISTS (SELECT 1 FROM original WHERE conversation = $1 AND message = $2) \
        OR EXISTS (SELECT 1 FROM copy WHERE conversation = $1 AND message = $2) \
        OR EXISTS (SELECT 1 FROM tombstone WHERE conversation = $1 AND message = $2)";
    PUT_TOMBSTONE = "INSERT INTO tombstone (conversation, message, died_ms, revived_ms, until_ms) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (conversation, message) DO UPDATE SET \
        died_ms = CASE WHEN excluded.died_ms > tombstone.died_ms THEN excluded.died_ms ELSE tombstone.died_ms END, \
        revived_ms = CASE WHEN excluded.revived_ms > tombstone.revived_ms THEN excluded.revived_ms \
        ELSE tombstone.revived_ms END, until_ms = CASE \
        WHEN excluded.until_ms > tombstone.until_ms THEN excluded.until_ms ELSE tombstone.until_ms END";
    EXPIRE_TOMBSTONES = "DELETE FROM tombstone WHERE (conversation, message) IN (SELECT conversation, message \
        FROM tombstone WHERE until_ms <= $1 ORDER BY until_ms, conversation, message LIMIT $2)";

    // Receipts, dead letters, audit.
    ADD_RECEIPT = "INSERT INTO receipt (org, leg, bridge, kind, from_conversation, message, to_conversation, outcome, \
        code, notes_json, received_ms, settled_ms, attempts) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    RECEIPTS = "SELECT org, leg, bridge, kind, from_conversation, message, to_conversation, outcome, code, notes_json, \
        received_ms, settled_ms, attempts FROM receipt ORDER BY seq DESC LIMIT $1";
    RECEIPTS_OF = "SELECT org, leg, bridge, kind, from_conversation, message, to_conversation, outcome, code, \
        notes_json, received_ms, settled_ms, attempts FROM receipt WHERE org = $1 ORDER BY seq DESC LIMIT $2";
    RECEIPTS_ABOUT = "SELECT org, leg, bridge, kind, from_conversation, message, to_conversation, outcome, code, \
        notes_json, received_ms, settled_ms, attempts FROM receipt WHERE message = $1 ORDER BY seq DESC LIMIT $2";
    RECEIPTS_OF_ABOUT = "SELECT org, leg, bridge, kind, from_conversation, message, to_conversation, outcome, code, \
        notes_json, received_ms, settled_ms, attempts FROM receipt WHERE message = $2 AND org = $1 \
        ORDER BY seq DESC LIMIT $3";
    EXPIRE_RECEIPTS = "DELETE FROM receipt WHERE seq IN (SELECT seq FROM receipt WHERE settled_ms < $1 \
        ORDER BY settled_ms, seq LIMIT $2)";
    DEAD_LETTERS = "SELECT id, org, event_json, lane, code, attempts, died_ms FROM dead_letter \
        ORDER BY died_ms DESC, id DESC LIMIT $1";
    DEAD_LETTERS_OF = "SELECT id, org, event_json, lane, code, attempts, died_ms FROM dead_letter WHERE org = $1 \
        ORDER BY died_ms DESC, id DESC LIMIT $2";
    DEAD_LETTER = "SELECT id, org, event_json, lane, code, attempts, died_ms FROM dead_letter WHERE id = $1";
    ADD_DEAD_LETTER = "INSERT INTO dead_letter (id, org, event_json, lane, code, attempts, died_ms, installation) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    DROP_DEAD_LETTER = "DELETE FROM dead_letter WHERE id = $1";
    ADD_AUDIT = "INSERT INTO audit (org, at_ms, actor, act, subject) VALUES ($1, $2, $3, $4, $5)";
    AUDIT = "SELECT org, at_ms, actor, act, subject FROM audit ORDER BY seq DESC LIMIT $1";

    // Figures.
    COUNT_EVENTS = "SELECT COUNT(*) FROM event";
    COUNT_PAYLOADS = "SELECT COUNT(*) FROM event WHERE slot IS NOT NULL";
    COUNT_LEGS = "SELECT COUNT(*) FROM leg";
    COUNT_ORIGINALS = "SELECT COUNT(*) FROM original";
    COUNT_COPIES = "SELECT COUNT(*) FROM copy";
    COUNT_DEAD_LETTERS = "SELECT COUNT(*) FROM dead_letter";
    SLOTS_OF_ORG = "SELECT id, slot FROM event WHERE org = $1 AND slot IS NOT NULL ORDER BY id";
}

/// What was kept for an installation, children before parents. `$1` is the installation.
pub(crate) static FORGET: [Query; 10] = [
    Query::new("DELETE FROM token WHERE installation = $1"),
    Query::new("DELETE FROM account WHERE installation = $1"),
    Query::new("DELETE FROM delivery WHERE installation = $1"),
    Query::new(
        "DELETE FROM reaction WHERE conversation IN (SELECT id FROM conversation WHERE installation = $1)",
    ),
    Query::new(
        "DELETE FROM copy WHERE of_conversation IN (SELECT id FROM conversation WHERE installation = $1)
            OR conversation IN (SELECT id FROM conversation WHERE installation = $1)",
    ),
    Query::new(
        "DELETE FROM original WHERE conversation IN (SELECT id FROM conversation WHERE installation = $1)
            OR gone = TRUE AND NOT EXISTS (SELECT 1 FROM copy
                WHERE of_conversation = original.conversation AND of_message = original.message)",
    ),
    Query::new(
        "DELETE FROM tombstone WHERE conversation IN (SELECT id FROM conversation WHERE installation = $1)",
    ),
    Query::new(
        "DELETE FROM receipt WHERE from_conversation IN (SELECT id FROM conversation WHERE installation = $1)
            OR to_conversation IN (SELECT id FROM conversation WHERE installation = $1)",
    ),
    Query::new("DELETE FROM dead_letter WHERE installation = $1"),
    Query::new(
        "DELETE FROM dead_letter WHERE lane IN (SELECT 'c:' || id FROM conversation WHERE installation = $1)",
    ),
];

/// Everything of an organisation, children before parents. `$1` is the organisation.
pub(crate) static DROP_ORG: [Query; 19] = [
    Query::new("DELETE FROM leg WHERE event IN (SELECT id FROM event WHERE org = $1)"),
    Query::new("DELETE FROM event WHERE org = $1"),
    Query::new("DELETE FROM lane WHERE id IN (SELECT 'c:' || id FROM conversation WHERE org = $1)"),
    Query::new("DELETE FROM lane WHERE id IN (SELECT 'i:' || id FROM installation WHERE org = $1)"),
    Query::new("DELETE FROM delivery WHERE installation IN (SELECT id FROM installation WHERE org = $1)"),
    Query::new("DELETE FROM copy WHERE of_conversation IN (SELECT id FROM conversation WHERE org = $1)"),
    Query::new("DELETE FROM original WHERE conversation IN (SELECT id FROM conversation WHERE org = $1)"),
    Query::new("DELETE FROM tombstone WHERE conversation IN (SELECT id FROM conversation WHERE org = $1)"),
    Query::new("DELETE FROM receipt WHERE org = $1"),
    Query::new("DELETE FROM dead_letter WHERE org = $1"),
    Query::new("DELETE FROM audit WHERE org = $1"),
    Query::new("DELETE FROM account WHERE installation IN (SELECT id FROM installation WHERE org = $1)"),
    Query::new("DELETE FROM bridge_member WHERE bridge IN (SELECT id FROM bridge WHERE org = $1)"),
    Query::new("DELETE FROM bridge WHERE org = $1"),
    Query::new("DELETE FROM conversation WHERE org = $1"),
    Query::new("DELETE FROM token WHERE installation IN (SELECT id FROM installation WHERE org = $1)"),
    Query::new("DELETE FROM installation WHERE org = $1"),
    Query::new("DELETE FROM app WHERE org = $1"),
    Query::new("DELETE FROM org WHERE id = $1"),
];
