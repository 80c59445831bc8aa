//! Addresses in all their writings, against the parser of the standard library.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::regex;

fn whole(nets: &[IpNet]) -> regex::Regex {
    regex::Regex::new(&format!("(?i)^(?:{})$", regex(nets))).expect("a regex")
}

/// Whether the text is an address in one of the ranges, as it is or, where it is mapped, as IPv4.
fn inside(nets: &[IpNet], text: &str) -> bool {
    let within = |address: IpAddr| {
        nets.iter().any(|net| net.contains(&address) || net.contains(&address.to_canonical()))
    };
    text.parse().is_ok_and(within)
}

/// Eight groups of mostly zeros and of what is in the ranges below.
fn groups() -> impl Strategy<Value = [u16; 8]> {
    let group = prop_oneof![
        4 => Just(0_u16),
        2 => Just(0xffff),
        1 => prop_oneof![Just(0x2001), Just(0x0db8), Just(0xfe80), Just(0x0a00), Just(0x0a01), Just(1)],
        1 => any::<u16>(),
    ];
    proptest::array::uniform8(group)
}

/// A writing of an address: where `::` begins and how much it takes, leading zeros, capitals, a dotted end.
fn written(
    groups: [u16; 8],
    gap: Option<(usize, usize)>,
    zeros: usize,
    capitals: bool,
    dots: bool,
) -> String {
    let digits = |group: &u16| {
        if capitals { format!("{group:0zeros$X}") } else { format!("{group:0zeros$x}") }
    };
    let mut words: Vec<String> = groups.iter().map(digits).collect();
    if dots {
        let [.., a, b, c, d] = Ipv6Addr::from(groups).octets();
        words.truncate(6);
        words.push(format!("{a}.{b}.{c}.{d}"));
    }
    let Some((start, end)) = gap else { return words.join(":") };
    let (start, end) = (start.min(words.len()), end.min(words.len()));
    format!("{}::{}", words[..start].join(":"), words[end..].join(":"))
}

fn nets() -> impl Strategy<Value = Vec<IpNet>> {
    let six =
        (groups(), 0..=128_u8).prop_map(|(groups, bits)| IpNet::new(Ipv6Addr::from(groups).into(), bits));
    let four = (any::<[u8; 4]>(), 0..=32_u8).prop_map(|(octets, bits)| IpNet::new(octets.into(), bits));
    let near = (0..=32_u8).prop_map(|bits| IpNet::new([10, 0, 0, 1].into(), bits));
    let one = prop_oneof![six, four, near].prop_map(|net| net.expect("few enough bits").trunc());
    proptest::collection::vec(one, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Random writings: of addresses in a range and outside, and of nothing at all.
    #[test]
    fn a_writing_matches_exactly_if_it_is_an_address_of_a_range(
        nets in nets(),
        groups in groups(),
        bits in 0..=128_u32,
        gap in proptest::option::of((0..8_usize, 1..9_usize)),
        zeros in 0..5_usize,
        capitals: bool,
        dots: bool,
    ) {
        let pattern = whole(&nets);
        for net in &nets {
            // Near the range: its own first bits, then some of others.
            let base = match net.network() {
                IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
                IpAddr::V6(six) => six.to_bits(),
            };
            let random = Ipv6Addr::from(groups).to_bits();
            let mask = u128::MAX.checked_shr(bits).unwrap_or_default();
            let near = Ipv6Addr::from_bits((base & !mask) | (random & mask));
            for address in [near, Ipv6Addr::from(groups)] {
                let gap = gap.map(|(start, length)| (start, start + length));
                let text = written(address.segments(), gap, zeros, capitals, dots);
                prop_assert_eq!(pattern.is_match(&text), inside(&nets, &text), "{:?}: {}", &nets, text);
                let short = address.to_canonical().to_string();
                prop_assert_eq!(pattern.is_match(&short), inside(&nets, &short), "{:?}: {}", &nets, short);
            }
        }
    }
}

#[test]
fn every_place_of_the_two_colons_is_known() {
    let nets = ["::/0".parse().expect("a range")];
    let pattern = whole(&nets);
    for start in 0..=8 {
        for end in start..=8 {
            let text =
                written([0x1, 0x22, 0x333, 0x4444, 0x5, 0x6, 0x7, 0x8], Some((start, end)), 0, false, false);
            assert_eq!(pattern.is_match(&text), inside(&nets, &text), "{text}");
        }
    }
}

#[test]
fn ipv4_addresses_are_known_in_ipv6() {
    let nets = ["10.0.0.0/8".parse().expect("a range")];
    let pattern = whole(&nets);
    for text in [
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "::FFFF:0a01:0203",
        "0:0:0:0:0:ffff:a01:203",
        "0:0::0:ffff:10.1.2.3",
        "0:0:0:0:0:ffff:a00::",
        "0000:0000:0000:0000:0000:ffff:0a00:0000",
    ] {
        assert!(inside(&nets, text) && pattern.is_match(text), "{text}");
    }
    for text in ["11.1.2.3", "010.1.2.3", "10.1.2", "::10.1.2.3", "::ffff:11.1.2.3", "::fff:10.1.2.3"] {
        assert!(!inside(&nets, text) && !pattern.is_match(text), "{text}");
    }
}

#[test]
fn fifty_ranges_have_room_in_one_pattern() {
    let nets: Vec<IpNet> =
        (0..50).map(|i| format!("10.{i}.{}.0/22", (i * 2) & 0xfc).parse().expect("a range")).collect();
    assert!(regex(&nets).len() < biplane_core::regex::MAX_PATTERN, "{}", regex(&nets).len());
    biplane_core::regex::check(&regex(&nets)).expect("RE2 takes it");
}
