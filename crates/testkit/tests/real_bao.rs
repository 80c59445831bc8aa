//! The testkit's OpenBao: what every test of secrets relies on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use biplane_testkit::bao::{Bao, JwtIssuer, ROOT_TOKEN};
use biplane_testkit::http::Method;
use biplane_testkit::{Authority, TempDir, eventually};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn secrets_of_both_versions_are_written_read_listed_and_deleted() {
    let directory = TempDir::new("bao");
    let bao = Bao::start(&directory).await;
    let root = bao.root();
    root.mount_kv("old/kv", 1).await.expect("mounted");
    let (old, new) = (root.kv1("old/kv"), root.kv2("secret"));
    for kv in [&old, &new] {
        kv.write("team/one two?", &json!({ "a": "1" })).await.expect("written");
        assert_eq!(kv.read("team/one two?").await.expect("read"), Some(json!({ "a": "1" })));
        assert_eq!(kv.list("").await.expect("listed"), ["team/"]);
        assert_eq!(kv.list("team").await.expect("listed"), ["one two?"]);
        kv.delete("team/one two?").await.expect("deleted");
        assert_eq!(kv.read("team/one two?").await.expect("read"), None);
    }
    assert!(old.list("").await.expect("listed").is_empty());
    new.undelete("team/one two?", 1).await.expect("undeleted");
    assert!(new.write_if("team/one two?", &json!({ "a": "2" }), 0).await.is_err(), "there is a version 1");
    new.write_if("team/one two?", &json!({ "a": "2" }), 1).await.expect("written");
    assert_eq!(new.newest("team/one two?").await.expect("read"), 2);
    new.destroy("team/one two?", 2).await.expect("destroyed");
    assert_eq!(new.read("team/one two?").await.expect("read"), None);
    new.purge("team/one two?").await.expect("purged");
    assert!(new.list("").await.expect("listed").is_empty());
}

#[tokio::test]
async fn in_memory_it_starts_empty_again_and_says_what_it_is_at_every_step() {
    let directory = TempDir::new("bao");
    let mut bao = Bao::builder().root_token("another").start(&directory).await;
    bao.root().kv2("secret").write("lost", &json!({ "a": "1" })).await.expect("written");
    assert_eq!(bao.root_token(), "another");
    bao.seal().await.expect("sealed");
    assert_eq!(bao.health().await.expect("an answer"), 503);
    bao.unseal().await;
    assert!(bao.root().kv2("secret").read("lost").await.expect("read").is_some());
    bao.kill();
    bao.start_sealed().await;
    assert_eq!(bao.health().await.expect("an answer"), 501);
    bao.unseal().await;
    assert_eq!(bao.health().await.expect("an answer"), 200);
    assert!(bao.root().kv2("secret").read("lost").await.expect("read").is_none());
}

#[tokio::test]
async fn with_data_it_keeps_secrets_and_tokens_is_sealed_at_its_start_and_can_step_down() {
    let directory = TempDir::new("bao");
    let mut bao = Bao::builder().data(true).start(&directory).await;
    let secret = bao.root().kv2("secret");
    secret.write("kept", &json!({ "a": "1" })).await.expect("written");
    bao.stop().await;
    bao.start_sealed().await;
    assert_eq!(bao.health().await.expect("an answer"), 503);
    let refused = bao.root().send(Method::GET, "secret/data/kept", &Value::Null).await.expect("an answer");
    assert_eq!(refused.status, 503);
    bao.unseal().await;
    assert_eq!(secret.read("kept").await.expect("read"), Some(json!({ "a": "1" })));
    bao.restart().await;
    bao.step_down().await.expect("it steps down");
    assert_eq!(bao.health().await.expect("an answer"), 429);
}

#[tokio::test]
async fn a_standby_takes_over_from_an_active_node_that_is_gone() {
    let directory = TempDir::new("bao");
    let mut bao = Bao::builder().standbys(2).start(&directory).await;
    bao.root().kv2("secret").write("kept", &json!({ "a": "1" })).await.expect("written");
    let first = bao.address();
    assert_eq!(bao.active().await.expect("an active node"), first);
    bao.kill();
    let active = eventually("another active node", PATIENCE, async || bao.active().await).await;
    let secret = bao.root().at(active).kv2("secret");
    assert_eq!(secret.read("kept").await.expect("read"), Some(json!({ "a": "1" })));
    bao.start_again().await;
    assert_eq!(bao.health().await.expect("an answer"), 429, "it comes back as a standby");
    bao.seal().await.expect("all nodes are sealed");
    assert!(bao.active().await.is_err());
    bao.unseal().await;
    assert_eq!(secret.read("kept").await.expect("read"), Some(json!({ "a": "1" })));
}

#[tokio::test]
async fn a_token_does_what_its_policies_allow_until_it_is_revoked() {
    let directory = TempDir::new("bao");
    let bao = Bao::start(&directory).await;
    let root = bao.root();
    root.policy("reader", r#"path "secret/data/ours/*" { capabilities = ["read"] }"#).await.expect("made");
    for name in ["ours/a", "theirs/a"] {
        root.kv2("secret").write(name, &json!({ "a": "1" })).await.expect("written");
    }
    let token = root.token(&["reader"], "1h").await.expect("made");
    assert!(token.renewable && token.ttl == 3600, "{token:?}");
    let reader = bao.stranger().with_token(&token.secret);
    let status = async |name: &str| {
        let path = format!("secret/data/{name}");
        reader.send(Method::GET, &path, &Value::Null).await.expect("an answer").status
    };
    assert_eq!((status("ours/a").await, status("theirs/a").await), (200, 403));
    assert_eq!(root.lookup(&token.secret).await.expect("known")["policies"], json!(["default", "reader"]));
    assert!(root.accessors().await.expect("listed").contains(&token.accessor));
    root.revoke(&token.secret).await.expect("revoked");
    assert_eq!(status("ours/a").await, 403);
    assert!(root.lookup(&token.secret).await.is_err());
}

#[tokio::test]
async fn every_login_gives_a_token_with_the_policies_of_its_role() {
    let directory = TempDir::new("bao");
    let authority = Authority::new("bao authority");
    let bao = Bao::builder().tls(&authority).start(&directory).await;
    let (root, stranger) = (bao.root(), bao.stranger());
    for kind in ["approle", "userpass", "jwt", "cert"] {
        root.enable_auth(kind, kind).await.expect("enabled");
    }
    let settings = json!({ "token_policies": ["reader"], "token_ttl": "30s" });

    let role = root.approle("approle", "web", &settings).await.expect("made");
    let body = json!({ "role_id": role.role_id, "secret_id": role.secret_id });
    let approle = stranger.login("approle", "login", &body).await.expect("logged in");
    root.user("userpass", "ann", "her password", &settings).await.expect("made");
    let body = json!({ "password": "her password" });
    let user = stranger.login("userpass", "login/ann", &body).await.expect("logged in");

    let issuer = JwtIssuer::new();
    root.trust_jwt("jwt", &issuer).await.expect("configured");
    root.jwt_role("jwt", "web", "vault.io", &settings).await.expect("made");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = json!({ "sub": "job", "aud": "vault.io", "iat": now, "exp": now + 60 });
    let body = json!({ "role": "web", "jwt": issuer.sign(&claims) });
    let jwt = stranger.login("jwt", "login", &body).await.expect("logged in");
    let forged = json!({ "role": "web", "jwt": JwtIssuer::new().sign(&claims) });
    assert!(stranger.login("jwt", "login", &forged).await.is_err(), "another issuer is not trusted");

    let client = authority.issue(&["client"]);
    root.certificate_role("cert", "web", authority.certificate(), &settings).await.expect("made");
    let shown = stranger.with_certificate(&client);
    let cert = shown.login("cert", "login", &json!({ "name": "web" })).await.expect("logged in");
    assert!(stranger.login("cert", "login", &json!({})).await.is_err(), "no certificate was shown");

    for token in [approle, user, jwt, cert] {
        assert_eq!(token.ttl, 30);
        let known = root.lookup(&token.secret).await.expect("known");
        assert_eq!(known["policies"], json!(["default", "reader"]));
    }
}

#[tokio::test]
async fn certificates_are_issued_by_an_intermediate_whose_root_can_be_rotated() {
    let directory = TempDir::new("bao");
    let bao = Bao::start(&directory).await;
    let (root, web) = (bao.root().pki("pki"), bao.root().pki("pki-web"));
    root.mount().await.expect("mounted");
    web.mount().await.expect("mounted");
    let first = root.root("first root").await.expect("made");
    let intermediate = web.intermediate(&root, "web authority").await.expect("made");
    assert_eq!(web.authority().await.expect("read").trim(), intermediate.trim());
    web.role("web", &json!({ "max_ttl": "1h" })).await.expect("made");
    let wanted = json!({ "common_name": "web.example.com", "ttl": "10m" });
    let issued = web.issue("web", &wanted).await.expect("issued");
    let trimmed = |pem: &String| pem.trim().to_owned();
    let chain: Vec<_> = issued.chain.iter().map(trimmed).collect();
    assert_eq!(chain, [trimmed(&intermediate), trimmed(&first)]);

    let second = root.root("second root").await.expect("rotated");
    assert_ne!(first, second);
    let rotated = web.intermediate(&root, "web authority").await.expect("rotated");
    let issued = web.issue("web", &wanted).await.expect("issued");
    let chain: Vec<_> = issued.chain.iter().map(trimmed).collect();
    assert_eq!(chain, [trimmed(&rotated), trimmed(&second)]);
    assert_eq!(root.issuers().await.expect("listed").len(), 2, "the first root is still there");
    web.revoke(&issued.serial).await.expect("revoked");
}

#[tokio::test]
async fn a_namespace_has_secrets_of_its_own() {
    let directory = TempDir::new("bao");
    let bao = Bao::start(&directory).await;
    let root = bao.root();
    root.create_namespace("team").await.expect("made");
    let team = root.within("team");
    team.mount_kv("secret", 2).await.expect("mounted");
    team.kv2("secret").write("web", &json!({ "a": "theirs" })).await.expect("written");
    assert_eq!(root.kv2("secret").read("web").await.expect("read"), None);
    assert_eq!(team.kv2("secret").read("web").await.expect("read"), Some(json!({ "a": "theirs" })));
    team.create_namespace("web").await.expect("made");
    root.within("team/web").mount_kv("secret", 1).await.expect("mounted");
}

#[tokio::test]
async fn a_rate_limit_is_told_with_429_until_it_is_lifted() {
    let directory = TempDir::new("bao");
    let bao = Bao::start(&directory).await;
    let root = bao.root();
    root.kv2("secret").write("web", &json!({ "a": "1" })).await.expect("written");
    root.rate_limit("slow", "secret/", 1, "60s").await.expect("made");
    let read = async || {
        let answer = root.send(Method::GET, "secret/data/web", &Value::Null).await.expect("an answer");
        answer.status
    };
    assert_eq!((read().await, read().await), (200, 429));
    root.lift_rate_limit("slow").await.expect("lifted");
    assert_eq!(read().await, 200);
}

#[tokio::test]
async fn only_clients_with_a_certificate_get_in_where_it_asks_for_one() {
    let directory = TempDir::new("bao");
    let authority = Authority::new("bao authority");
    let bao = Bao::builder().mutual_tls(&authority).start(&directory).await;
    assert!(bao.url().starts_with("https://127.0.0.1:"));
    assert_eq!(bao.health().await.expect("an answer"), 200);
    let stranger = Authority::new("another authority").issue(&["client"]);
    let refused = bao.root().with_certificate(&stranger).read("sys/mounts").await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(!bao.logs().contains(ROOT_TOKEN));
}
