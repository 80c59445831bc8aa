//! Rules and the matchers that come of them.

use serde_json::{Value, json};

use super::*;

fn exact(host: &str) -> Domain {
    Domain::Exact(host.to_owned())
}

fn on(rule: &Rule, domain: &Domain) -> Vec<Value> {
    compile(rule)
        .unwrap()
        .iter()
        .filter_map(|branch| branch.on(domain))
        .map(|matcher| matcher.json())
        .collect()
}

fn host(text: &str) -> Rule {
    Rule::Host(text.to_owned())
}

fn header(name: &str, value: &str) -> Rule {
    Rule::Header { name: name.to_owned(), value: value.to_owned() }
}

#[test]
fn a_host_is_decided_on_its_domain_and_asked_for_elsewhere() {
    let rule = host("Example.com.");
    assert_eq!(on(&rule, &exact("example.com")), [json!({ "prefix": "/" })]);
    assert!(on(&rule, &exact("example.org")).is_empty());
    assert!(on(&rule, &Domain::Suffix(".example.org".to_owned())).is_empty());
    let asked = json!({ "name": ":authority", "value": r"(?i)example\.com\.?(?::[0-9]+)?", "regex": true });
    assert_eq!(on(&rule, &Domain::Any), [json!({ "prefix": "/", "headers": [asked] })]);
}

#[test]
fn one_label_in_front_is_not_two() {
    let rule = host("*.example.com");
    assert!(on(&rule, &exact("a.b.example.com")).is_empty());
    assert_eq!(on(&rule, &exact("a.example.com")).len(), 1);
    assert!(on(&rule, &Domain::Suffix(".b.example.com".to_owned())).is_empty());
    let asked = on(&rule, &Domain::Suffix(".example.com".to_owned()))[0]["headers"][0]["value"].clone();
    assert_eq!(asked, r"(?i)[^.:]+\.example\.com\.?(?::[0-9]+)?");
}

#[test]
fn a_pattern_of_hosts_is_bound_by_what_it_ends_in() {
    let claim = |text: &str| compile(&Rule::HostRegexp(text.to_owned())).unwrap()[0].claim();
    assert_eq!(claim(r"^.+\.example\.com$"), Domain::Suffix(".example.com".to_owned()));
    assert_eq!(claim(r"^a\.example\.com$"), exact("a.example.com"));
    assert_eq!(claim(r"^t[0-9]\.example\.com$"), Domain::Suffix(".example.com".to_owned()));
    assert_eq!(claim(r"example\.com"), Domain::Any);
    assert_eq!(claim(r"^(a|b)$"), Domain::Any);
}

#[test]
fn capitals_in_a_pattern_of_hosts_match_nothing() {
    let rule = Rule::HostRegexp(r"^[A-Z]+\.com$".to_owned());
    assert!(on(&rule, &exact("example.com")).is_empty());
    let rule = Rule::HostRegexp(r"^[a-zA-Z-]+\.com$".to_owned());
    assert_eq!(on(&rule, &exact("example.com")).len(), 1);
}

#[test]
fn a_host_with_a_port_or_other_characters_matches_nothing() {
    for text in ["example.com:8080", "a b", "*", "*example.com"] {
        let branches = compile(&host(text)).unwrap();
        assert_eq!(branches.is_empty(), text != "*", "{text}");
    }
}

#[test]
fn what_contradicts_itself_has_no_branch() {
    let both = |a, b| Rule::And(vec![a, b]);
    let method = |text: &str| Rule::Method(text.to_owned());
    for rule in [
        both(host("a.com"), host("b.com")),
        both(host("a.com"), host("a.com").negated()),
        both(host("*.a.com"), host("a.com")),
        both(method("GET"), method("PUT")),
    ] {
        assert_eq!(compile(&rule).unwrap(), [], "{rule:?}");
    }
}

#[test]
fn a_negated_header_matches_where_the_header_is_missing() {
    let value = "(?:.*,)?1(?:,.*)?";
    assert_eq!(
        on(&header("X-A", "1").negated(), &Domain::Any),
        [
            json!({ "prefix": "/", "headers": [{ "name": "x-a", "invertMatch": true }] }),
            json!({ "prefix": "/", "headers": [{ "name": "x-a", "value": value, "regex": true, "invertMatch": true }] }),
        ]
    );
}

#[test]
fn a_header_as_a_whole_is_not_taken_apart() {
    let line = |pattern: &str| Rule::HeaderLine { name: "X-A".to_owned(), pattern: pattern.to_owned() };
    assert_eq!(
        on(&line("a(,b)?"), &Domain::Any),
        [json!({ "prefix": "/", "headers": [{ "name": "x-a", "value": "a(,b)?", "regex": true }] })]
    );
    // There, and not this: not two branches, one of which asks for a header that is missing and is there.
    let rule = Rule::And(vec![line(".*"), line("a").negated()]);
    let there = json!({ "name": "x-a", "value": ".*", "regex": true });
    let not = json!({ "name": "x-a", "value": "a", "regex": true, "invertMatch": true });
    assert_eq!(on(&rule, &Domain::Any), [json!({ "prefix": "/", "headers": [there, not] })]);
    assert!(compile(&line("(")).is_err());
}

#[test]
fn several_paths_are_one_path_and_headers() {
    let rule = Rule::And(vec![
        Rule::PathPrefix("/api".to_owned()),
        Rule::PathRegexp("/v[0-9]/".to_owned()),
        Rule::Path("/api/v1/x y".to_owned()).negated(),
    ]);
    let path = |value: &str| json!({ "name": ":path", "value": value, "regex": true });
    let mut not = path(r"/api/v1/x(?: |%20)y(?:\?.*)?");
    not["invertMatch"] = json!(true);
    assert_eq!(
        on(&rule, &Domain::Any),
        [json!({ "prefix": "/api", "headers": [not, path(r"[^?]*/v[0-9]/[^?]*(?:\?.*)?")] })]
    );
}

#[test]
fn a_path_that_decoding_never_yields_matches_nothing() {
    for path in ["/a?b", "/a#b", "a", "/a%20b", "/%61"] {
        assert_eq!(compile(&Rule::Path(path.to_owned())).unwrap(), [], "{path}");
    }
}

#[test]
fn what_is_encoded_is_compared_without_the_case_of_its_digits() {
    let path = |path: &str| on(&Rule::Path(path.to_owned()), &Domain::Any);
    assert_eq!(path("/a%2Fb"), [json!({ "regex": "/a%2[Ff]b" })]);
    let regex = |regex: &str| on(&Rule::PathRegexp(regex.to_owned()), &Domain::Any);
    assert_eq!(regex("^/a%2Fb+$"), [json!({ "regex": "/a%2[Ff]b+" })]);
}

#[test]
fn simple_patterns_of_paths_need_no_regex() {
    let regexp = |text: &str| on(&Rule::PathRegexp(text.to_owned()), &Domain::Any).remove(0);
    assert_eq!(regexp("^/api"), json!({ "prefix": "/api" }));
    assert_eq!(regexp("^/api$"), json!({ "exact": "/api" }));
    assert_eq!(regexp("^/(a|b)/[^/]+$"), json!({ "regex": "/[ab]/[^/]+" }));
}

#[test]
fn query_parameters_may_repeat_and_be_encoded() {
    let query = |value: Option<&str>| {
        let rule = Rule::Query { name: "q".to_owned(), value: value.map(str::to_owned) };
        on(&rule, &Domain::Any)[0]["headers"][0]["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(query(Some("a b")), r"[^?]*\?(?:.*&)?q=a(?:\+|%20)b(?:&.*)?");
    assert_eq!(query(None), r"[^?]*\?(?:.*&)?q=?(?:&.*)?");
}

#[test]
fn too_many_alternatives_are_refused() {
    let pair = |n: u32| Rule::Or(vec![Rule::Path(format!("/{n}")), Rule::Path(format!("/{n}x"))]);
    assert_eq!(compile(&Rule::And((0..8).map(pair).collect())), Err(CompileError::TooMany));
}
