//! What can be set about DNS.

mod url;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use biplane_source::SourceError;

/// The servers that this machine asks.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Who is asked, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsOptions {
    /// What status and upstreams call it.
    pub name: String,
    /// Who is asked.
    pub servers: Servers,
    /// Whether Envoys wait for their first answer until names have been looked up.
    pub required: bool,
    /// The shortest time between two looks at a name, whatever its records say.
    pub refresh_min: Duration,
    /// The longest.
    pub refresh_max: Duration,
    /// How long one server has for one answer.
    pub timeout: Duration,
    /// How long after a failure it is tried again, at most.
    pub retry_max: Duration,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Those in a file like `/etc/resolv.conf`, with its search list. It is read again before each look.
    File(PathBuf),
    /// These, one after the other: the next one is asked when one fails. Names are taken as they are.
    These(Vec<SocketAddr>),
}

impl Default for DnsOptions {
    fn default() -> Self {
        Self {
            name: "dns".to_owned(),
            servers: Servers::File(RESOLV_CONF.into()),
            required: false,
            refresh_min: Duration::from_secs(1),
            refresh_max: Duration::from_mins(5),
            timeout: Duration::from_secs(5),
            retry_max: Duration::from_secs(15),
        }
    }
}

impl DnsOptions {
    /// From `dns:` (the servers of this machine) or `dns://ADDRESS:PORT,...?...` (those). The parameters are `name`,
    /// `required`, `minRefresh`, `maxRefresh`, `timeout` and `retryMax`; one that is not known is an error.
    pub fn from_url(url: &str) -> Result<Self, SourceError> {
        url::parse(url)
    }
}
