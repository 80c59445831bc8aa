//! Options that say who is let in, and headers from secrets.

use crate::findings;

fn option(fields: &str) -> Vec<String> {
    let on_routes = findings(&format!("kind: RouteOption\nmetadata: {{name: o}}\noptions: {{{fields}}}\n"));
    let on_hosts =
        findings(&format!("kind: VirtualHostOption\nmetadata: {{name: o}}\noptions: {{{fields}}}\n"));
    assert_eq!(on_routes.len(), on_hosts.len(), "{on_routes:#?} {on_hosts:#?}");
    on_routes
}

fn one_finding_each(cases: &[(&str, &str)]) {
    for (fields, text) in cases {
        let found = option(fields);
        assert!(found.len() == 1 && found[0].contains(text), "{fields}\n{found:#?}");
    }
}

#[test]
fn whoever_asks_for_a_secret_names_it_or_switches_it_off() {
    for fields in [
        "basicAuth: {secretRef: {name: s}}",
        "basicAuth: {secretRef: {name: s}, forwardUsernameHeader: x-user}",
        "basicAuth: {disable: true}",
        "basicAuth: {disable: false, secretRef: {name: s}}",
        "apiKeyAuth: {secretRef: {name: s}}",
        "apiKeyAuth: {secretRef: {name: s}, keySources: [{header: a}, {query: b c}, {cookie: d}], allowedClients: [e]}",
        "apiKeyAuth: {secretRef: {name: s}, forwardClientIdHeader: x-client, hideCredentials: true}",
        "apiKeyAuth: {disable: true}",
    ] {
        assert_eq!(option(fields), Vec::<String>::new(), "{fields}");
    }
    one_finding_each(&[
        ("basicAuth: {}", "basicAuth.secretRef: the secret is missing"),
        ("basicAuth: {secretRef: {}}", "names nothing"),
        ("basicAuth: {disable: true, secretRef: {name: s}}", "nothing to set"),
        (
            "basicAuth: {secretRef: {name: s}, forwardUsernameHeader: 'a b'}",
            "not a name that a header can have",
        ),
        ("basicAuth: {secretRef: {name: s}, realm: a}", "unknown field \"realm\""),
        ("apiKeyAuth: {keySources: [{header: a}]}", "apiKeyAuth.secretRef: the secret is missing"),
        ("apiKeyAuth: {disable: true, allowedClients: [a]}", "nothing to set"),
        ("apiKeyAuth: {secretRef: {name: s}, keySources: [{}]}", "the place of the key is missing"),
        (
            "apiKeyAuth: {secretRef: {name: s}, keySources: [{header: a, query: b}]}",
            "more than once: header, query",
        ),
        ("apiKeyAuth: {secretRef: {name: s}, keySources: [{query: ''}]}", "has no name"),
        ("apiKeyAuth: {secretRef: {name: s}, keySources: [{cookie: 'a b'}]}", "not a name"),
        ("apiKeyAuth: {secretRef: {name: s}, forwardClientIdHeader: host}", "Envoy refuses"),
        ("apiKeyAuth: {secretRef: {name: s}, allowedClients: ['']}", "the client has no name"),
    ]);
}

#[test]
fn headers_of_a_secret_are_for_requests() {
    let added = |list: &str, header: &str| format!("headerManipulation: {{{list}: [{header}]}}");
    let requests = |header: &str| added("requestHeadersToAdd", header);
    assert_eq!(option(&requests("{headerSecretRef: {name: s}, append: false}")), Vec::<String>::new());
    one_finding_each(&[
        (&requests("{headerSecretRef: {name: s}, header: {key: a, value: b}}"), "more than once"),
        (&requests("{headerSecretRef: {}}"), "names nothing"),
        (&requests("{}"), "the header has no name"),
        (&added("responseHeadersToAdd", "{headerSecretRef: {name: s}}"), "no secret can be used here"),
    ]);
}
