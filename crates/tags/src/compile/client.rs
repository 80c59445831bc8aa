//! Conditions on the client's address, joined into the one that a matcher may have.

use ipnet::IpNet;
use serde_json::{Value, json};

/// Addresses to match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Client {
    ranges: Vec<IpNet>,
    inverted: bool,
}

/// The conditions exclude every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NobodyLeft;

/// What is asked of the client's address so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients {
    /// In one of these; `None`: anywhere.
    within: Option<Vec<IpNet>>,
    /// In none of these.
    outside: Vec<IpNet>,
}

impl Clients {
    pub(super) fn add(&mut self, ranges: &[IpNet], wanted: bool) {
        if !wanted {
            self.outside.extend(ranges);
            return;
        }
        self.within = Some(match &self.within {
            None => ranges.to_vec(),
            Some(before) => intersection(before, ranges),
        });
    }

    /// What is asked in all; `None`: nothing.
    pub(super) fn build(self) -> Result<Option<Client>, NobodyLeft> {
        let outside = IpNet::aggregate(&self.outside.iter().map(IpNet::trunc).collect());
        let Some(within) = self.within else {
            return Ok((!outside.is_empty()).then_some(Client { ranges: outside, inverted: true }));
        };
        let mut left = within;
        for hole in &outside {
            left = left.iter().flat_map(|net| without(*net, hole)).collect();
        }
        let ranges = IpNet::aggregate(&left.iter().map(IpNet::trunc).collect());
        if ranges.is_empty() { Err(NobodyLeft) } else { Ok(Some(Client { ranges, inverted: false })) }
    }
}

impl Client {
    pub(super) fn json(&self) -> Value {
        let ranges: Vec<_> = self.ranges.iter().map(ToString::to_string).collect();
        let mut json = json!({ "ranges": ranges });
        if self.inverted {
            json["invertMatch"] = json!(true);
        }
        json
    }
}

fn intersection(a: &[IpNet], b: &[IpNet]) -> Vec<IpNet> {
    let narrower = |left: &IpNet, right: &IpNet| {
        if left.contains(right) {
            return Some(*right);
        }
        right.contains(left).then_some(*left)
    };
    a.iter().flat_map(|left| b.iter().filter_map(move |right| narrower(left, right))).collect()
}

/// The network without a part of it, as networks.
fn without(net: IpNet, hole: &IpNet) -> Vec<IpNet> {
    if hole.contains(&net) {
        return Vec::new();
    }
    if !net.contains(hole) {
        return vec![net];
    }
    let halves = net.subnets(net.prefix_len() + 1).expect("a network that holds a smaller one has halves");
    halves.flat_map(|half| without(half, hole)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(conditions: &[(&[&str], bool)]) -> Result<Option<Value>, NobodyLeft> {
        let mut clients = Clients::default();
        for (ranges, wanted) in conditions {
            let ranges: Vec<IpNet> = ranges.iter().map(|range| range.parse().unwrap()).collect();
            clients.add(&ranges, *wanted);
        }
        clients.build().map(|client| client.map(|client| client.json()))
    }

    #[test]
    fn several_conditions_on_addresses_become_one() {
        assert_eq!(built(&[]), Ok(None));
        assert_eq!(
            built(&[(&["10.0.0.0/8"], true), (&["10.1.0.0/16", "192.0.2.0/24"], true)]),
            Ok(Some(json!({ "ranges": ["10.1.0.0/16"] })))
        );
        assert_eq!(
            built(&[(&["10.0.0.0/8"], false), (&["192.0.2.1/24"], false)]),
            Ok(Some(json!({ "ranges": ["10.0.0.0/8", "192.0.2.0/24"], "invertMatch": true })))
        );
        assert_eq!(
            built(&[(&["10.0.0.0/30"], true), (&["10.0.0.1/32"], false)]),
            Ok(Some(json!({ "ranges": ["10.0.0.0/32", "10.0.0.2/31"] })))
        );
    }

    #[test]
    fn addresses_that_exclude_each_other_match_nothing() {
        assert_eq!(built(&[(&["10.0.0.0/8"], true), (&["192.0.2.0/24"], true)]), Err(NobodyLeft));
        assert_eq!(built(&[(&["10.0.0.0/8"], true), (&["::/0", "0.0.0.0/0"], false)]), Err(NobodyLeft));
    }
}
