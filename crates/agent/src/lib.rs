//! What the clients of Consul, Nomad and Vault have in common.
//!
//! They ask one server over HTTP, and share how their settings are read ([`Parameters`], [`host_and_port`], [`truth`],
//! [`duration`]), how the connection is made ([`Transport`], [`Tls`]), where tokens are ([`TokenFile`]) and how many questions are under way ([`Gate`]). What is asked, what an answer means and what is said about a failure is
//! each client's own: errors here say what is wrong, and leave the advice to whoever knows the settings' names.
//!
//! Invariant: nothing secret is shown or logged, and nobody's retries are begun here.
#![forbid(unsafe_code)]

mod authority;
mod gate;
mod parameters;
mod setting;
mod tls;
mod token_file;
mod transport;

pub use authority::{AuthorityError, host_and_port, split};
pub use gate::Gate;
pub use parameters::{Known, Parameters, decode, unknown};
pub use setting::{SettingError, duration, truth};
pub use tls::{Tls, TlsError};
pub use token_file::TokenFile;
pub use transport::{Reach, Transport, TransportError, Way, root_cause};
