//! What each form of a secret must hold, and what a place where values are kept must say.

use crate::findings;

fn secret(fields: &str) -> Vec<String> {
    findings(&format!("kind: Secret\nmetadata: {{name: s}}\n{fields}\n"))
}

/// Each of these has just one finding, in which the text stands.
fn one_finding_each(cases: &[(&str, &str)]) {
    for (fields, text) in cases {
        let found = secret(fields);
        assert!(found.len() == 1 && found[0].contains(text), "{fields}\n{found:#?}");
    }
}

#[test]
fn every_form_and_every_place_is_taken() {
    for fields in [
        "header: {headers: {Authorization: Bearer x, x-key: y}}",
        "credentials: {username: ada, password: x}",
        "credentials: {users: {ada: x, bob: '{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw='}}",
        "credentials: {username: eve, password: x, users: {ada: y}}",
        "apiKey: {apiKey: x, labels: [a], metadata: {a: b}}",
        "apiKey: {keys: {shop: x, app: y}}",
        "aws: {accessKey: a, secretKey: b}",
        "aws: {accessKey: a, secretKey: b, sessionToken: c}",
        "azure: {apiKeys: {_master: x}}",
        "oauth: {clientSecret: x}",
        "encryption: {key: x}",
        "generic: {values: {jwks: '{}'}}",
        "vault: {kv: {path: team/shop}}",
        "vault: {source: main, kv: {mount: kv/team, path: shop, version: 1}, form: header, fields: {x-key: key}, refresh: 1m}",
        "vault: {kv: {path: a}, fields: {certChain: tls.crt, privateKey: tls.key}, onDelete: remove}",
        "vault: {kv: {path: data/a, version: 1}}",
        "vault: {pki: {role: web, commonName: a.example.com, altNames: ['*.a.example.com', a@b.c], ipSans: ['::1'], ttl: 72h}}",
        "vault: {pki: {role: web, uriSans: ['spiffe://example.com/a'], key: vault}}",
        "vault: {aws: {role: deploy, roleArn: 'arn:aws:iam::1:role/x', ttl: 1h}}",
        "file: {}",
        "file: {path: web, form: credentials, fields: {ada: ada.txt}}",
        "file: {path: web/bundle.pem}",
    ] {
        assert_eq!(secret(fields), Vec::<String>::new(), "{fields}");
    }
}

#[test]
fn a_secret_is_one_thing() {
    one_finding_each(&[
        ("spec: {}", "what the secret holds is missing"),
        ("tls: null", "what the secret holds is missing"),
        ("oauth: {clientSecret: x}\nencryption: {key: y}", "more than once: oauth, encryption"),
        ("oauth: {clientSecret: x}\nvault: {kv: {path: a}}", "more than once: oauth, vault"),
    ]);
}

#[test]
fn values_of_a_form_are_there_and_can_be_sent() {
    one_finding_each(&[
        ("header: {}", "header.headers: the secret has no value"),
        ("header: {headers: {x-a: ''}}", "header.headers.x-a: the value is empty"),
        ("header: {headers: {a b: x}}", "not a name that a header can have"),
        ("header: {headers: {Host: x}}", "Envoy refuses to add"),
        ("header: {headers: {x-a: \"a\\n\"}}", "line break"),
        ("header: {headers: {x-a: x, X-A: y}}", "written twice"),
        ("credentials: {}", "the secret has no user"),
        ("credentials: {username: a}", "no password beside it"),
        ("credentials: {password: a}", "no username beside it"),
        ("credentials: {users: {a: ''}}", "credentials.users.a: the user has no password"),
        ("credentials: {users: {'a:b': x}}", "neither a colon"),
        ("credentials: {users: {'#a': x}}", "for a comment"),
        ("credentials: {username: a, password: x, users: {a: y}}", "under `users` too"),
        ("credentials: {users: {a: '{SHA}abc'}}", "not {SHA} and the base64"),
        ("credentials: {users: {a: '$apr1$abc$def'}}", "warning: "),
        ("apiKey: {}", "the secret has no key"),
        ("apiKey: {keys: {a: ''}}", "the key is empty"),
        ("apiKey: {keys: {a: x, b: x}}", "apiKey.keys.b: the same key as \"a\""),
        ("apiKey: {apiKey: x, keys: {s: y}}", "named like the secret"),
        ("apiKey: {apiKey: ' x'}", "blanks around it"),
        ("apiKey: {apiKey: Bearer x}", "cuts off `Bearer `"),
        ("apiKey: {keys: {\"a\\nb\": x}}", "line break"),
        ("aws: {accessKey: a}", "secretKey is missing"),
        ("aws: {secretKey: a}", "accessKey is missing"),
        ("azure: {}", "the secret has no value"),
        ("oauth: {}", "clientSecret is missing"),
        ("encryption: {key: ''}", "key is missing"),
        ("generic: {values: {a: ''}}", "generic.values.a: the value is empty"),
    ]);
}

#[test]
fn a_place_in_vault_is_one_that_can_be_asked_for() {
    one_finding_each(&[
        ("vault: {}", "the engine is missing"),
        ("vault: {kv: {path: a}, aws: {role: b}}", "more than once: kv, aws"),
        ("vault: {kv: {}}", "the path is missing"),
        ("vault: {kv: {path: /a}}", "without / at its ends (hint: write a)"),
        ("vault: {kv: {path: a//b}}", "empty or made of dots"),
        ("vault: {kv: {path: a/../b}}", "empty or made of dots"),
        ("vault: {kv: {path: secret/data/a/b}}", "(hint: probably mount: secret, path: a/b)"),
        ("vault: {kv: {path: data/a}}", "(hint: probably mount: secret, path: a)"),
        ("vault: {kv: {path: kv/a, mount: kv}}", "(hint: probably mount: kv, path: a)"),
        ("vault: {kv: {path: a, version: 3}}", "3 is out of range: 1 to 2"),
        ("vault: {kv: {path: a, mount: kv/}}", "(hint: write kv)"),
        ("vault: {kv: {path: a}, source: ''}", "the secret source has no name"),
        ("vault: {kv: {path: a}, refresh: 0s}", "must be longer than 0s"),
        ("vault: {kv: {path: a}, fields: {certChian: b}}", "(hint: did you mean \"certChain\"?)"),
        ("vault: {kv: {path: a}, form: oauth, fields: {x: b}}", "(hint: it has clientSecret)"),
        ("vault: {kv: {path: a}, form: header, fields: {a b: c}}", "not a name that a header can have"),
        ("vault: {kv: {path: a}, form: gloo, fields: {a: b}}", "a whole object is stored"),
        ("vault: {kv: {path: a}, fields: {rootCa: ''}}", "is stored by is empty"),
        ("vault: {pki: {commonName: a}}", "the role is missing"),
        ("vault: {pki: {role: a}}", "the certificate has no name"),
        ("vault: {pki: {role: a, commonName: b, ipSans: [c]}}", "\"c\" is no IP address"),
        ("vault: {pki: {role: a, commonName: b, altNames: ['c,d']}}", "as an item of the list"),
        ("vault: {pki: {role: a, commonName: b, altNames: [10.0.0.1]}}", "write it under ipSans"),
        ("vault: {pki: {role: a, commonName: b, uriSans: [c]}}", "has no scheme"),
        ("vault: {pki: {role: a, commonName: b, ttl: 0s}}", "must be longer than 0s"),
        ("vault: {pki: {role: a, commonName: b, ttl: 1.5s}}", "whole seconds"),
        (
            "vault: {pki: {role: a, commonName: b, key: vault, keyType: ec256}}",
            "what kind of key Vault makes",
        ),
        (
            "vault: {pki: {role: a, commonName: b}, form: tls}",
            "vault.form: form has a meaning beside kv only",
        ),
        ("vault: {aws: {role: a}, fields: {a: b}}", "vault.fields: fields has a meaning beside kv only"),
        ("vault: {aws: {role: a, roleArn: b}}", "not the ARN of a role"),
        ("vault: {aws: {role: a, ttl: 1s}}", "15 minutes to 36 hours"),
    ]);
}

#[test]
fn files_are_below_the_directory_of_their_source() {
    one_finding_each(&[
        ("file: {path: /etc/x}", "the path is absolute"),
        ("file: {path: a/../b}", "leads out of its directory"),
        ("file: {path: a, fields: {certChain: ../x}}", "not the name of a file"),
        ("file: {path: a, fields: {certChain: b/c}}", "not the name of a file"),
        ("file: {path: a, fields: {privatKey: b}}", "(hint: did you mean \"privateKey\"?)"),
    ]);
}
