//! How an agent is reached, and what is said when it cannot be.

use biplane_agent::{Reach, Transport, TransportError, Way};

use crate::address::Address;
use crate::error::Error;
use crate::settings::Settings;

/// Makes connections to an agent.
pub(crate) fn connect(settings: &Settings) -> Result<Transport, Error> {
    // Consul's own tools refuse it, too.
    if settings.address.is_tls() && settings.tls.cert_file.is_some() != settings.tls.key_file.is_some() {
        return Err(Error::invalid("a client certificate and its key go together: one of them is missing"));
    }
    let way = match &settings.address {
        Address::Tcp { tls: true, host, port } => Way::Tls { host: host.clone(), port: *port },
        Address::Tcp { tls: false, .. } => Way::Plain,
        Address::Unix(path) => Way::Unix(path.clone()),
    };
    let reach = Reach {
        server: "Consul",
        way,
        tls: settings.tls.clone(),
        connect_timeout: settings.connect_timeout,
        idle_timeout: None,
        keepalive: true,
    };
    Transport::new(reach).map_err(|error| match error {
        TransportError::Tls(error) => Error::invalid(error.to_string()),
        TransportError::Http(reason) => Error::invalid(format!("no HTTP client can be made: {reason}")),
    })
}
