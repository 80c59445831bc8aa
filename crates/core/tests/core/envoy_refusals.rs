//! What Envoy refuses, or falls over, is refused here: one test for each of its rules, each value
//! tried on an Envoy 1.40.

use crate::findings;

fn upstream(fields: &str) -> Vec<String> {
    findings(&format!(
        "kind: Upstream\nmetadata: {{name: u}}\nstatic: {{hosts: [{{addr: 10.0.0.1, port: 80}}]}}\n{fields}\n"
    ))
}

fn service(ssl: &str) -> Vec<String> {
    findings(&format!(
        "kind: VirtualService\nmetadata: {{name: v}}\nsslConfig: {{secretRef: {{name: s}}, {ssl}}}\nvirtualHost:\n  routes:\n  - {{matchers: [{{prefix: /}}], directResponseAction: {{status: 200}}}}\n"
    ))
}

/// TLS settings in both directions get the same number of findings.
fn count_in_both_directions(ssl: &str) -> usize {
    let (towards_upstream, towards_client) = (upstream(&format!("sslConfig: {{{ssl}}}")), service(ssl));
    assert_eq!(towards_upstream.len(), towards_client.len(), "{towards_upstream:#?} {towards_client:#?}");
    towards_client.len()
}

#[test]
fn protocols_of_alpn_have_no_comma_and_fit_into_their_list() {
    for protocols in ["[h2, http/1.1]", "[allow_empty]", "[]"] {
        assert_eq!(count_in_both_directions(&format!("alpnProtocols: {protocols}")), 0, "{protocols}");
    }
    for protocols in ["['h2,']", "[',h2']", "[',']", "['h2,http/1.1']", "['']"] {
        assert_eq!(count_in_both_directions(&format!("alpnProtocols: {protocols}")), 1, "{protocols}");
    }
    let list = |length: usize| format!("alpnProtocols: [{}]", vec!["a".repeat(254); length].join(", "));
    assert_eq!(count_in_both_directions(&list(257)), 0);
    assert_eq!(count_in_both_directions(&list(258)), 1);
}
