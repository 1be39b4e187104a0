//! Slack's error codes and what they mean. The classes follow Slack's method reference; a code that is not
//! listed is permanent.

use dragoman_model::{Code, Outcome, codes};
use dragoman_platform::Failure;

/// What an error code means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// Rate limits.
    Wait,
    /// Slack failed before doing anything.
    Transient,
    /// Slack failed and may have done it.
    Ambiguous,
    /// The workspace is being moved.
    Migration,
    /// The access token ended; a refresh may help.
    Expired,
    /// The installation does not work any more.
    SignIn,
    /// Somebody has to grant something.
    Scope,
    /// The conversation is gone or closed to us.
    Channel,
    /// The message, or the thread it is in, is gone or closed.
    Message,
    /// It is already so.
    Already,
    /// Refused for this message, for a reason of the workspace's.
    Refused,
    /// A file that the workspace's rules do not let in.
    Forbidden,
    /// A file that is larger than the workspace takes.
    Large,
    /// The text is too long.
    TooLong,
    /// The blocks were not accepted; plain text may be.
    Blocks,
    /// A fault in our request.
    Ours,
}

use Class::{
    Already, Ambiguous, Blocks, Channel, Expired, Forbidden, Large, Message, Migration, Ours, Refused, Scope,
    SignIn, TooLong, Transient, Wait,
};

/// Every code that a method of ours is known to answer with.
pub(crate) const TABLE: &[(&str, Class)] = &[
    ("ratelimited", Wait),
    ("rate_limited", Wait),
    ("message_limit_exceeded", Wait),
    ("service_unavailable", Ambiguous),
    ("internal_error", Ambiguous),
    ("fatal_error", Ambiguous),
    ("request_timeout", Transient),
    ("update_failed", Transient),
    ("external_channel_migrating", Transient),
    ("fetch_members_failed", Transient),
    ("list_record_comment_fetch_failed", Transient),
    ("team_added_to_org", Migration),
    ("org_login_required", Migration),
    ("token_expired", Expired),
    ("invalid_auth", SignIn),
    ("not_authed", SignIn),
    ("account_inactive", SignIn),
    ("token_revoked", SignIn),
    ("user_removed_from_team", SignIn),
    ("team_disabled", SignIn),
    ("invalid_refresh_token", SignIn),
    ("bad_client_secret", SignIn),
    ("invalid_client_id", SignIn),
    ("invalid_code", SignIn),
    ("invalid_code_verifier", SignIn),
    ("bad_redirect_uri", SignIn),
    ("invalid_grant_type", SignIn),
    ("no_scopes", SignIn),
    ("oauth_authorization_url_mismatch", SignIn),
    ("cannot_install_an_org_installed_app", SignIn),
    ("pkce_not_allowed", SignIn),
    ("preview_feature_not_available", SignIn),
    ("user_email_unverified", SignIn),
    ("forbidden_team", SignIn),
    ("missing_scope", Scope),
    ("not_allowed_token_type", Scope),
    ("no_permission", Scope),
    ("team_access_not_granted", Scope),
    ("access_denied", Scope),
    ("accesslimited", Scope),
    ("two_factor_setup_required", Scope),
    ("enterprise_is_restricted", Scope),
    ("ekm_access_denied", Scope),
    ("app_access_restricted", Scope),
    ("team_not_found", Scope),
    ("channel_not_found", Channel),
    ("invalid_channel", Channel),
    ("channel_is_limited_access", Channel),
    ("is_archived", Channel),
    ("is_inactive", Channel),
    ("not_in_channel", Channel),
    ("restricted_action", Channel),
    ("restricted_action_read_only_channel", Channel),
    ("restricted_action_thread_only_channel", Channel),
    ("posting_to_channel_denied", Channel),
    ("messages_tab_disabled", Channel),
    ("user_disabled", Channel),
    ("cannot_dm_bot", Channel),
    ("method_not_supported_for_channel_type", Channel),
    ("too_many_members", Channel),
    ("message_not_found", Message),
    ("thread_not_found", Message),
    ("thread_locked", Message),
    ("cant_update_message", Message),
    ("cant_delete_message", Message),
    ("edit_window_closed", Message),
    ("cannot_reply_to_message", Message),
    ("restricted_action_thread_locked", Message),
    ("restricted_action_non_threadable_channel", Message),
    ("file_comment_not_found", Message),
    ("already_reacted", Already),
    ("no_reaction", Already),
    ("already_in_channel", Already),
    ("too_many_emoji", Refused),
    ("too_many_reactions", Refused),
    ("invalid_name", Refused),
    ("not_reactable", Refused),
    ("no_access", Refused),
    ("block_mismatch", Refused),
    ("user_not_in_channel", Refused),
    ("blocked_file_type", Forbidden),
    ("cant_broadcast_message", Refused),
    ("no_dual_broadcast_content_update", Refused),
    ("streaming_state_conflict", Refused),
    ("send_on_behalf_not_allowed", Refused),
    ("slack_connect_blocked_file_type", Forbidden),
    ("slack_connect_canvas_sharing_blocked", Forbidden),
    ("slack_connect_clip_sharing_blocked", Forbidden),
    ("slack_connect_file_link_sharing_blocked", Forbidden),
    ("slack_connect_file_upload_sharing_blocked", Forbidden),
    ("slack_connect_lists_sharing_blocked", Refused),
    ("unable_to_share_files", Refused),
    ("file_deleted", Refused),
    ("file_is_deleted", Refused),
    ("file_not_found", Refused),
    ("file_type_not_allowed", Forbidden),
    ("file_uploads_disabled", Forbidden),
    ("file_uploads_except_images_disabled", Forbidden),
    ("malware_detected", Forbidden),
    ("storage_limit_reached", Forbidden),
    ("file_upload_size_restricted", Large),
    ("snippet_too_large", Large),
    ("file_update_failed", Ambiguous),
    ("file_upload_not_complete", Transient),
    ("cant_delete_file", Refused),
    ("delete_not_allowed", Refused),
    ("file_deleting_disabled", Refused),
    ("not_visible", Refused),
    ("template_not_visible", Refused),
    ("canvas_disabled_file_team", Refused),
    ("canvas_disabled_user_team", Refused),
    ("canvas_globally_disabled", Refused),
    ("file_share_limit_reached", Refused),
    ("max_file_sharing_exceeded", Refused),
    ("missing_file_data", Refused),
    ("too_many_contact_cards", Refused),
    ("user_not_found", Refused),
    ("users_not_found", Refused),
    ("user_not_visible", Refused),
    ("bot_not_found", Refused),
    ("bots_not_found", Refused),
    ("too_many_users", Refused),
    ("msg_too_long", TooLong),
    ("msg_blocks_too_long", Blocks),
    ("invalid_blocks", Blocks),
    ("invalid_blocks_format", Blocks),
    ("alt_txt_too_large", Ours),
    ("as_user_not_supported", Ours),
    ("channels_limit_exceeded", Ours),
    ("unknown_snippet_type", Ours),
    ("unknown_subtype", Ours),
    ("attachment_payload_limit_exceeded", Ours),
    ("bad_timestamp", Ours),
    ("deprecated_endpoint", Ours),
    ("draft_already_deleted", Ours),
    ("draft_already_sent", Ours),
    ("draft_has_conflict", Ours),
    ("draft_not_found", Ours),
    ("duplicate_channel_not_found", Ours),
    ("duplicate_message_not_found", Ours),
    ("insecure_request", Ours),
    ("invalid_arg_name", Ours),
    ("invalid_arguments", Ours),
    ("invalid_array_arg", Ours),
    ("invalid_attachments", Ours),
    ("invalid_charset", Ours),
    ("invalid_cursor", Ours),
    ("invalid_form_data", Ours),
    ("invalid_json", Ours),
    ("invalid_limit", Ours),
    ("invalid_metadata_filter_keys", Ours),
    ("invalid_metadata_format", Ours),
    ("invalid_metadata_schema", Ours),
    ("invalid_post_type", Ours),
    ("invalid_ts_latest", Ours),
    ("invalid_ts_oldest", Ours),
    ("invalid_types", Ours),
    ("is_bot", Ours),
    ("json_not_object", Ours),
    ("markdown_text_conflict", Ours),
    ("metadata_must_be_sent_from_app", Ours),
    ("metadata_too_large", Ours),
    ("method_deprecated", Ours),
    ("missing_args", Ours),
    ("missing_argument", Ours),
    ("missing_post_type", Ours),
    ("no_item_specified", Ours),
    ("no_text", Ours),
    ("too_many_attachments", Ours),
    ("unknown_method", Ours),
];

/// How long a workspace rests while it is moved, in milliseconds.
const MIGRATION_MS: u64 = 120_000;
/// How long to wait where Slack limits the rate without saying for how long, in milliseconds.
const RATE_MS: u64 = 30_000;

/// The class of a code; unknown ones are permanent for what was asked.
pub(crate) fn class(code: &str) -> Class {
    TABLE.iter().find(|(known, _)| *known == code).map_or(Refused, |(_, class)| *class)
}

/// What a call does, as far as errors mean different things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// `chat.postMessage`: must not be repeated blindly.
    Post,
    /// `chat.update`.
    Edit,
    /// `chat.delete`: gone is done.
    Delete,
    /// `reactions.add`, `reactions.remove`.
    React,
    /// The steps of an upload that nobody can see yet.
    Upload,
    /// `files.completeUploadExternal`: must not be repeated blindly.
    Share,
}

impl Act {
    /// Whether it must not be repeated blindly.
    pub(crate) fn is_once(self) -> bool {
        matches!(self, Self::Post | Self::Share)
    }
}

/// What a code means for an operation.
pub(crate) fn outcome(code: &str, act: Act, retry_after_ms: Option<u64>) -> Outcome {
    match class(code) {
        Wait => Outcome::Retry {
            after_ms: Some(retry_after_ms.unwrap_or(RATE_MS)),
            code: codes::RATE_LIMITED,
            whole_installation: code == "message_limit_exceeded",
        },
        Ambiguous if act.is_once() => Outcome::Unknown(codes::TARGET_FAILED),
        Transient | Ambiguous => {
            Outcome::Retry { after_ms: retry_after_ms, code: codes::TARGET_FAILED, whole_installation: false }
        }
        Migration => Outcome::Retry {
            after_ms: Some(MIGRATION_MS),
            code: codes::TARGET_FAILED,
            whole_installation: true,
        },
        Expired | SignIn => Outcome::SignIn(codes::SIGN_IN),
        // A reaction or a file that may not be made must not stop the messages.
        Scope if matches!(act, Act::React | Act::Upload | Act::Share) => Outcome::Refused(codes::SCOPE),
        Scope => Outcome::SignIn(codes::SCOPE),
        Channel => Outcome::Gone(codes::CONVERSATION_GONE),
        Message if act == Act::Delete && code == "message_not_found" => Outcome::done(),
        Message => Outcome::MessageGone(codes::MESSAGE_GONE),
        Already => Outcome::done(),
        Refused => Outcome::Refused(codes::REFUSED),
        Forbidden => Outcome::Refused(codes::FILE_FORBIDDEN),
        Large => Outcome::Refused(codes::FILE_TOO_LARGE),
        TooLong => Outcome::Refused(codes::MESSAGE_TOO_LONG),
        Blocks | Ours => Outcome::Refused(codes::BAD_REQUEST),
    }
}

/// What a code means for a read.
pub(crate) fn failure(code: &str, retry_after_ms: Option<u64>) -> Failure {
    let retry = |after_ms, code: Code| Failure::Retry { after_ms, code };
    match class(code) {
        Wait => retry(Some(retry_after_ms.unwrap_or(RATE_MS)), codes::RATE_LIMITED),
        Transient | Ambiguous => retry(retry_after_ms, codes::TARGET_FAILED),
        Migration => retry(Some(MIGRATION_MS), codes::TARGET_FAILED),
        Expired | SignIn => Failure::SignIn(codes::SIGN_IN),
        Scope => Failure::SignIn(codes::SCOPE),
        Channel => Failure::Gone(codes::CONVERSATION_GONE),
        Message => Failure::Refused(codes::MESSAGE_GONE),
        Already | Refused | Forbidden | Large | TooLong => Failure::Refused(codes::REFUSED),
        Blocks | Ours => Failure::Refused(codes::BAD_REQUEST),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The methods that this connector calls.
    const METHODS: &[&str] = &[
        "apps.connections.open",
        "auth.test",
        "bots.info",
        "chat.delete",
        "chat.postMessage",
        "chat.update",
        "conversations.history",
        "conversations.info",
        "conversations.join",
        "conversations.list",
        "conversations.replies",
        "files.completeUploadExternal",
        "files.delete",
        "files.getUploadURLExternal",
        "files.info",
        "oauth.v2.access",
        "reactions.add",
        "reactions.remove",
        "users.info",
        "users.lookupByEmail",
    ];

    #[test]
    fn no_code_is_listed_twice() {
        let codes: BTreeSet<&str> = TABLE.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), TABLE.len());
    }

    #[test]
    fn every_published_error_of_our_methods_is_listed() {
        let Some(folder) = dragoman_testkit::payloads() else { return };
        let read = |path: String| -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(folder.join(path)).unwrap()).unwrap()
        };
        let mut published = BTreeSet::new();
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
        };
        published.extend(keys(&read("slack/specs/common_errors.json".to_owned())));
        for method in METHODS {
            let errors = keys(&read(format!("slack/specs/methods/{method}.json"))["errors"]);
            assert!(!errors.is_empty(), "{method}");
            published.extend(errors);
        }
        let missing: Vec<&String> =
            published.iter().filter(|code| !TABLE.iter().any(|(known, _)| known == code)).collect();
        assert!(missing.is_empty(), "not listed: {missing:?}");
    }

    #[test]
    fn a_code_that_nobody_knows_is_permanent() {
        for act in [Act::Post, Act::Edit, Act::Delete, Act::React, Act::Upload, Act::Share] {
            assert_eq!(outcome("brand_new", act, None), Outcome::Refused(codes::REFUSED));
        }
        assert_eq!(failure("brand_new", None), Failure::Refused(codes::REFUSED));
    }
}
