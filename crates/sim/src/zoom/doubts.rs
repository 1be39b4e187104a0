//! Statements that the documentation leaves open; both answers can be chosen.

use std::time::Duration;

/// How JSON bodies of deliveries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// Compact, raw UTF-8.
    Compact,
    /// Compact, everything beyond ASCII escaped.
    Escaped,
    /// With line breaks and indents.
    Pretty,
}

/// What is wrong with signatures of bodies that hold text beyond ASCII (seen in the field, ZOOM-506645).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFault {
    /// Nothing: the received bytes are signed.
    None,
    /// The compact raw UTF-8 form is signed whatever form is sent.
    OverReserialised,
    /// The signature fits nothing.
    Wrong,
}

/// What a send to a channel that is blocked for too many messages gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockedSend {
    /// 429.
    TooMany,
    /// 400 with code 5301.
    Failed,
}

/// The form of `content` in WebSocket frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketContent {
    /// JSON text.
    Text,
    /// An object.
    Object,
    /// No frame around the event at all.
    Bare,
}

/// The switches. Defaults are what is likelier, or harder on the app.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "one switch per open question")]
pub struct ZoomDoubts {
    /// `end_position` of sent ranges includes the last character.
    pub ends_inclusive: bool,
    /// The same for ranges in events and answers.
    pub read_ends_inclusive: bool,
    /// Positions and lengths count UTF-16 code units; Unicode characters otherwise.
    pub utf16_positions: bool,
    /// A rich text range without `format_attr` is dropped in silence.
    pub attr_required: bool,
    /// Unknown members of a body are refused with 300.
    pub strict_bodies: bool,
    /// Admin-managed apps may pass `me`.
    pub me_in_admin_apps: bool,
    /// The code of a missing scope: 4711, 4700 or 104.
    pub scope_code: u32,
    /// Message lists begin with the newest.
    pub newest_first: bool,
    /// How delivery bodies are written.
    pub body_form: BodyForm,
    /// What is wrong with signatures beyond ASCII.
    pub signature_fault: SignatureFault,
    /// A retry carries a fresh timestamp.
    pub fresh_retry_timestamp: bool,
    /// Endpoint validation is signed.
    pub signed_validation: bool,
    /// An event in a channel with several authorised people is delivered once for each of them.
    pub once_per_person: bool,
    /// Messages of the app's own bot raise `team_chat.channel_message_posted`.
    pub bot_posts_raise_events: bool,
    /// `contact_account_id` is spelt with a trailing space.
    pub spaced_contact_account: bool,
    /// Event names carry a trailing space.
    pub spaced_event_names: bool,
    /// `chat_message.sent` of a root message names itself as `parent_msg_id`.
    pub old_roots_have_parents: bool,
    /// `chat_channel.created` lacks `id`.
    pub created_lacks_id: bool,
    /// Members that Zoom's own examples show and its types do not know: `contact_email` of `chat_message.*` in a
    /// channel.
    pub loose_examples: bool,
    /// `emoji_time` of direct reactions is a number.
    pub numeric_emoji_time: bool,
    /// What stands between the code points of an emoji sequence.
    pub emoji_separator: &'static str,
    /// The address of the developer's unpublished app gets `app_deauthorized`.
    pub deauthorization_sent: bool,
    /// A send to a blocked channel.
    pub blocked_send: BlockedSend,
    /// `Retry-After` of per-second refusals is sent.
    pub retry_after_per_second: bool,
    /// Form of WebSocket content.
    pub socket_content: SocketContent,
    /// A WebSocket outlives its token.
    pub socket_outlives_token: bool,
    /// The file host redirects uploads (307) to another host.
    pub upload_redirect: bool,
    /// A message with files has to have a text too.
    pub files_need_text: bool,
    /// Downloads want the bearer token as well.
    pub download_needs_bearer: bool,
    /// Message ids in answers are lower case.
    pub lower_case_ids: bool,
    /// PUT of a chatbot message answers 204 without a body.
    pub bot_update_no_content: bool,
    /// How long a used refresh token keeps working.
    pub refresh_grace: Duration,
}

impl Default for ZoomDoubts {
    fn default() -> Self {
        Self {
            ends_inclusive: true,
            read_ends_inclusive: true,
            utf16_positions: true,
            attr_required: true,
            strict_bodies: true,
            me_in_admin_apps: true,
            scope_code: 4_711,
            newest_first: true,
            body_form: BodyForm::Compact,
            signature_fault: SignatureFault::None,
            fresh_retry_timestamp: true,
            signed_validation: true,
            once_per_person: false,
            bot_posts_raise_events: true,
            spaced_contact_account: false,
            spaced_event_names: false,
            old_roots_have_parents: true,
            created_lacks_id: false,
            loose_examples: false,
            numeric_emoji_time: true,
            emoji_separator: "",
            deauthorization_sent: true,
            blocked_send: BlockedSend::TooMany,
            retry_after_per_second: false,
            socket_content: SocketContent::Text,
            socket_outlives_token: false,
            upload_redirect: true,
            files_need_text: false,
            download_needs_bearer: false,
            lower_case_ids: false,
            bot_update_no_content: false,
            refresh_grace: Duration::ZERO,
        }
    }
}
