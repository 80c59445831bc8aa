//! Between states and the documents that stores hold.
//!
//! ```text
//! state ── write ─▶ document ── apply ─▶ store ── get ─▶ document ── read ─▶ state
//! ```
//!
//! A field is in the document exactly if its attribute is not null, so what was written reads back as the same state,
//! and a plan after an apply is empty.

mod compare;
mod head;
mod read;
mod write;

pub(crate) use compare::{same, stays};
pub(crate) use head::Parts;
pub(crate) use read::{Reading, read};
pub(crate) use write::{json_fault, write};

/// What Biplane shows in place of what is secret.
pub(crate) const REDACTED: &str = "[redacted]";
