//! Addresses of messages ("chat.getPermalink").

use dragoman_model::{RemoteConversation, RemoteMessage};
use dragoman_platform::{Failure, Session};
use url::Url;

use crate::api::CallError;
use crate::client::Client;
use crate::wire::answers::{Form, Permalink};

/// Hosts of workspaces end like this.
const HOSTS: [&str; 2] = [".slack.com", ".slack-gov.com"];

/// The message of a channel that an address means. Its query is about how it is shown. Pure.
pub(crate) fn linked(channel: &RemoteConversation, address: &str) -> Option<RemoteMessage> {
    let url = Url::parse(address).ok()?;
    let host = url.host_str()?;
    if url.scheme() != "https" || !HOSTS.iter().any(|known| host.ends_with(known)) {
        return None;
    }
    let mut path = url.path_segments()?;
    let (archives, of, digits) = (path.next()?, path.next()?, path.next()?.strip_prefix('p')?);
    let ends = path.next().is_none_or(str::is_empty);
    // Ten digits of seconds and six of a fraction, as ids have them.
    let digital = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if archives != "archives" || of != channel.as_str() || !digital || !ends {
        return None;
    }
    let (seconds, fraction) = digits.split_at(10);
    Some(RemoteMessage::from(format!("{seconds}.{fraction}")))
}

/// The address of a message, as Slack makes it: it knows the workspace's domain, and how replies are written.
pub(crate) async fn link(
    client: &Client,
    session: &Session,
    channel: &RemoteConversation,
    message: &RemoteMessage,
) -> Result<Option<String>, Failure> {
    let form =
        Form::from([("channel", channel.as_str().to_owned()), ("message_ts", message.as_str().to_owned())]);
    let answer: Permalink =
        client.read(session, "chat.getPermalink", form).await.map_err(CallError::failure)?;
    Ok(answer.permalink.filter(|link| !link.is_empty()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_means_a_message_of_its_channel() {
        let here = "C07LAUNCH".into();
        for (address, expected) in [
            ("https://harbor.slack.com/archives/C07LAUNCH/p1718856814111759", Some("1718856814.111759")),
            (
                "https://harbor.enterprise.slack.com/archives/C07LAUNCH/p1718856814111700?thread_ts=1718856800.000100&cid=C07LAUNCH",
                Some("1718856814.111700"),
            ),
            ("https://harbor.slack.com/archives/C07OTHER/p1718856814111759", None),
            ("https://harbor.slack.com/archives/C07LAUNCH", None),
            ("https://harbor.slack.com/archives/C07LAUNCH/p17188568141117", None),
            ("https://harbor.slack.com/archives/C07LAUNCH/p1718856814111759/x", None),
            ("https://harbor.slack.com/team/C07LAUNCH/p1718856814111759", None),
            ("http://harbor.slack.com/archives/C07LAUNCH/p1718856814111759", None),
            ("https://slack.com.evil.example/archives/C07LAUNCH/p1718856814111759", None),
            ("not an address", None),
        ] {
            assert_eq!(linked(&here, address), expected.map(RemoteMessage::from), "{address}");
        }
    }

    proptest! {
        #[test]
        fn any_message_is_found_by_its_address(seconds in 1_000_000_000_u64..10_000_000_000, micros in 0_u32..1_000_000) {
            let address = format!("https://w.slack.com/archives/C1/p{seconds}{micros:06}?cid=C1");
            let expected = RemoteMessage::from(format!("{seconds}.{micros:06}"));
            prop_assert_eq!(linked(&"C1".into(), &address), Some(expected));
        }

        #[test]
        fn any_text_is_read(text in ".*", tail in "[ -~é]{0,40}") {
            let _ = linked(&"C1".into(), &text);
            let _ = linked(&"C1".into(), &format!("https://w.slack.com/archives/C1/p{tail}"));
        }
    }
}
