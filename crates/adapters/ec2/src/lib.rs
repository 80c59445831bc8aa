//! Endpoints from EC2: virtual machines by their tags, with what EC2 and their Auto Scaling groups say of them.
//!
//! ```text
//!  watch ─▶ source ─▶ listing: one task for all upstreams of one caller and region ──▶ Complete | Failed
//!             │         │ plan: what all of them want        keep: what leaves only when it is sure
//!             │         ▼                                      ▲
//!             │       poll: every page of instances, their status, their groups ─▶ machine, xml
//!             │         ▼
//!             │       session: who calls ─▶ client: one call, one deadline ─▶ EC2, Auto Scaling, STS
//!             ▼
//!           view: one upstream's endpoints among the machines
//! ```
//!
//! What is guaranteed:
//!
//! - Upstreams of one caller, region and role share one poll, however many they are. A page that fails fails the poll, and
//!   what was known stands.
//! - A machine leaves at once when EC2 says that it stops. One that is merely not mentioned leaves when two polls in a row
//!   say so.
//! - Whoever is told that they ask too much asks less. Whoever fails tries again for ever, with growing pauses, and costs
//!   only the upstreams that share the caller.
//! - Secrets are in no error, in no status and in no log; of an answer that refuses, only its code is told.
#![forbid(unsafe_code)]

mod client;
mod counters;
mod failure;
mod keep;
mod listing;
mod machine;
mod options;
mod plan;
mod poll;
mod rate;
mod report;
mod session;
mod source;
mod view;
mod xml;

pub use options::Ec2Options;
pub use source::Ec2Source;
