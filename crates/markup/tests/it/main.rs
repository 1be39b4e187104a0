//! The markup crate from outside.

#[cfg(test)]
mod adversarial;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod emoji;
#[cfg(test)]
mod escapes;
#[cfg(test)]
mod names;
#[cfg(test)]
mod payloads;
#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod slack_forms;
#[cfg(test)]
mod splitting;
#[cfg(test)]
mod teams_forms;
#[cfg(test)]
mod webex_forms;
#[cfg(test)]
mod webex_service;
#[cfg(test)]
mod webex_zoom;
#[cfg(test)]
mod zoom_forms;
