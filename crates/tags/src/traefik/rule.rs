//! A router's rule, in the syntax of Traefik's version 3: which matchers there are, what they take, and what of it
//! Traefik would refuse. A rule that it refuses makes no router, so it must not make a route here either.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use biplane_core::regex;
use ipnet::IpNet;

use super::expression::{self, Call, Expression};
use crate::router::Rule;

/// The text is not a rule.
pub use super::expression::Invalid as RuleError;

/// A matcher's name and how many texts it takes.
const MATCHERS: [(&str, RangeInclusive<usize>); 11] = [
    ("ClientIP", 1..=1),
    ("Method", 1..=1),
    ("Host", 1..=1),
    ("HostRegexp", 1..=1),
    ("Path", 1..=1),
    ("PathRegexp", 1..=1),
    ("PathPrefix", 1..=1),
    ("Header", 2..=2),
    ("HeaderRegexp", 2..=2),
    ("Query", 1..=2),
    ("QueryRegexp", 1..=2),
];
/// Names of version 2 and what version 3 has for them.
const OF_VERSION_2: [(&str, &str); 4] =
    [("Headers", "Header"), ("HeadersRegexp", "HeaderRegexp"), ("HostHeader", "Host"), ("HostSNI", "Host")];

/// Reads a rule.
pub fn parse(text: &str) -> Result<Rule, RuleError> {
    convert(expression::parse(text)?)
}

/// The priority of a router that sets none: the length of its rule in bytes.
pub fn priority(rule: &str) -> i64 {
    i64::try_from(rule.len()).unwrap_or(i64::MAX)
}

fn convert(expression: Expression) -> Result<Rule, RuleError> {
    Ok(match expression {
        Expression::And(left, right) => Rule::And(vec![convert(*left)?, convert(*right)?]),
        Expression::Or(left, right) => Rule::Or(vec![convert(*left)?, convert(*right)?]),
        Expression::Not(inner) => convert(*inner)?.negated(),
        Expression::Call(call) => matcher(&call)?,
    })
}

fn matcher(call: &Call) -> Result<Rule, RuleError> {
    let (name, counts) = named(call)?;
    check_arguments(call, counts)?;
    let fail = |message: String| RuleError::new(call.position, format!("{name}: {message}"));
    let first = call.arguments[0].clone();
    let second = call.arguments.get(1).cloned();
    Ok(match name {
        "ClientIP" => Rule::ClientIp(vec![range(&first).map_err(fail)?]),
        "Method" => Rule::Method(first.to_uppercase()),
        "Host" => host(ascii(&first).map_err(fail)?),
        "HostRegexp" => Rule::HostRegexp(pattern(ascii(&first).map_err(fail)?).map_err(fail)?),
        "Path" => Rule::Path(path(&first).map_err(fail)?),
        "PathPrefix" => Rule::PathPrefix(path(&first).map_err(fail)?),
        "PathRegexp" => Rule::PathRegexp(pattern(&first).map_err(fail)?),
        "Header" => Rule::Header { name: first, value: second.unwrap_or_default() },
        "HeaderRegexp" => {
            Rule::HeaderRegexp { name: first, pattern: pattern(&second.unwrap_or_default()).map_err(fail)? }
        }
        // Without a second text Traefik asks `QueryRegexp` too for an empty value.
        "QueryRegexp" => match second {
            Some(regex) => Rule::QueryRegexp { name: first, pattern: pattern(&regex).map_err(fail)? },
            None => Rule::Query { name: first, value: None },
        },
        _ => Rule::Query { name: first, value: second },
    })
}

/// The matcher that a call means: Traefik knows its name as it is, in small letters, in capitals, and with a capital
/// at the start only.
fn named(call: &Call) -> Result<(&'static str, &'static RangeInclusive<usize>), RuleError> {
    let known = MATCHERS.iter().find(|(name, _)| spellings(name).contains(&call.name));
    if let Some((name, counts)) = known {
        return Ok((name, counts));
    }
    let error = RuleError::new(call.position, format!("there is no matcher {}", call.name));
    let near = MATCHERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&call.name));
    let old = OF_VERSION_2.iter().find(|(name, _)| *name == call.name);
    Err(match (near, old) {
        (Some((name, _)), _) => error.hint(format!("write {name}")),
        (_, Some((_, new))) => error.hint(format!("since version 3 of the rules it is {new}")),
        _ => error.hint(format!("the matchers are {}", MATCHERS.map(|(name, _)| name).join(", "))),
    })
}

fn spellings(name: &str) -> [String; 4] {
    let small = name.to_lowercase();
    let title = format!("{}{}", &name[..1], &small[1..]);
    [name.to_owned(), name.to_uppercase(), title, small]
}

fn check_arguments(call: &Call, counts: &RangeInclusive<usize>) -> Result<(), RuleError> {
    let fail = |message: String| RuleError::new(call.position, format!("{}: {message}", call.name));
    let count = call.arguments.len();
    if !counts.contains(&count) {
        let (least, most) = (counts.start(), counts.end());
        let wanted = if least == most { least.to_string() } else { format!("{least} or {most}") };
        let error = fail(format!("takes {wanted} texts and has {count}"));
        return Err(if count > *most {
            error.hint(format!("join several with ||: {name}(`a`) || {name}(`b`)", name = call.name))
        } else {
            error
        });
    }
    if call.arguments.iter().any(String::is_empty) {
        return Err(fail("a text is empty".to_owned()));
    }
    Ok(())
}

fn ascii(text: &str) -> Result<&str, String> {
    match text.chars().find(|c| !c.is_ascii()) {
        Some(c) => {
            Err(format!("{c} is no ASCII character; names of hosts are written in Punycode (xn--...)"))
        }
        None => Ok(text),
    }
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err(format!("{text:?} does not start with /")) }
}

fn pattern(text: &str) -> Result<String, String> {
    regex::check(text)
        .map(|()| text.to_owned())
        .map_err(|error| format!("{text:?} is no regex of RE2: {error}"))
}

/// What `Host` compares with, in small letters. What no request can carry, such as a port or a star within, matches
/// nothing, as it does with Traefik.
fn host(text: &str) -> Rule {
    let text = text.to_ascii_lowercase();
    let name = text.strip_suffix('.').unwrap_or(&text);
    if name.parse::<std::net::Ipv6Addr>().is_ok() {
        return Rule::Host(name.to_owned());
    }
    let (stars, rest) = match (name.strip_prefix("**."), name.strip_prefix("*.")) {
        (Some(rest), _) => ("**", rest),
        (_, Some(rest)) => ("*", rest),
        _ => ("", name),
    };
    let impossible = |c: char| "*/?#@: ".contains(c) || c.is_control();
    match stars {
        _ if name == "*" => Rule::Host("*".to_owned()),
        _ if rest.is_empty() || rest.contains(impossible) => Rule::Or(Vec::new()),
        "**" => Rule::HostSuffix(format!(".{rest}")),
        _ => Rule::Host(name.to_owned()),
    }
}

/// An address or a range in Traefik's form: `10.0.0.0/8`; bits behind those that count are ignored.
pub(crate) fn range(text: &str) -> Result<IpNet, String> {
    let fail = || format!("{text:?} is neither an address nor a range such as 10.0.0.0/8");
    let Some((address, bits)) = text.split_once('/') else {
        return text.parse::<IpAddr>().map(IpNet::from).map_err(|_| fail());
    };
    let plain = (1..4).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_digit());
    let bits = bits.parse::<u8>().ok().filter(|_| plain).ok_or_else(fail)?;
    let address: IpAddr = address.parse().map_err(|_| fail())?;
    IpNet::new(address, bits).map(|range| range.trunc()).map_err(|_| fail())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_of(text: &str) -> Rule {
        parse(&format!("Host(`{text}`)")).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn hosts_are_in_small_letters_and_without_the_last_dot() {
        assert_eq!(host_of("Shop.Example."), Rule::Host("shop.example".to_owned()));
        assert_eq!(host_of("*.Example"), Rule::Host("*.example".to_owned()));
        assert_eq!(host_of("*"), Rule::Host("*".to_owned()));
        assert_eq!(host_of("**.example"), Rule::HostSuffix(".example".to_owned()));
        assert_eq!(host_of("fe80::1"), Rule::Host("fe80::1".to_owned()));
    }

    #[test]
    fn hosts_that_no_request_carries_match_nothing() {
        for text in ["shop.example:8080", "a*.example", "shop.*", "*shop", "a/b", "a b"] {
            assert_eq!(host_of(text), Rule::Or(Vec::new()), "{text}");
        }
    }

    #[test]
    fn matchers_are_known_in_four_spellings() {
        for name in ["PathPrefix", "pathprefix", "PATHPREFIX", "Pathprefix"] {
            assert!(parse(&format!("{name}(`/a`)")).is_ok(), "{name}");
        }
        let error = parse("pathPrefix(`/a`)").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("write PathPrefix"));
        let error = parse("Host(`a`) && Headers(`a`, `b`)").unwrap_err();
        assert_eq!(
            (error.position, error.hint.as_deref()),
            (13, Some("since version 3 of the rules it is Header"))
        );
    }

    #[test]
    fn what_traefik_refuses_is_refused() {
        for (rule, part) in [
            ("Host()", "takes 1 texts and has 0"),
            ("Host(`a`, `b`)", "takes 1 texts and has 2"),
            ("Host(``)", "empty"),
            ("Host(`müller.example`)", "Punycode"),
            ("HostRegexp(`ü`)", "Punycode"),
            ("HostRegexp(`(`)", "no regex"),
            ("Path(`a`)", "does not start with /"),
            ("PathPrefix(`a`)", "does not start with /"),
            ("PathRegexp(`(?=a)`)", "no regex"),
            ("Header(`a`)", "takes 2"),
            ("HeaderRegexp(`a`, `[`)", "no regex"),
            ("Query(`a`, ``)", "empty"),
            ("Query(`a`, `b`, `c`)", "takes 1 or 2"),
            ("QueryRegexp(`a`, `*`)", "no regex"),
            ("ClientIP(`10.0.0.0/33`)", "neither an address"),
            ("ClientIP(`010.0.0.1`)", "neither an address"),
            ("ClientIP(`10.0.0.1/+8`)", "neither an address"),
            ("ClientIP(`example.com`)", "neither an address"),
            ("Nosuch(`a`)", "no matcher Nosuch"),
        ] {
            let error = parse(rule).expect_err(rule);
            assert!(error.message.contains(part), "{rule}: {error}");
        }
    }

    #[test]
    fn ranges_lose_the_bits_that_do_not_count() {
        assert_eq!(range("10.1.2.3/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(range("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(range("2001:db8::1/32").unwrap().to_string(), "2001:db8::/32");
    }

    #[test]
    fn operators_and_values_come_through() {
        let rule = parse("!Method(`get`) && (Query(`a`) || QueryRegexp(`a`, `^b`))").unwrap();
        let query = Rule::Query { name: "a".to_owned(), value: None };
        let regexp = Rule::QueryRegexp { name: "a".to_owned(), pattern: "^b".to_owned() };
        let method = Rule::Method("GET".to_owned()).negated();
        assert_eq!(rule, Rule::And(vec![method, Rule::Or(vec![query, regexp])]));
    }
}
