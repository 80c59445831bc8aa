//! Conditions on the addresses in `X-Forwarded-For`.
//!
//! An element that is no address is looked past, as fabio does. Where access is limited to some ranges, an element made
//! of nothing but hexadecimal digits, dots and colons (`1.2.3`) is not looked past here, unless it is an IPv4 address
//! with a port: a regex that tells all of these from addresses would be larger than the list itself.

use biplane_core::regex::MAX_PATTERN;
use ipnet::IpNet;

use super::addresses;
use crate::router::Rule;

const HEADER: &str = "x-forwarded-for";

/// What makes an element no address: a character that none has, or a colon behind a dot.
const NO_ADDRESS: &str = "[^,]*[!-+/;-@g-z\\[-`{-~-][^,]*|[0-9a-f.:]*\\.[0-9a-f.]*:[0-9a-f.:]*";

/// Room for what the table adds to a pattern.
const SPARE: usize = 256;

/// An element is an address in `ranges`.
pub(super) fn any_inside(ranges: &[IpNet]) -> Rule {
    let (mut rest, mut parts) = (ranges, Vec::new());
    while !rest.is_empty() {
        // As many as fit into one pattern.
        let candidates = (1..=rest.len()).map(|count| some_inside(&rest[..count]));
        let fitting: Vec<Rule> = candidates.take_while(|rule| !too_large(rule)).collect();
        let count = fitting.len().max(1);
        parts.push(fitting.into_iter().next_back().unwrap_or_else(|| some_inside(&rest[..count])));
        rest = &rest[count..];
    }
    Rule::Or(parts)
}

fn some_inside(ranges: &[IpNet]) -> Rule {
    line(format!("(?i)(?:.*,)?\\s*(?:{})\\s*(?:,.*)?", addresses::regex(ranges)))
}

/// An element is an address outside `ranges`.
pub(super) fn any_outside(ranges: &[IpNet]) -> Rule {
    let element = format!("{}|{NO_ADDRESS}", addresses::regex(ranges));
    let all_inside = line(format!("(?i)(?:\\s*(?:{element})?\\s*(?:,|$))*"));
    Rule::And(vec![line(".*".to_owned()), all_inside.negated()])
}

fn line(pattern: String) -> Rule {
    Rule::HeaderLine { name: HEADER.to_owned(), pattern }
}

/// Whether a pattern in `rule` is longer than objects may have them.
pub(super) fn too_large(rule: &Rule) -> bool {
    match rule {
        Rule::HeaderLine { pattern, .. } => pattern.len() + SPARE > MAX_PATTERN,
        Rule::And(rules) | Rule::Or(rules) => rules.iter().any(too_large),
        Rule::Not(rule) => too_large(rule),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    /// Whether the condition holds for a header.
    fn holds(rule: &Rule, header: &str) -> bool {
        match rule {
            Rule::And(rules) => rules.iter().all(|rule| holds(rule, header)),
            Rule::Or(rules) => rules.iter().any(|rule| holds(rule, header)),
            Rule::Not(rule) => !holds(rule, header),
            Rule::HeaderLine { pattern, .. } => {
                biplane_core::regex::check(pattern).expect("RE2 takes it");
                regex::Regex::new(&format!("^(?:{pattern})$")).expect("a regex").is_match(header)
            }
            other => panic!("not about X-Forwarded-For: {other:?}"),
        }
    }

    #[test]
    fn one_address_inside_is_enough() {
        let rule = any_inside(&nets(&["10.0.0.0/8", "2001:db8::/32"]));
        for header in ["10.1.2.3", "1.2.3.4, 10.1.2.3", "x,2001:DB8::1 ,1.2.3.4", "1.2.3.4,\t::ffff:10.0.0.1"]
        {
            assert!(holds(&rule, header), "{header}");
        }
        for header in ["", "1.2.3.4", "110.1.2.3", "10.1.2.3.4", "10.1.2.3:80", "2001:db9::1", "x10.1.2.3"] {
            assert!(!holds(&rule, header), "{header}");
        }
    }

    #[test]
    fn one_address_outside_is_enough() {
        let rule = any_outside(&nets(&["10.0.0.0/8", "2001:db8::/32"]));
        for header in
            ["1.2.3.4", "10.1.2.3, 1.2.3.4", "1.2.3.4,10.1.2.3", "10.0.0.1,::1", "::ffff:1.2.3.4, x"]
        {
            assert!(holds(&rule, header), "{header}");
        }
        for header in ["", "10.1.2.3", "10.1.2.3 , 2001:db8::7", "10.1.2.3,,", "::FFFF:10.1.2.3"] {
            assert!(!holds(&rule, header), "{header}");
        }
    }

    #[test]
    fn what_is_no_address_is_looked_past() {
        let rule = any_outside(&nets(&["10.0.0.0/8"]));
        for element in ["unknown", "_hidden", "1.2.3.4:5678", "[::1]:80", "[::1]", "fe80::1%eth0", "a-b"] {
            assert!(!holds(&rule, element), "{element}");
            assert!(!holds(&rule, &format!("10.0.0.1, {element}, 10.0.0.2")), "{element}");
            assert!(holds(&rule, &format!("{element}, 1.2.3.4")), "{element}");
        }
    }

    #[test]
    fn any_number_of_ranges_can_be_kept_out() {
        let many: Vec<IpNet> =
            (0..200).map(|i| format!("2001:db8:{i:x}::/48").parse().expect("a range")).collect();
        let rule = any_inside(&many);
        assert!(!too_large(&rule) && holds(&rule, "2001:db8:c7::1") && !holds(&rule, "2001:db8:c8::1"));
        assert!(!too_large(&any_inside(&nets(&["::/0"; 9]))));
        assert!(too_large(&any_outside(&many)));
    }
}
