//! URLs that are taken and refused.

use std::path::PathBuf;
use std::time::Duration;

use biplane_core::scalars::SecretString;
use biplane_source::SourceError;

use super::super::{Address, NomadOptions, Token};

fn parse(url: &str, environment: &[(&str, &str)]) -> Result<NomadOptions, SourceError> {
    let read = |name: &str| {
        let found = environment.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    NomadOptions::from_url(url, &read)
}

fn tcp(host: &str, port: u16, tls: bool) -> Address {
    Address::Tcp { host: host.into(), port, tls }
}

#[test]
fn a_url_says_everything() {
    let url = "nomads://h:1?name=east&required=true&namespaces=a,b,a&region=eu&tokenFile=/t%20f&caFile=/ca&certFile=/c\
               &keyFile=/k&tlsServerName=server.global.nomad&refresh=90s&checkInterval=2&timeout=3s&maxRequests=4\
               &checksPerSecond=5&page=6&retryMax=7s&confirm=8s";
    let options = parse(url, &[("NOMAD_TOKEN", "other"), ("NOMAD_ADDR", "http://other")]).expect("good");
    assert_eq!((options.name.as_str(), options.required), ("east", true));
    assert_eq!(options.address, tcp("h", 1, true));
    assert_eq!(options.token, Some(Token::File(PathBuf::from("/t f"))));
    assert_eq!((options.namespaces, options.region), (vec!["a".into(), "b".into()], Some("eu".into())));
    assert_eq!(options.tls.server_name.as_deref(), Some("server.global.nomad"));
    let seconds = Duration::from_secs;
    assert_eq!(
        (options.refresh, options.check_interval, options.timeout),
        (seconds(90), seconds(2), seconds(3))
    );
    let tuning = options.tuning;
    assert_eq!((tuning.max_requests, tuning.checks_per_second, tuning.page), (4, 5, 6));
    assert_eq!((tuning.retry_max, tuning.confirm), (seconds(7), seconds(8)));
}

#[test]
fn the_environment_of_the_command_line_is_honoured() {
    let environment = [
        ("NOMAD_ADDR", "https://n:4646"),
        ("NOMAD_TOKEN", "secret\n"),
        ("NOMAD_REGION", "eu"),
        ("NOMAD_NAMESPACE", "team"),
        ("NOMAD_CACERT", "/ca"),
        ("NOMAD_CLIENT_CERT", "/c"),
        ("NOMAD_CLIENT_KEY", "/k"),
        ("NOMAD_TLS_SERVER_NAME", "server"),
        ("NOMAD_SKIP_VERIFY", "true"),
    ];
    let options = parse("nomad:", &environment).expect("good");
    assert_eq!(options.address, tcp("n", 4646, true));
    assert_eq!(options.token, Some(Token::Value(SecretString::new("secret"))));
    assert_eq!((options.region.as_deref(), options.namespaces), (Some("eu"), vec!["team".to_owned()]));
    assert_eq!(options.tls.ca_file, Some("/ca".into()));
    assert_eq!((options.tls.cert_file, options.tls.key_file), (Some("/c".into()), Some("/k".into())));
    assert_eq!((options.tls.server_name.as_deref(), options.tls.verify), (Some("server"), false));
    assert_eq!(parse("nomad:", &[]).map(|options| options.address), Ok(tcp("127.0.0.1", 4646, false)));
}

#[test]
fn a_task_of_nomad_needs_no_settings() {
    let options = parse("nomad:", &[("NOMAD_SECRETS_DIR", "/secrets")]).expect("good");
    assert_eq!(options.address, Address::Unix("/secrets/api.sock".into()));
    assert_eq!(options.token, Some(Token::File("/secrets/nomad_token".into())));
    let options = parse("nomad://h?auth=identity", &[("NOMAD_SECRETS_DIR", "/s"), ("NOMAD_TOKEN", "x")]);
    assert_eq!(options.expect("good").token, Some(Token::File("/s/nomad_token".into())));
    for url in ["nomad+unix:///run/n.sock", "nomad:"] {
        let options = parse(url, &[("NOMAD_UNIX_SOCKET", "unix:///run/n.sock")]).expect("good");
        assert_eq!(options.address, Address::Unix("/run/n.sock".into()));
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_hint() {
    for (url, words, hint) in [
        ("http://h", "neither nomad:", "nomad://HOST"),
        ("nomad://h/path", "path", "namespaces="),
        ("nomad://h?namespaces=*", "one by one", "does not say so"),
        ("nomad://h?namespaces=a,,b", "no namespace", "letters"),
        ("nomad://h?namespace=a", "unknown parameter", "did you mean namespaces?"),
        ("nomad://h?refresh=0", "zero", "30s"),
        ("nomad://h?page=0", "at least 1", "nomad://"),
        ("nomad://h?auth=identity", "NOMAD_SECRETS_DIR", "tokenFile"),
        ("nomad://h?auth=jwt", "no method", "auth=identity"),
        ("nomads:", "wants TLS", "nomads://"),
        ("nomad://h?name=a&name=b", "twice", "nomad://"),
        ("nomad+unix://here", "absolute", "nomad+unix:///"),
    ] {
        let error = parse(url, &[]).expect_err(url);
        let told = error.hint.clone().unwrap_or_default();
        assert!(error.message.contains(words) && told.contains(hint), "{url}: {error} / {told}");
    }
}

#[test]
fn a_secret_in_a_url_is_refused_and_not_repeated() {
    for url in [
        "nomad://h?token=hunter2",
        "nomad://hunter2@h",
        "nomad://h?hunter2hunter2hunter2hunter2",
        "nomad://h?identity=hunter2",
    ] {
        let error = parse(url, &[]).expect_err(url);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let options = parse("nomad://h", &[("NOMAD_TOKEN", "hunter2")]).expect("good");
    assert!(!format!("{options:?}").contains("hunter2"));
}
