//! Pages of collections: `$top`, `$skiptoken`, `@odata.nextLink`, and the filters that chats allow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::http::Req;
use super::super::ids::parse_iso;
use super::super::model::Message;
use super::call::{Error, bad};

/// The size of a page: `$top`, at most `max`.
pub(super) fn top(req: &Req, default: usize, max: usize) -> Result<usize, Error> {
    let Some(text) = req.query("$top") else { return Ok(default) };
    let n: usize = text.parse().map_err(|_| bad(format!("Invalid value '{text}' for $top.")))?;
    if n == 0 || n > max {
        return Err(bad(format!(
            "The limit of '{max}' for Top query has been exceeded. The value from the incoming request is '{n}'."
        )));
    }
    Ok(n)
}

/// Cuts one page out of items sorted by a falling key. The token names the last key that was given out, so that
/// pages stay right while items arrive.
pub(super) fn page<T>(
    req: &Req,
    mut items: Vec<((u64, u64), T)>,
    size: usize,
) -> Result<(Vec<T>, Option<String>), Error> {
    items.sort_by_key(|i| std::cmp::Reverse(i.0));
    if let Some(token) = req.query("$skiptoken") {
        let last = read(token).ok_or_else(|| bad("Invalid skip token."))?;
        items.retain(|(key, _)| *key < last);
    }
    let more = items.len() > size;
    items.truncate(size);
    let next = more.then(|| items.last().map(|(key, _)| link(req, *key))).flatten();
    Ok((items.into_iter().map(|(_, i)| i).collect(), next))
}

fn read(token: &str) -> Option<(u64, u64)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (a, b) = text.split_once('.')?;
    Some((a.parse().ok()?, b.parse().ok()?))
}

fn link(req: &Req, key: (u64, u64)) -> String {
    let token = URL_SAFE_NO_PAD.encode(format!("{}.{}", key.0, key.1));
    let kept: Vec<&str> = req
        .raw_query
        .split('&')
        .filter(|p| !p.is_empty() && !p.to_ascii_lowercase().trim_start_matches("%24").contains("skiptoken"))
        .collect();
    let kept = kept.iter().fold(String::new(), |all, p| format!("{all}{p}&"));
    format!("{}{}?{kept}$skiptoken={token}", req.origin, req.path)
}

/// A link to the rest of a collection that is nested in another answer.
pub(super) fn nested_link(origin: &str, path: &str, key: (u64, u64), size: usize) -> String {
    let token = URL_SAFE_NO_PAD.encode(format!("{}.{}", key.0, key.1));
    format!("{origin}{path}?$top={size}&$skiptoken={token}")
}

/// The filter and the order of a list of chat messages.
pub(super) struct ChatQuery {
    by_modified: bool,
    after: Option<(bool, u64)>,
    before: Option<(bool, u64)>,
}

impl ChatQuery {
    /// Reads `$filter` and `$orderby`: both must name the same property, order is descending only.
    pub(super) fn read(req: &Req) -> Result<Self, Error> {
        let order = req.query("$orderby").map(|o| {
            let mut words = o.split_whitespace();
            (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("asc").to_ascii_lowercase())
        });
        let known = |p: &str| ["lastModifiedDateTime", "createdDateTime"].contains(&p);
        if let Some((property, direction)) = &order
            && (!known(property) || direction != "desc")
        {
            return Err(bad(
                "QueryOptions to order by is not supported: only descending by lastModifiedDateTime or createdDateTime.",
            ));
        }
        let mut out = Self { by_modified: false, after: None, before: None };
        let mut property = order.as_ref().map(|o| o.0.clone());
        if let Some(filter) = req.query("$filter") {
            for term in filter.split(" and ") {
                let words: Vec<&str> = term.split_whitespace().collect();
                let [name, operator, value] = words[..] else {
                    return Err(bad("Unsupported filter."));
                };
                if !known(name) || property.get_or_insert_with(|| name.to_owned()) != name {
                    return Err(bad("$filter and $orderby must be on the same property."));
                }
                let at = parse_iso(value).ok_or_else(|| bad("Invalid date in $filter."))?;
                match operator {
                    "gt" => out.after = Some((false, at)),
                    "ge" => out.after = Some((true, at)),
                    "lt" => out.before = Some((false, at)),
                    "le" => out.before = Some((true, at)),
                    _ => return Err(bad("Unsupported operator in $filter.")),
                }
            }
        }
        out.by_modified = property.as_deref() == Some("lastModifiedDateTime");
        Ok(out)
    }

    /// The key by which a message sorts, when it falls under the filter.
    pub(super) fn key(&self, m: &Message) -> Option<(u64, u64)> {
        let at = if self.by_modified { m.etag } else { m.id };
        let after = self.after.is_none_or(|(same, t)| at > t || same && at == t);
        let before = self.before.is_none_or(|(same, t)| at < t || same && at == t);
        (after && before).then_some((at, m.id))
    }
}
