//! Who may do what through a control plane, and what nobody ever sees.

use std::fs;

use biplane_testkit::{Authority, eventually};
use serde_json::json;

use crate::server::{PATIENCE, STORE, Server, World};
use crate::support::{Place, Run};

const UPSTREAM: &str = "\
kind: Upstream
metadata: {name: demo, namespace: default}
spec: {static: {hosts: [{addr: 127.0.0.1, port: 8081}]}}
";

/// A token in a file, and the line that makes it known.
fn token(place: &Place, name: &str, role: &str) -> String {
    let made = place.run(&["admin", "token", "new", name, "--role", role]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(made.stdout.lines().count(), 1, "the token alone: {}", made.stdout);
    place.write(&format!("{name}.token"), &made.stdout);
    let line = made.stderr.lines().last().expect("a line").to_owned();
    assert!(line.starts_with(&format!("{name} {role} ")), "{line}");
    line
}

#[test]
fn a_token_is_made_with_a_role_an_end_and_a_name_that_logs_can_show() {
    let place = Place::new();
    let new = |more: &[&str]| place.run(&[&["admin", "token", "new"], more].concat());
    let both = new(&["ci", "--role", "read", "--until", "2027-01-31T00:00:00Z", "-o", "json"]).json();
    let line = both["line"].as_str().expect("a line");
    assert!(line.starts_with("ci read ") && line.ends_with(" until=2027-01-31T00:00:00Z"), "{line}");
    assert!(both["token"].as_str().is_some_and(|token| !line.contains(token)), "{both}");
    for wrong in [
        &["ci"][..],
        &["ci", "--role", "admin"],
        &["a b", "--role", "read"],
        &["ci", "--role", "read", "--until", "tomorrow"],
    ] {
        let run = new(wrong);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{wrong:?}: {run:?}");
    }
}

#[tokio::test]
async fn tokens_decide_who_may_read_and_who_may_write() {
    let place = Place::with(&[("resources/managed/.keep", ""), ("a.yaml", UPSTREAM)]);
    let lines = [token(&place, "reader", "read"), token(&place, "writer", "write")].join("\n");
    place.write("tokens", &format!("{lines}\n"));
    let server = Server::start(&place, STORE, &["--admin-tokens-file", "tokens"], &[]).await;
    let api = format!("http://{}", server.admin);
    let run = |verb: &[&str], token: &str| {
        let file = format!("{token}.token");
        let flags: &[&str] = if token.is_empty() { &[] } else { &["--api-token-file", &file] };
        place.run(&[verb, &["--api", &api], flags].concat())
    };
    let (get, apply) = (&["get", "-o", "name"][..], &["apply", "-f", "a.yaml"][..]);
    let code = |verb, token| run(verb, token).code;
    assert_eq!((code(get, ""), code(apply, "")), (Some(7), Some(7)));
    assert_eq!((code(get, "reader"), code(apply, "reader")), (Some(0), Some(7)));
    assert_eq!(run(&["apply", "-f", "a.yaml", "--dry-run"], "reader").code, Some(0));
    assert_eq!((code(get, "writer"), code(apply, "writer")), (Some(0), Some(0)));
    assert_eq!(run(get, "reader").stdout, "Upstream/default/demo\n");
    place.write("wrong.token", "biplane_wrong");
    let unknown = run(get, "wrong");
    assert_eq!(unknown.code, Some(7), "{unknown:?}");
    assert!(unknown.stderr.contains("hint: make one with `biplane admin token new"), "{unknown:?}");
    let missing = run(get, "missing");
    assert!(missing.stderr.contains("missing.token"), "{missing:?}");
}

#[tokio::test]
async fn without_tokens_loopback_reads_and_the_socket_file_writes() {
    let world = World::served().await;
    world.holds(UPSTREAM);
    let api = world.server.as_ref().expect("served").admin.to_string();
    assert_eq!(world.place.run(&["get", "--api", &api, "-o", "name"]).stdout, "Upstream/default/demo\n");
    let refused = world.place.run(&["delete", "us", "demo", "--api", &api]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(7), ""), "{refused:?}");
    assert!(refused.stderr.contains("hint: "), "{refused:?}");
    let open = World::served_with(&["--admin-anonymous-write"]).await;
    let api = open.server.as_ref().expect("served").admin.to_string();
    open.place.write("a.yaml", UPSTREAM);
    assert_eq!(open.place.run(&["apply", "-f", "a.yaml", "--api", &api]).code, Some(0));
}

#[tokio::test]
async fn with_certificates_callers_know_the_server_and_it_knows_them() {
    let (authority, other) = (Authority::new("test"), Authority::new("other"));
    let (server, caller) = (authority.issue(&["localhost"]), authority.issue(&["operator"]));
    let place = Place::with(&[
        ("resources/managed/a.yaml", UPSTREAM),
        ("ca.pem", authority.certificate()),
        ("other.pem", other.certificate()),
        ("server.pem", &server.certificate),
        ("server.key", &server.key),
        ("caller.pem", &caller.certificate),
        ("caller.key", &caller.key),
    ]);
    let tls = [
        "--admin-tls-cert",
        "server.pem",
        "--admin-tls-key",
        "server.key",
        "--admin-tls-client-ca",
        "ca.pem",
    ];
    let running = Server::start(&place, STORE, &tls, &[]).await;
    let api = format!("https://localhost:{}", running.admin.port());
    let get = |more: &[&str]| place.run(&[&["get", "-o", "name", "--api", &api], more].concat());
    let known = ["--api-ca-file", "ca.pem", "--api-cert-file", "caller.pem", "--api-key-file", "caller.key"];
    let run = get(&known);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "Upstream/default/demo\n"), "{run:?}");
    let nameless = get(&known[..2]);
    // TLS 1.3 tells a caller only behind the handshake, where it looks like an answer that makes no sense.
    assert!(matches!(nameless.code, Some(3 | 4)) && nameless.stdout.is_empty(), "{nameless:?}");
    assert_eq!(get(&[&["--api-ca-file", "other.pem"], &known[2..]].concat()).code, Some(3), "another server");
    assert_eq!(get(&known[..4]).code, Some(2), "a certificate without its key");
}

#[tokio::test]
async fn settings_of_the_server_lead_the_verbs_on_its_machine_to_it() {
    let world = World::served().await;
    world.holds(UPSTREAM);
    let admin = world.server.as_ref().expect("served").admin.to_string();
    world.place.write("biplane.yaml", &format!("admin: {admin}\n"));
    assert_eq!(world.place.run(&["get", "us"]).code, Some(0));
    assert_eq!(world.place.run(&["delete", "us", "demo"]).code, Some(7), "loopback reads only");
    world.place.write("biplane.yaml", &format!("admin: {admin}\nadminSocket: admin.sock\n"));
    assert_eq!(world.place.run(&["delete", "us", "demo"]).code, Some(0));
}

#[tokio::test]
async fn no_verb_shows_a_value_of_a_secret() {
    let pair = Authority::new("test").issue(&["example.com"]);
    let line = |pem: &str| pem.lines().nth(1).expect("a body").to_owned();
    let hidden = [line(&pair.certificate), line(&pair.key), "canary".to_owned()];
    let quoted = |pem: &str| json!(pem).to_string();
    let secret = |name: &str, chain: &str, key: &str| {
        format!(
            "kind: Secret\nmetadata: {{name: {name}, namespace: default}}\n\
             tls: {{certChain: {}, privateKey: {}}}\n",
            quoted(chain),
            quoted(key)
        )
    };
    for world in World::both().await {
        world.place.write("good.yaml", &secret("good", &pair.certificate, &pair.key));
        world.place.write("bad.yaml", &secret("bad", "canary", "canary"));
        world.place.write(
            "odd.yaml",
            "kind: Secret\nmetadata: {name: odd, namespace: default}\ntls: {canary: canary\n",
        );
        let verbs: [&[&str]; 18] = [
            &["diff", "-f", "good.yaml"],
            &["apply", "-f", "good.yaml", "-o", "json"],
            &["apply", "-f", "bad.yaml"],
            &["apply", "-f", "bad.yaml", "--force"],
            &["apply", "-f", "odd.yaml", "--force"],
            &["diff", "-f", "good.yaml"],
            &["diff", "-f", "bad.yaml"],
            &["get"],
            &["get", "secrets", "-o", "wide"],
            &["get", "-o", "yaml"],
            &["get", "-o", "json"],
            &["describe", "secret", "good"],
            &["describe", "secret", "bad"],
            &["history", "secret", "good", "-o", "yaml"],
            &["check", "-o", "json"],
            &["check"],
            &["edit", "secret", "bad"],
            &["delete", "secret", "good", "bad"],
        ];
        for verb in verbs {
            unseen(&world.run(verb), &hidden, verb);
        }
        let stored = fs::read_to_string(world.place.path("resources/managed/Secret/default/good.yaml"));
        assert!(stored.is_err(), "it was there, and is deleted");
        if world.server.is_some() {
            let log = fs::read_to_string(world.place.path("log")).expect("a log");
            assert!(log.contains("audit"), "{log}");
            assert!(hidden.iter().all(|hidden| !log.contains(hidden)), "{log}");
        }
    }
}

/// An edit that fails names a file which would show values if the store did.
fn unseen(run: &Run, hidden: &[String], verb: &[&str]) {
    assert!(!matches!(run.code, None | Some(2 | 3)), "{verb:?} did not come to anything: {run:?}");
    for text in [&run.stdout, &run.stderr] {
        assert!(hidden.iter().all(|hidden| !text.contains(hidden)), "{verb:?}: {text}");
    }
    if let Some(kept) = run.stderr.split("the text is kept in ").nth(1) {
        let path = kept.lines().next().expect("a path");
        let text = fs::read_to_string(path).expect("it was kept");
        assert!(hidden.iter().all(|hidden| !text.contains(hidden)), "{verb:?}: {text}");
        fs::remove_file(path).expect("ours");
    }
}

#[tokio::test]
async fn changes_are_told_with_their_author() {
    let world = World::served().await;
    world.holds(UPSTREAM);
    eventually("the audit log tells it", PATIENCE, async || {
        let log = fs::read_to_string(world.place.path("log"))?;
        anyhow::ensure!(log.contains("audit") && log.contains("(tester)"), "{log}");
        Ok(())
    })
    .await;
}
