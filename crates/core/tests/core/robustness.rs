//! Whatever the text, decoding yields an object or says why not.

use biplane_core::decode::{MAX_OBJECT, decode};
use biplane_core::document::{IdentifyHint, identify, split};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::regex;
use biplane_core::report::Severity;
use proptest::prelude::*;

fn check(text: &str) {
    for slice in split(text) {
        let document = &text[slice.range];
        let _ = identify(document, &IdentifyHint::default());
        for kind in Kind::ALL {
            let decoded =
                decode(document, &ObjectKey::new(kind, "n", "a"), &Location::file("a", slice.first_line));
            let refused = decoded.reports.iter().any(|report| report.severity == Severity::Error);
            assert_eq!(decoded.object.is_none(), refused, "{:#?}", decoded.reports);
            assert!(decoded.reports.iter().all(|report| !report.message.contains("although")), "{document}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoding_never_panics_on_any_text(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn decoding_never_panics_on_text_that_looks_like_yaml(
        lines in prop::collection::vec(
            "(  ){0,4}(- )?(kind|metadata|spec|name|tls|routes|matchers|prefix|static|hosts|addr|port|options|<<|\\?)?:? ?(\\[|\\{|\\}|\\]|&a|\\*a|\\||>|'x|\"|!t|5|-1|true|null|5s|/a|---|#)?",
            0..20,
        )
    ) {
        check(&lines.join("\n"));
    }

    #[test]
    fn regex_check_never_panics(pattern in "\\PC{0,60}", shaped in "[(){}\\[\\]|*+?\\\\^$.:,a-c0-9<>PpQE-]{0,40}") {
        let _ = regex::check(&pattern);
        let _ = regex::check(&shaped);
    }
}

#[test]
fn an_object_above_the_size_limit_is_not_parsed() {
    let text = format!("kind: Upstream\nmetadata: {{name: u}}\n# {}", "x".repeat(MAX_OBJECT));
    let decoded = decode(&text, &ObjectKey::new(Kind::Upstream, "n", "u"), &Location::file("a", 1));
    assert!(decoded.object.is_none() && decoded.reports[0].message.contains("more than the 524288"));
}

#[test]
fn broken_yaml_is_reported_with_its_line() {
    let decoded = decode(
        "kind: Upstream\nspec:\n  static: {hosts: [\n",
        &ObjectKey::new(Kind::Upstream, "n", "u"),
        &Location::file("a.yaml", 10),
    );
    assert_eq!(decoded.reports.len(), 1);
    assert!(decoded.reports[0].to_string().starts_with("a.yaml:1"), "{}", decoded.reports[0]);
}
