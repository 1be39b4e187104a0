//! What answers have in common.

use serde::{Deserialize, Deserializer};

/// `null`, like a missing field, reads as the default.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    d: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(d).map(Option::unwrap_or_default)
}

/// A page of a Graph collection.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(crate) struct Collection<T> {
    /// The entries.
    #[serde(default = "Vec::new")]
    pub(crate) value: Vec<T>,
    /// The whole address of the next page.
    #[serde(rename = "@odata.nextLink", default)]
    pub(crate) next: Option<String>,
}
