//! Addresses of instances: a job may give its service a name.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::client::{Failure, Kind};

/// How long a name server may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The address of a host. What was found before stands while a name cannot be looked up.
pub(crate) async fn address(host: &str, before: &BTreeMap<String, IpAddr>) -> Result<IpAddr, Failure> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok(address);
    }
    let why = match timeout(TIMEOUT, lookup_host((host, 0))).await {
        // Always the same of several, so that a list that is shuffled is no news.
        Ok(Ok(found)) => match found.map(|found| found.ip()).min() {
            Some(address) => return Ok(address),
            None => "it has no address".to_owned(),
        },
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {TIMEOUT:?}"),
    };
    before.get(host).copied().ok_or_else(|| {
        let message = format!("cannot look up {host:?}, the address of an instance: {why}");
        Failure::of(Kind::Down, message).hint("`address` in the service block of the job")
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[tokio::test]
    async fn an_address_is_taken_as_it_is_and_a_name_is_looked_up() {
        let none = BTreeMap::new();
        let found = async |host: &str| address(host, &none).await.expect("an address");
        assert_eq!(found("10.0.0.1").await, Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(found("[::1]").await, Ipv6Addr::LOCALHOST);
        assert!(found("localhost").await.is_loopback());
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_looked_up_keeps_its_address() {
        let host = "there.is.no.such.name.invalid";
        let before = BTreeMap::from([(host.to_owned(), IpAddr::from(Ipv4Addr::new(10, 0, 0, 1)))]);
        assert_eq!(address(host, &before).await.expect("as before"), Ipv4Addr::new(10, 0, 0, 1));
        let error = address(host, &BTreeMap::new()).await.expect_err("nothing is known").error;
        assert!(error.message.contains(host) && error.hint.is_some(), "{error}");
    }
}
