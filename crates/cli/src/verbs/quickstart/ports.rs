//! Ports that are free: those that people remember where nobody has them, others otherwise.

use std::net::{Ipv4Addr, TcpListener};

use crate::exit::Failure;

/// The ports of the demo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) gateway: u16,
    pub(super) xds: u16,
    pub(super) admin: u16,
    pub(super) envoy_admin: u16,
}

impl Ports {
    /// Free ports. A run that nobody looks at takes any, so that several can run at once.
    pub(super) fn choose(any: bool) -> Result<Self, Failure> {
        // All are held until all are chosen, or one could be chosen twice.
        let held = [8080, 9977, 9978, 19000].map(|usual| hold(if any { 0 } else { usual }));
        let [gateway, xds, admin, envoy_admin] = held;
        let held = [gateway?, xds?, admin?, envoy_admin?];
        let [gateway, xds, admin, envoy_admin] =
            held.each_ref().map(|listener| listener.local_addr().expect("bound by hold()").port());
        Ok(Self { gateway, xds, admin, envoy_admin })
    }
}

fn hold(usual: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, usual))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .map_err(|error| Failure::failed(format!("cannot find a free port on loopback: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let taken = hold(0).expect("a free port");
        let port = taken.local_addr().expect("bound").port();
        let other = hold(port).expect("another port").local_addr().expect("bound").port();
        assert_ne!(other, port);
    }
}
