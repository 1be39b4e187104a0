//! The target: what a failure means.

use dragoman_model::{Operation, Outcome};

use super::{Kit, Script};

/// Failures that every platform has, and what they must become.
pub async fn target(kit: &dyn Kit) {
    for operation in kit.operations() {
        let post = matches!(operation, Operation::Post(_));
        let name = operation.name();
        let outcome = async |script: Script| kit.perform(script, &operation).await;

        let refused = outcome(Script::Refuses).await;
        assert!(matches!(refused, Outcome::Retry { .. }), "{name}, nothing sent: {refused:?}");

        for script in [Script::Silent, Script::HangsUp] {
            let lost = outcome(script.clone()).await;
            let right = if post {
                matches!(lost, Outcome::Unknown(_))
            } else {
                matches!(lost, Outcome::Unknown(_) | Outcome::Retry { .. })
            };
            assert!(right, "{name}, {script:?}: {lost:?}");
        }

        let busy = outcome(Script::Says {
            status: 429,
            headers: vec![("Retry-After".to_owned(), "7".to_owned())],
            body: String::new(),
        })
        .await;
        assert!(
            matches!(busy, Outcome::Retry { after_ms: Some(7_000), .. }),
            "{name}, 429 with Retry-After: {busy:?}"
        );

        for status in [500, 502, 503] {
            let headers = vec![("Content-Type".to_owned(), "text/html".to_owned())];
            let body = "<!DOCTYPE html><p>Sorry".to_owned();
            let failed = outcome(Script::Says { status, headers, body }).await;
            let right = matches!(failed, Outcome::Unknown(_) | Outcome::Retry { .. });
            assert!(right, "{name}, {status}: {failed:?}");
        }

        // Answers that make no sense are answers of somebody who may have acted.
        for body in ["", "{", "null", "[]", "<html>", "\u{feff}{}", "{\"ok\":\"maybe\"}"] {
            let odd = outcome(Script::json(200, body)).await;
            let invented = matches!(&odd, Outcome::Done(done) if post && done.message.is_none());
            assert!(!invented, "{name}, {body:?}: done without a message");
            assert!(!matches!(odd, Outcome::SignIn(_) | Outcome::Gone(_)), "{name}, {body:?}: {odd:?}");
        }
    }
}
