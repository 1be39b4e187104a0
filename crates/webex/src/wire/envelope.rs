//! A webhook's delivery, borrowed from the body. Webhooks carry no text; addresses of people are skipped over.

use std::borrow::Cow;

use serde::Deserialize;

type Text<'a> = Option<Cow<'a, str>>;

/// A delivery. `id` and `created` are the webhook's own and say nothing of the event.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub resource: Text<'a>,
    #[serde(borrow, default)]
    pub event: Text<'a>,
    #[serde(rename = "orgId", borrow, default)]
    pub org_id: Text<'a>,
    #[serde(rename = "createdBy", borrow, default)]
    pub created_by: Text<'a>,
    #[serde(borrow, default)]
    pub data: Option<Data<'a>>,
}

/// The ids of what an event is about.
#[derive(Deserialize, Default)]
pub(crate) struct Data<'a> {
    #[serde(borrow, default)]
    pub id: Text<'a>,
    #[serde(rename = "roomId", borrow, default)]
    pub room_id: Text<'a>,
    #[serde(rename = "roomType", borrow, default)]
    pub room_type: Text<'a>,
    #[serde(rename = "parentId", borrow, default)]
    pub parent_id: Text<'a>,
    #[serde(rename = "personId", borrow, default)]
    pub person_id: Text<'a>,
    #[serde(borrow, default)]
    pub created: Text<'a>,
    #[serde(borrow, default)]
    pub updated: Text<'a>,
}
