//! A thin client of Consul's HTTP API.
//!
//! It speaks the protocol and decides nothing: no call is repeated (but for one after a token has changed on
//! disk), none is added (but for one that finds out whom Consul takes us for, where no token is set), nothing is cached, and what an answer means is up to the caller. In return it keeps what other
//! clients drop: the index, the leader and the filter flag of every answer, also of one that says "not found".
//!
//! ```text
//!  Settings ──▶ Client ── get, put, delete ──▶ one HTTP/1.1 connection a running request
//!                 │  kv: keys, folders, writes, locks      txn: many writes in one step
//!                 │  session: what holds a lock            status: leader, agent
//!                 │  catalog: services, their health       connect: certificates of the mesh
//!                 ▼
//!  Answer { value, meta: QueryMeta }   or   Error, which tells an absent server from one that refuses
//! ```
//!
//! Invariants: every call has a deadline, a blocking query one that is longer than the server's; a body is read up
//! to a limit and no length that somebody declared is believed; a token appears in a header and nowhere else.
#![forbid(unsafe_code)]

mod address;
mod answer;
mod catalog;
mod client;
mod connect;
mod error;
mod escape;
mod kv;
mod pause;
mod query;
mod secret;
mod session;
mod settings;
mod status;
mod token;
mod transport;
mod txn;
mod unset;
mod url;

pub use address::Address;
pub use biplane_agent::Tls;
pub use catalog::{
    Check, CheckStatus, HealthEntry, InstanceLocality, Node, QueryResult, Scope, ServiceEntry, TaggedAddress,
    Weights,
};
pub use client::Client;
pub use connect::{Leaf, Root, Roots};
pub use error::Error;
pub use kv::{Keys, KvEntries, KvEntry, PutCondition};
pub use query::{Answer, Consistency, Query, QueryMeta};
pub use secret::Secret;
pub use session::{NewSession, Session, SessionBehavior};
pub use settings::{BasicAuth, Settings, TokenSource};
pub use status::{AgentConfig, AgentSelf};
pub use txn::{TxnError, TxnOp, TxnOutcome, TxnResult};
pub use url::{ConsulUrl, PARAMETERS, UrlError, duration};
