//! How an agent is reached, and what is said when it cannot be.

use std::time::Duration;

use biplane_agent::{Reach, Tls, Transport, TransportError, Way};
use biplane_source::SourceError;
use reqwest::Url;

use crate::options::Address;

/// How long a connection may take to come about, at most.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept. Load balancers cut them after a minute.
const IDLE: Duration = Duration::from_secs(45);

/// Makes connections to an agent.
pub(super) fn connect(address: &Address, tls: &Tls, timeout: Duration) -> Result<Transport, SourceError> {
    let way = match address {
        Address::Tcp { tls: true, host, port } => Way::Tls { host: host.clone(), port: *port },
        Address::Tcp { tls: false, .. } => Way::Plain,
        Address::Unix(path) => Way::Unix(path.clone()),
    };
    let reach = Reach {
        server: "Nomad",
        way,
        tls: tls.clone(),
        connect_timeout: CONNECT.min(timeout),
        idle_timeout: Some(IDLE),
        keepalive: true,
    };
    Transport::new(reach).map_err(|error| match error {
        TransportError::Tls(error) => SourceError::invalid(format!("no TLS with Nomad: {error}")).hint(
            "caFile, caPath, certFile and keyFile in the URL, or NOMAD_CACERT and its like, name files in PEM",
        ),
        TransportError::Http(reason) => {
            SourceError::invalid(format!("no connection to {address} can be made: {reason}"))
        }
    })
}

/// What requests are made for: the address, or the name that its certificate has.
pub(super) fn base(address: &Address, tls: &Tls) -> Result<Url, SourceError> {
    let text = match (address, &tls.server_name) {
        (Address::Tcp { port, tls: true, .. }, Some(name)) => format!("https://{name}:{port}"),
        // Nobody looks at it: the socket is the address.
        (Address::Unix(_), _) => "http://localhost".to_owned(),
        _ => address.to_string(),
    };
    text.parse().map_err(|_| SourceError::invalid(format!("{text} is no address of an agent")))
}
