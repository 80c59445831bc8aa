//! Regexes (RE2, in small letters) for the ways to write the addresses of a range.
//!
//! IPv6 has many: leading zeros, `::` in place of any run of zeros, the last two groups as an IPv4 address. And every
//! IPv4 address can be written as `::ffff:1.2.3.4`. All of them are matched, since a `deny` holds for each.

mod decimal;
mod group;

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use group::Group;

/// `::ffff:` without the addresses behind it: five groups of zeros, some of them as `::`.
const MAPPED: &str = "(?:(?:0{1,4}:){5}|::(?:0{1,4}:){0,4}|(?:0{1,4}:){1}:(?:0{1,4}:){0,3}\
    |(?:0{1,4}:){2}:(?:0{1,4}:){0,2}|(?:0{1,4}:){3}:(?:0{1,4}:)?|(?:0{1,4}:){4}:)f{4}:";

/// A regex without anchors for the addresses in `ranges`.
pub(super) fn regex(ranges: &[IpNet]) -> String {
    let mut alternatives = Vec::new();
    let four: Vec<Ipv4Net> = ranges.iter().filter_map(v4).collect();
    if !four.is_empty() {
        let dotted = join(four.iter().map(|net| dotted(net.network(), net.prefix_len())));
        let pairs = join(four.iter().map(|net| pair(*net)));
        alternatives.push(format!("(?:{MAPPED})?(?:{dotted})|{MAPPED}(?:{pairs})"));
        let short = join(four.iter().filter_map(|net| short_pair(*net)));
        if !short.is_empty() {
            alternatives.push(format!("(?:0{{1,4}}:){{5}}f{{4}}:(?:{short})"));
        }
    }
    alternatives.extend(ranges.iter().filter_map(v6).map(six));
    join(alternatives)
}

fn v4(net: &IpNet) -> Option<Ipv4Net> {
    if let IpNet::V4(net) = net { Some(*net) } else { None }
}

fn v6(net: &IpNet) -> Option<Ipv6Net> {
    if let IpNet::V6(net) = net { Some(*net) } else { None }
}

fn join(alternatives: impl IntoIterator<Item = String>) -> String {
    alternatives.into_iter().collect::<Vec<_>>().join("|")
}

/// IPv4 addresses whose first `bits` are those of `network`.
fn dotted(network: Ipv4Addr, bits: u8) -> String {
    let octet = |(index, octet): (usize, &u8)| {
        let fixed = usize::from(bits).saturating_sub(index * 8).min(8);
        let free = u8::try_from(0xff_u32 >> fixed).expect("a mask of eight bits");
        decimal::range(*octet & !free, *octet | free)
    };
    network.octets().iter().enumerate().map(octet).collect::<Vec<_>>().join("\\.")
}

/// The last two of the groups of the same addresses, written in IPv6.
fn groups_of(net: Ipv4Net) -> [Group; 2] {
    let [a, b, c, d] = net.network().octets();
    let bits = net.prefix_len();
    [
        Group::new(u16::from_be_bytes([a, b]), bits.min(16)),
        Group::new(u16::from_be_bytes([c, d]), bits.saturating_sub(16)),
    ]
}

fn pair(net: Ipv4Net) -> String {
    let [high, low] = groups_of(net);
    format!("{high}:{low}")
}

/// The same with `::` in place of one or both of them, which are zeros.
fn short_pair(net: Ipv4Net) -> Option<String> {
    let [high, low] = groups_of(net);
    match (high.may_be_zero(), low.may_be_zero()) {
        (true, true) => Some(format!(":(?:{low})?|{high}::")),
        (true, false) => Some(format!(":{low}")),
        (false, true) => Some(format!("{high}::")),
        (false, false) => None,
    }
}

/// IPv6 addresses of a range.
fn six(net: Ipv6Net) -> String {
    let address = net.network();
    Six {
        groups: group::all(address, net.prefix_len()),
        dotted: dotted(last_four(address), net.prefix_len().saturating_sub(96)),
    }
    .rest(0)
}

fn last_four(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

/// What the eight groups of an address may be, and the last two as an IPv4 address.
struct Six {
    groups: [Group; 8],
    dotted: String,
}

impl Six {
    /// What may stand behind the first `read` groups and the colon after them: the next group, or the other colon of `::`.
    fn rest(&self, read: usize) -> String {
        let mut alternatives = Vec::new();
        if self.groups[read].may_be_zero() {
            let colon = if read == 0 { "::" } else { ":" };
            alternatives.push(format!("{colon}{}", self.behind_ellipsis(read)));
        }
        if read == 6 {
            alternatives.push(self.dotted.clone());
        }
        if read < 7 {
            alternatives.push(format!("{}:{}", self.groups[read], self.rest(read + 1)));
        } else {
            // The colon of `::` in place of the last group, or that group.
            alternatives.push(self.groups[read].to_string());
        }
        format!("(?:{})", alternatives.join("|"))
    }

    /// What may stand behind a `::` that takes the place of the group at `gap`, and of as many after it as are zeros.
    fn behind_ellipsis(&self, gap: usize) -> String {
        let plain = self.suffixes(gap, 8, "");
        if gap > 5 {
            return plain;
        }
        format!("(?:{plain}|{})", self.suffixes(gap, 6, &self.dotted))
    }

    /// The groups from one behind `gap` up to `end`, then `last`; each may be missing if it and all before it are zeros.
    fn suffixes(&self, gap: usize, end: usize, last: &str) -> String {
        let mut text = String::new();
        let mut zeros = true;
        for (index, group) in self.groups.iter().enumerate().take(end).skip(gap + 1) {
            text = optional(text, zeros);
            text.push_str(&group.to_string());
            if index < 7 {
                text.push(':');
            }
            zeros &= group.may_be_zero();
        }
        optional(text, zeros) + last
    }
}

/// `text`, which may be missing where it would be zeros.
fn optional(text: String, zeros: bool) -> String {
    if zeros && !text.is_empty() { format!("(?:{text})?") } else { text }
}

#[cfg(test)]
mod tests;
