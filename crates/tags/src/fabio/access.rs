//! `allow=ip:..` and `deny=ip:..`: whom a route lets in.
//!
//! fabio leaves a route open whose ranges it cannot read; here nobody is let in then. Like fabio, the address of the
//! connection is looked at, and so is every address in `X-Forwarded-For`: one that is not let in is enough.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::forwarded;
use crate::router::{Action, Before, Rule};

/// Whom a route lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    #[default]
    Anyone,
    /// These alone.
    Only(Vec<IpNet>),
    /// All but these.
    AllBut(Vec<IpNet>),
}

/// Reads both options; an error says why nobody can be let in.
pub(super) fn read(options: &BTreeMap<String, String>) -> Result<Access, String> {
    if let Some(name) = options.keys().find(|name| misspelt(name)) {
        return Err(format!("{name} is not an option; fabio writes it in small letters"));
    }
    match (options.get("allow"), options.get("deny")) {
        (None, None) => Ok(Access::Anyone),
        (Some(_), Some(_)) => {
            Err("allow and deny stand side by side, and one route has one of them".to_owned())
        }
        (Some(allow), None) => Ok(Access::Only(ranges("allow", allow)?)),
        (None, Some(deny)) => Ok(Access::AllBut(ranges("deny", deny)?)),
    }
}

/// `Allow`, `DENY`: fabio would not look at them.
fn misspelt(name: &str) -> bool {
    ["allow", "deny"].iter().any(|guard| name != *guard && name.eq_ignore_ascii_case(guard))
}

fn ranges(option: &str, value: &str) -> Result<Vec<IpNet>, String> {
    value.split(',').map(|item| range(item).map_err(|why| format!("{option}={value}: {why}"))).collect()
}

/// `ip:10.0.0.0/8`, `ip:fe80::1`.
fn range(item: &str) -> Result<IpNet, String> {
    let (kind, text) =
        item.split_once(':').ok_or_else(|| format!("{item:?} is not ip:<address or range>"))?;
    if !kind.eq_ignore_ascii_case("ip") {
        return Err(format!("{kind:?} is not a kind of access rule; only ip is"));
    }
    net(text).ok_or_else(|| format!("{text:?} is neither an IP address nor a range of them"))
}

fn net(text: &str) -> Option<IpNet> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) if bits.bytes().all(|b| b.is_ascii_digit()) => (address, Some(bits)),
        Some(_) => return None,
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(all), |bits| bits.parse().ok())?;
    Some(plain(IpNet::new(address, bits).ok()?.trunc()))
}

/// IPv4 addresses that are written as IPv6 (`::ffff:10.0.0.0/104`) count as IPv4.
fn plain(net: IpNet) -> IpNet {
    let IpNet::V6(six) = net else { return net };
    let mapped = six.network().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    mapped.and_then(|(address, bits)| Ipv4Net::new(address, bits).ok()).map_or(net, IpNet::V4)
}

impl Access {
    /// The answers that come before the route's own.
    pub(super) fn before(&self) -> Vec<Before> {
        let rules = match self {
            Self::Anyone => Vec::new(),
            Self::Only(ranges) => {
                vec![Rule::ClientIp(ranges.clone()).negated(), forwarded::any_outside(ranges)]
            }
            Self::AllBut(ranges) => vec![Rule::ClientIp(ranges.clone()), forwarded::any_inside(ranges)],
        };
        rules.into_iter().map(|when| Before { when, action: denied() }).collect()
    }

    /// Whether what it takes to look at `X-Forwarded-For` is more than Envoy is given.
    pub(super) fn too_large(&self) -> bool {
        match self {
            Self::Anyone => false,
            Self::Only(ranges) => forwarded::too_large(&forwarded::any_outside(ranges)),
            Self::AllBut(ranges) => forwarded::too_large(&forwarded::any_inside(ranges)),
        }
    }
}

fn denied() -> Action {
    Action::Respond { status: 403, body: "access denied".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Access, String> {
        let pair =
            |option: &str| option.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        read(&text.split(' ').filter_map(pair).collect())
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    #[test]
    fn addresses_are_ranges_of_one() {
        let read = of("allow=ip:10.1.2.3/8,IP:fe80::1,ip:1.2.3.4");
        assert_eq!(read, Ok(Access::Only(nets(&["10.0.0.0/8", "fe80::1/128", "1.2.3.4/32"]))));
        assert_eq!(of("deny=ip:2001:db8::/32"), Ok(Access::AllBut(nets(&["2001:db8::/32"]))));
        assert_eq!(of("strip=/a"), Ok(Access::Anyone));
    }

    #[test]
    fn mapped_addresses_count_as_ipv4() {
        let read = of("deny=ip:::ffff:10.0.0.0/104,ip:::ffff:1.2.3.4");
        assert_eq!(read, Ok(Access::AllBut(nets(&["10.0.0.0/8", "1.2.3.4/32"]))));
        assert_eq!(of("deny=ip:::/0"), Ok(Access::AllBut(nets(&["::/0"]))));
    }

    #[test]
    fn what_cannot_be_read_lets_nobody_in() {
        for text in [
            "allow=",
            "deny=",
            "allow=ip:",
            "allow=10.0.0.0/8",
            "allow=ip:10/8",
            "deny=ip:10.0.0.0/33",
            "deny=ip:10.0.0.0/",
            "deny=ip:10.0.0.0/+8",
            "deny=ip:10.0.0.01",
            "allow=ip:10.0.0.1,",
            "allow=net:10.0.0.1",
            "allow=ip:example.com",
            "allow=ip:fe80::1%eth0",
            "allow=ip:10.0.0.1 deny=ip:10.0.0.2",
            "Allow=ip:10.0.0.1",
            "DENY=ip:10.0.0.1",
        ] {
            assert!(of(text).is_err(), "{text}: {:?}", of(text));
        }
    }
}
