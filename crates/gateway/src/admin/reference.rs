//! How operators name conversations: `alpha:#general`, `INSTALLATION:#general`, `alpha:19:…@thread`.

use std::sync::Arc;

use dragoman_model::{RemoteConversation, codes};
use dragoman_platform::Conversation;
use dragoman_relay::{Directory, Place};

use super::desk::begins;
use super::problem::Problem;

/// Pages of a search that are looked through.
const MOST_PAGES: usize = 50;

/// A reference, taken apart.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Reference<'a> {
    /// A platform, an installation or a workspace.
    scope: &'a str,
    wanted: Wanted<'a>,
}

#[derive(PartialEq, Eq, Debug)]
enum Wanted<'a> {
    Name(&'a str),
    Id(&'a str),
}

/// Takes a reference apart.
pub(crate) fn parse(text: &str) -> Result<Reference<'_>, Problem> {
    let fault = || {
        let what = format!("'{text}' names no conversation");
        Problem::wrong(
            what,
            "write PLATFORM:#name or PLATFORM:ID; `dragoman install conversations` lists them",
        )
    };
    let (scope, rest) = text.split_once(':').ok_or_else(fault)?;
    let wanted = rest.strip_prefix('#').map_or(Wanted::Id(rest), Wanted::Name);
    let empty = matches!(wanted, Wanted::Name("") | Wanted::Id(""));
    if scope.is_empty() || empty {
        return Err(fault());
    }
    Ok(Reference { scope, wanted })
}

/// Installations that a scope means: by platform, id, beginning of the id, or workspace.
pub(crate) fn places(directory: &Directory, scope: Option<&str>) -> Result<Vec<Arc<Place>>, Problem> {
    let fits = |place: &&Arc<Place>| {
        scope.is_none_or(|scope| {
            let installation = &place.session.installation;
            place.session.app.platform.0 == scope
                || installation.id.as_str() == scope
                || begins(installation.id.as_str(), scope)
                || installation.workspace.as_str() == scope
                || place.name.eq_ignore_ascii_case(scope)
        })
    };
    let places: Vec<Arc<Place>> = directory.places().filter(fits).cloned().collect();
    if places.is_empty() {
        let cure = "`dragoman install list` shows installations; `dragoman install start` makes one";
        let what = match scope {
            Some(scope) => {
                format!("'{scope}' is no platform with an installation, no installation and no workspace")
            }
            None => "nothing is installed yet".to_owned(),
        };
        return Err(Problem::new(codes::NOT_FOUND, what, cure));
    }
    Ok(places)
}

/// Finds the one conversation that is meant.
pub(crate) async fn resolve(
    directory: &Directory,
    text: &str,
) -> Result<(Arc<Place>, Conversation), Problem> {
    let reference = parse(text)?;
    let places = places(directory, Some(reference.scope))?;
    let mut found = Vec::new();
    let mut failed = None;
    for place in places {
        let looked = match reference.wanted {
            Wanted::Id(id) => by_id(&place, id).await.map(|conversation| vec![conversation]),
            Wanted::Name(name) => by_name(&place, name).await,
        };
        match looked {
            Ok(conversations) => found.extend(conversations.into_iter().map(|it| (Arc::clone(&place), it))),
            Err(problem) => failed = Some(problem),
        }
    }
    if found.len() > 1 {
        let choices: Vec<String> = found.iter().map(|(place, it)| name_of(place, &it.remote)).collect();
        let what = format!("'{text}' fits {} conversations", found.len());
        return Err(Problem::wrong(what, format!("take one of: {}", choices.join(", "))));
    }
    found.pop().ok_or_else(|| {
        failed.unwrap_or_else(|| {
            let what = format!("there is no conversation '{text}' that the app can see");
            Problem::new(
                codes::NOT_FOUND,
                what,
                "invite the app into it, or look with `dragoman install conversations --search`",
            )
        })
    })
}

/// The reference that means exactly this conversation.
pub(crate) fn name_of(place: &Place, remote: &RemoteConversation) -> String {
    format!("{}:{remote}", place.session.installation.id)
}

/// Whether a conversation is meant by a name: its own, or the last part of one such as `Product / launch`.
pub(crate) fn is_called(name: &str, wanted: &str) -> bool {
    let (name, wanted) = (name.trim_start_matches('#').to_lowercase(), wanted.to_lowercase());
    name == wanted || name.rsplit_once(" / ").is_some_and(|(_, last)| last == wanted)
}

async fn by_id(place: &Place, id: &str) -> Result<Conversation, Problem> {
    let remote = RemoteConversation::from(id);
    let read = place.connector.conversation(&place.session, &remote).await;
    read.map_err(|failure| {
        Problem::platform(&format!("reading conversation {id}"), place.connector.display_name(), &failure)
    })
}

async fn by_name(place: &Place, name: &str) -> Result<Vec<Conversation>, Problem> {
    let mut fitting = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let page = place.connector.conversations(&place.session, name, cursor.as_deref()).await.map_err(
            |failure| {
                Problem::platform("looking for conversations", place.connector.display_name(), &failure)
            },
        )?;
        fitting.extend(page.items.into_iter().filter(|it| is_called(&it.name, name)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_told_apart() {
        let name = parse("alpha:#general").unwrap();
        assert_eq!(name, Reference { scope: "alpha", wanted: Wanted::Name("general") });
        let id = parse("beta:19:abc@thread").unwrap();
        assert_eq!(id, Reference { scope: "beta", wanted: Wanted::Id("19:abc@thread") });
    }

    #[test]
    fn the_last_part_of_a_name_is_enough() {
        assert!(is_called("#launch", "Launch"));
        assert!(is_called("Product / launch", "launch"));
        assert!(is_called("Product / launch", "product / launch"));
        assert!(!is_called("Product / launch", "Product"));
        assert!(!is_called("pre-launch", "launch"));
    }

    #[test]
    fn half_a_reference_is_none() {
        for wrong in ["", "general", "alpha:", ":#general", "alpha:#"] {
            assert!(parse(wrong).is_err_and(|problem| problem.code == codes::INVALID.as_str()), "{wrong}");
        }
    }
}
