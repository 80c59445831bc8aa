//! How a server is reached, and what is said when it cannot be.

use std::time::Duration;

use biplane_agent::{Reach, Tls, Transport, TransportError, Way};
use biplane_source::SourceError;

use crate::options::Address;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept. Load balancers cut them after a minute.
const IDLE: Duration = Duration::from_secs(45);

/// Makes connections to a server.
pub(super) fn connect(address: &Address, tls: &Tls) -> Result<Transport, SourceError> {
    let encrypted = || Way::Tls { host: address.host.clone(), port: address.port };
    let reach = Reach {
        server: "Vault",
        way: if address.tls { encrypted() } else { Way::Plain },
        tls: tls.clone(),
        connect_timeout: CONNECT,
        idle_timeout: Some(IDLE),
        // Every answer comes at once: the deadline of a question is enough.
        keepalive: false,
    };
    Transport::new(reach).map_err(|error| match error {
        TransportError::Tls(error) => SourceError::invalid(format!("no TLS with Vault: {error}")).hint(
            "caFile, caPath, certFile and keyFile in the URL, or BAO_CACERT and its like, name files in PEM",
        ),
        TransportError::Http(reason) => {
            SourceError::invalid(format!("no connection to {address} can be made: {reason}"))
        }
    })
}

/// What requests are made for: the address, or the name that its certificate has.
pub(super) fn base(address: &Address, tls: &Tls) -> String {
    match &tls.server_name {
        Some(name) if address.tls => format!("https://{name}:{}", address.port),
        _ => address.to_string(),
    }
}
