//! What the forms of the URL and the variables come to.

use super::*;

fn parse(url: &str) -> Result<EtcdOptions, StoreError> {
    with(url, &[])
}

fn with(url: &str, variables: &[(&str, &str)]) -> Result<EtcdOptions, StoreError> {
    let env =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    EtcdOptions::from_url(url, &env)
}

#[test]
fn a_url_names_members_and_root() {
    let options = parse("etcd://one,two:2380,[::1]:2379/teams/edge").expect("valid");
    assert_eq!(options.endpoints, ["http://one:2379", "http://two:2380", "http://[::1]:2379"]);
    assert_eq!(options.root, "teams/edge");
    assert_eq!(options.name(), "etcd://one:2379,two:2380,[::1]:2379/teams/edge");
    assert_eq!(parse("etcds://one").expect("valid").endpoints, ["https://one:2379"]);
    assert_eq!(parse("etcd://one/").expect("valid").root, "biplane");
}

#[test]
fn settings_override_variables() {
    let url = "etcds://one/r?caFile=a%20b.pem&certFile=c.pem&keyFile=k.pem&user=me&passwordFile=/run/secret&timeout=3s\
               &connectTimeout=1s&keepalive=20s&liveness=30s&lease=9s&maxTxnOps=64&serverName=etcd";
    let variables = [
        ("ETCDCTL_CACERT", "other"),
        ("ETCDCTL_CERT", "other"),
        ("ETCDCTL_KEY", "other"),
        ("ETCDCTL_USER", "other:word"),
        ("ETCDCTL_DIAL_TIMEOUT", "7s"),
        ("ETCDCTL_COMMAND_TIMEOUT", "7s"),
    ];
    let seconds = Duration::from_secs;
    let tls = Tls {
        ca: Some("a b.pem".into()),
        cert: Some("c.pem".into()),
        key: Some("k.pem".into()),
        server_name: Some("etcd".into()),
    };
    let expected = EtcdOptions {
        tls,
        connect_timeout: seconds(1),
        call_timeout: seconds(3),
        keepalive: seconds(20),
        liveness: seconds(30),
        lease: seconds(9),
        max_operations: 64,
        ..EtcdOptions::new(["https://one:2379"]).root("r").user("me", Password::File("/run/secret".into()))
    };
    assert_eq!(with(url, &variables), Ok(expected));
}

#[test]
fn what_etcdctl_reads_fills_the_gaps() {
    let variables = [
        ("ETCDCTL_ENDPOINTS", "https://one:2379, two"),
        ("ETCDCTL_CACERT", "ca.pem"),
        ("ETCDCTL_USER", "me:my:word"),
        ("ETCDCTL_DIAL_TIMEOUT", "300ms"),
        ("ETCDCTL_COMMAND_TIMEOUT", "7s"),
    ];
    let options = with("etcd:///r", &variables).expect("valid");
    assert_eq!(options.endpoints, ["https://one:2379", "https://two:2379"]);
    assert_eq!(options.tls.ca, Some("ca.pem".into()));
    let password = Password::Text(biplane_core::scalars::SecretString::new("my:word"));
    assert_eq!(options.user, Some(User { name: "me".into(), password }));
    assert_eq!(options.connect_timeout, Duration::from_millis(300));
    assert_eq!(options.call_timeout, Duration::from_secs(7));
    assert_eq!(options.name(), "etcds://one:2379,two:2379/r");
}

#[test]
fn user_and_password_may_come_apart() {
    let variables = [("ETCDCTL_USER", "me"), ("ETCDCTL_PASSWORD", "canary")];
    let user = with("etcd:///", &variables).expect("valid").user.expect("a user");
    assert_eq!(user.name, "me");
    assert_eq!(user.password, Password::Text(biplane_core::scalars::SecretString::new("canary")));
    assert!(!format!("{user:?}").contains("canary"), "{user:?}");
}

#[test]
fn nobody_says_where_means_here_and_plain() {
    let options = parse("etcd:///").expect("valid");
    assert_eq!(options, EtcdOptions::new(["http://127.0.0.1:2379"]));
    let variables = [("ETCDCTL_CACERT", "ca.pem")];
    let named = with("etcd://one", &variables).expect("a URL that says plain means it");
    assert_eq!(named.tls, Tls::default());
}

#[test]
fn a_url_that_asks_for_tls_gets_it_or_nothing() {
    let env = |endpoints| [("ETCDCTL_ENDPOINTS", endpoints)];
    let options = with("etcds:///r", &env("one,https://two:2379")).expect("valid");
    assert_eq!(options.endpoints, ["https://one:2379", "https://two:2379"]);
    let error = with("etcds:///r", &env("https://one:2379,http://two:2379")).expect_err("plain");
    assert!(error.to_string().contains("without TLS"), "{error}");
}

#[test]
fn what_is_wrong_is_said_with_advice() {
    for (url, word) in [
        ("etcd", "no scheme"),
        ("consul://one", "no scheme \"consul\""),
        ("etcd://one:port", "no host and port"),
        ("etcd://one,/r", "no host and port"),
        ("etcd://one/a//b", "empty part"),
        ("etcd://me:word@one/r", "password"),
        ("etcd://one?cca=x", "\"cca\""),
        ("etcd://one?caFile=x", "no endpoint with TLS"),
        ("etcds://one?certFile=x", "its key"),
        ("etcd://one?user=me", "no password"),
        ("etcd://one?maxTxnOps=2", "maxTxnOps"),
    ] {
        let error = parse(url).expect_err(url);
        assert!(error.to_string().contains(word), "{url}: {error}");
        assert!(error.hint().is_some(), "{url}: {error}");
    }
    for (url, word) in [
        ("etcd://one?timeout=5", "has no unit"),
        ("etcd://one?timeout=0s", "zero"),
        ("etcd://one?passwordFile=f", "no user"),
        ("etcd://one?timeout", "no value"),
    ] {
        let error = parse(url).expect_err(url);
        assert!(error.to_string().contains(word), "{url}: {error}");
    }
    assert_eq!(parse("etcd://one?tiemout=1s").expect_err("a slip").hint(), Some("did you mean timeout?"));
    assert!(!parse("etcd://me:word@one/r").expect_err("refused").to_string().contains("word@"));
}

#[test]
fn a_password_in_etcdctls_endpoints_is_refused_and_not_repeated() {
    for endpoints in ["http://me:word@one:2379", "me:word@one:2379", "one:2379, https://me:word@two:2379"] {
        let error = with("etcd:///r", &[("ETCDCTL_ENDPOINTS", endpoints)]).expect_err(endpoints);
        assert!(!format!("{error} {error:?}").contains("word@"), "{error:?}");
        assert!(error.to_string().contains("ETCDCTL_ENDPOINTS carries a user's password"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("passwordFile")), "{error:?}");
    }
}
