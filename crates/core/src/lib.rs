//! Resource kinds, names, keys, field paths and reports of Biplane.
//!
//! What users write is turned into values here and nowhere else: text is split and identified
//! ([`document`]), decoded into [`resources::Object`]s ([`decode`]), and checked for what a shape
//! cannot say.
#![forbid(unsafe_code)]

pub mod age;
pub mod decode;
pub mod document;
pub mod key;
pub mod location;
pub mod options;
pub mod path;
pub mod regex;
pub mod report;
pub mod resources;
pub mod scalars;
pub mod schema;

mod findings;
mod shape;
mod suggest;
mod validate;
mod yaml;
