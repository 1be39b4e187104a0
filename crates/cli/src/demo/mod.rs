//! `demo`: the product on throw-away data, to try by hand or to watch telling its story.

mod checks;
mod direct;
mod earlier;
mod entries;
mod grants;
mod outage;
mod own;
mod page;
mod row;
mod run;
mod script;
mod seeds;
mod sides;
mod story;
mod withheld;
mod world;

pub(crate) use run::run;
