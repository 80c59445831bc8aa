//! Logins: each method that OpenBao has, beyond the life of its tokens, and from the end of one to the next.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use biplane_source::{Cause, Phase, SecretRequest, SecretSource as _};
use biplane_store_vault::{Address, Auth, RoleId, Tls, VaultOptions, VaultSecrets};
use biplane_testkit::bao::{AppRole, JwtIssuer};
use biplane_testkit::{Authority, Bao, TempDir, throughout};
use serde_json::{Value, json};

use crate::harness::{
    World, assert_silent, connect, failed, kv, options, replace, state, told, unique, value,
};

/// Tokens that live for two seconds and can be renewed for five.
fn short(policy: &str) -> Value {
    json!({ "token_ttl": "2s", "token_max_ttl": "5s", "token_policies": [policy] })
}

/// A secret, and the policy that lets read it.
async fn readable(world: &World) -> (SecretRequest, String) {
    let (mount, store) = world.kv(2).await;
    store.write("a", &json!({ "n": "1" })).await.expect("a write");
    let policy = unique("policy");
    let rules = format!("path \"{mount}/*\" {{ capabilities = [\"read\"] }}");
    world.root().policy(&policy, &rules).await.expect("a policy");
    (kv(&mount, "a"), policy)
}

/// Reads all the time, for longer than any token of the role can live.
async fn outlives_its_tokens(source: &VaultSecrets, request: &SecretRequest) {
    throughout("reading", Duration::from_secs(8), async || {
        assert_eq!(value(&source.read(request).await, "n"), "1");
        Ok(())
    })
    .await;
    let counters = source.counters();
    assert!(counters.logins >= 2 && counters.renewals >= 2, "{counters:?}");
    assert_eq!(counters.login_failures, 0, "{counters:?}");
}

async fn approle(world: &World, settings: &Value) -> (String, AppRole) {
    let mount = unique("approle");
    world.root().enable_auth(&mount, "approle").await.expect("a method");
    let role = world.root().approle(&mount, "biplane", settings).await.expect("a role");
    (mount, role)
}

fn by_approle(world: &World, mount: &str, role: &AppRole) -> Auth {
    let secret_id_file = world.file("secret-id", &format!("{}\n", role.secret_id));
    Auth::AppRole {
        mount: mount.into(),
        role_id: RoleId::Text(role.role_id.clone()),
        secret_id_file: Some(secret_id_file),
    }
}

#[tokio::test]
async fn approle_logs_in_again_before_its_tokens_end_for_ever() {
    let world = World::new().await;
    let (request, policy) = readable(&world).await;
    let (mount, role) = approle(&world, &short(&policy)).await;
    let source = world.source_with(by_approle(&world, &mount, &role));
    outlives_its_tokens(&source, &request).await;
    assert_eq!(source.state().borrow().details["auth"], format!("approle at auth/{mount}"));
}

#[tokio::test]
async fn approle_without_a_secret_id_takes_the_role_id_from_a_file() {
    let world = World::new().await;
    let (request, policy) = readable(&world).await;
    let settings =
        json!({ "bind_secret_id": false, "token_policies": [policy], "token_bound_cidrs": "127.0.0.0/8" });
    let mount = unique("approle");
    world.root().enable_auth(&mount, "approle").await.expect("a method");
    let path = format!("auth/{mount}/role/biplane");
    world.root().write(&path, &settings).await.expect("a role");
    let id = world.root().read(&format!("{path}/role-id")).await.expect("an answer").expect("an id");
    let file = world.file("role-id", id["role_id"].as_str().expect("text"));
    let auth = Auth::AppRole { mount, role_id: RoleId::File(file), secret_id_file: None };
    assert_eq!(value(&world.source_with(auth).read(&request).await, "n"), "1");
}

#[tokio::test]
async fn a_secret_id_that_is_rotated_is_found_at_the_next_login() {
    let world = World::new().await;
    let (request, policy) = readable(&world).await;
    let mut settings = short(&policy);
    settings["secret_id_num_uses"] = json!(1);
    let (mount, role) = approle(&world, &settings).await;
    let source = world.source_with(by_approle(&world, &mount, &role));
    assert_eq!(value(&source.read(&request).await, "n"), "1");
    let error = failed(&source).await;
    assert!(told(&error).contains("AppRole"), "{error:?}");
    assert_silent(&(&error, source.state().borrow().clone()), &role.secret_id);
    let another = world.root().secret_id(&mount, "biplane").await.expect("a secret id");
    replace(&world.directory.join("secret-id"), &another);
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
    assert_eq!(value(&source.read(&request).await, "n"), "1");
}

#[tokio::test]
async fn tokens_that_are_revoked_are_replaced_within_the_question() {
    let world = World::new().await;
    let (request, policy) = readable(&world).await;
    let (mount, role) = approle(&world, &json!({ "token_policies": [policy] })).await;
    let source = world.source_with(by_approle(&world, &mount, &role));
    assert_eq!(value(&source.read(&request).await, "n"), "1");
    for logins in 2..5 {
        world.root().revoke_prefix(&format!("auth/{mount}")).await.expect("their end");
        assert_eq!(value(&source.read(&request).await, "n"), "1");
        assert_eq!(source.counters().logins, logins);
    }
}

#[tokio::test]
async fn tokens_that_may_not_look_themselves_up_are_not_replaced_in_circles() {
    let world = World::new().await;
    let (request, policy) = readable(&world).await;
    let settings = json!({ "token_policies": [policy], "token_no_default_policy": true });
    let (mount, role) = approle(&world, &settings).await;
    let source = world.source_with(by_approle(&world, &mount, &role));
    assert_eq!(value(&source.read(&request).await, "n"), "1");
    for _ in 0..10 {
        let error = source.read(&kv("secret", "not-allowed")).await.expect_err("not allowed");
        assert_eq!(error.cause, Cause::Denied, "{error:?}");
    }
    assert!(source.counters().logins <= 2, "{:?}", source.counters());
}

fn claims(audience: &str, lives: u64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    json!({ "sub": "biplane", "aud": audience, "iat": now, "exp": now + lives })
}

#[tokio::test]
async fn a_jwt_is_read_anew_for_each_login() {
    let world = World::new().await;
    let (request, policy) = readable(&world).await;
    let (mount, issuer) = (unique("jwt"), JwtIssuer::new());
    world.root().enable_auth(&mount, "jwt").await.expect("a method");
    world.root().trust_jwt(&mount, &issuer).await.expect("its key");
    world.root().jwt_role(&mount, "biplane", "vault.io", &short(&policy)).await.expect("a role");
    let jwt = issuer.sign(&claims("vault.io", 3600));
    let file = world.file("nomad_vault_default.jwt", &jwt);
    let auth = Auth::Jwt { mount: mount.clone(), role: Some("biplane".into()), file: file.clone() };
    let source = world.source_with(auth);
    outlives_its_tokens(&source, &request).await;
    replace(&file, &issuer.sign(&claims("somebody else", 3600)));
    let error = failed(&source).await;
    assert!(told(&error).contains("audience"), "{error:?}");
    assert_silent(&error, &jwt);
    replace(&file, &issuer.sign(&claims("vault.io", 3600)));
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
}

#[tokio::test]
async fn a_user_and_a_password_log_in() {
    let world = World::new().await;
    let (request, policy) = readable(&world).await;
    let mount = unique("userpass");
    world.root().enable_auth(&mount, "userpass").await.expect("a method");
    world.root().user(&mount, "ann", "hunter2-canary", &short(&policy)).await.expect("a user");
    let password_file = world.file("password", "wrong-canary");
    let auth = Auth::Userpass { mount, username: "ann".into(), password_file: password_file.clone() };
    let source = world.source_with(auth);
    let error = failed(&source).await;
    assert_silent(&error, "wrong-canary");
    replace(&password_file, "hunter2-canary\n");
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
    assert_eq!(value(&source.read(&request).await, "n"), "1");
}

/// An OpenBao with TLS, whose login by certificate trusts the authority's clients.
async fn encrypted(authority: &Authority, directory: &TempDir) -> Bao {
    let bao = Bao::builder().tls(authority).start(directory).await;
    let root = bao.root();
    root.kv2("secret").write("a", &json!({ "n": "1" })).await.expect("a write");
    root.policy("reader", r#"path "secret/*" { capabilities = ["read"] }"#).await.expect("a policy");
    root.enable_auth("cert", "cert").await.expect("a method");
    root.certificate_role("cert", "clients", authority.certificate(), &short("reader"))
        .await
        .expect("a role");
    bao
}

/// Options over TLS, with files for the authority and, if there is one, the client.
fn over_tls(bao: &Bao, directory: &TempDir, host: &str, auth: Auth) -> VaultOptions {
    let mut options = options(bao.address(), auth);
    options.address = Address { tls: true, host: host.into(), port: bao.address().port() };
    options.tls = Tls { ca_file: Some(directory.join("ca.pem")), ..Tls::default() };
    options
}

#[tokio::test]
async fn a_client_certificate_logs_in_and_is_read_again_when_it_changes() {
    let (directory, authority) = (TempDir::new("vault-tls"), Authority::new("clients and servers"));
    let bao = encrypted(&authority, &directory).await;
    replace(&directory.join("ca.pem"), authority.certificate());
    let stranger = Authority::new("nobody").issue(&["client"]);
    let client = authority.issue(&["client"]);
    replace(&directory.join("client.pem"), &format!("{}\n{}", stranger.certificate, stranger.key));
    let auth = Auth::Cert { mount: "cert".into(), role: Some("clients".into()) };
    let mut options = over_tls(&bao, &directory, "127.0.0.1", auth);
    options.tls.cert_file = Some(directory.join("client.pem"));
    let source = connect(options);
    failed(&source).await;
    replace(&directory.join("client.pem"), &format!("{}\n{}", client.certificate, client.key));
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
    outlives_its_tokens_over_tls(&source).await;
}

async fn outlives_its_tokens_over_tls(source: &VaultSecrets) {
    let before = source.counters().logins;
    throughout("reading", Duration::from_secs(7), async || {
        assert_eq!(value(&source.read(&kv("secret", "a")).await, "n"), "1");
        Ok(())
    })
    .await;
    assert!(source.counters().logins > before, "{:?}", source.counters());
}

#[tokio::test]
async fn a_server_whose_certificate_is_not_trusted_gets_no_token() {
    let (directory, authority) = (TempDir::new("vault-tls"), Authority::new("servers"));
    let bao = encrypted(&authority, &directory).await;
    let auth = || crate::harness::token(bao.root_token());
    replace(&directory.join("ca.pem"), Authority::new("another").certificate());
    let error = failed(&connect(over_tls(&bao, &directory, "127.0.0.1", auth()))).await;
    assert!(told(&error).contains("caFile="), "{error:?}");
    replace(&directory.join("ca.pem"), authority.certificate());
    let source = connect(over_tls(&bao, &directory, "127.0.0.1", auth()));
    assert_eq!(value(&source.read(&kv("secret", "a")).await, "n"), "1");
    let plain = connect(options(bao.address(), auth()));
    assert!(told(&failed(&plain).await).contains("vaults://"));
}

#[tokio::test]
async fn the_name_of_a_certificate_may_be_another_than_the_address() {
    let (directory, authority) = (TempDir::new("vault-tls"), Authority::new("servers"));
    let bao = encrypted(&authority, &directory).await;
    replace(&directory.join("ca.pem"), authority.certificate());
    let auth = || crate::harness::token(bao.root_token());
    // Another name of this machine's, which is not in the certificate.
    let mut options = over_tls(&bao, &directory, "127.0.0.2", auth());
    options.tls.server_name = Some("localhost".into());
    let by_name = connect(over_tls(&bao, &directory, "localhost", auth()));
    assert_eq!(value(&by_name.read(&kv("secret", "a")).await, "n"), "1");
    options.address.host = "127.0.0.1".into();
    options.tls.server_name = Some("another.name".into());
    failed(&connect(options.clone())).await;
    options.tls.server_name = Some("localhost".into());
    assert_eq!(value(&connect(options.clone()).read(&kv("secret", "a")).await, "n"), "1");
    options.tls = Tls { verify: false, ..Tls::default() };
    assert_eq!(value(&connect(options).read(&kv("secret", "a")).await, "n"), "1");
}

#[tokio::test]
async fn namespaces_are_apart() {
    let world = World::new().await;
    let namespace = unique("team");
    world.root().create_namespace(&namespace).await.expect("a namespace");
    let inside = world.root().within(&namespace);
    inside.mount_kv("kv", 2).await.expect("an engine");
    inside.kv2("kv").write("a", &json!({ "n": "1" })).await.expect("a write");
    inside.policy("reader", r#"path "kv/*" { capabilities = ["read"] }"#).await.expect("a policy");
    inside.enable_auth("approle", "approle").await.expect("a method");
    let role = inside.approle("approle", "biplane", &short("reader")).await.expect("a role");
    let mut options = options(world.link.address(), by_approle(&world, "approle", &role));
    options.namespace = Some(namespace.clone());
    let source = connect(options);
    outlives_its_tokens(&source, &kv("kv", "a")).await;
    assert_eq!(source.state().borrow().details["namespace"], namespace);
    let outside = world.source().read(&kv("kv", "a")).await;
    assert!(outside.is_err(), "the mount is in the namespace only: {outside:?}");
}

#[tokio::test]
async fn a_token_of_the_root_serves_a_namespace_too() {
    let world = World::new().await;
    let namespace = unique("team");
    world.root().create_namespace(&namespace).await.expect("a namespace");
    let inside = world.root().within(&namespace);
    inside.mount_kv("kv", 2).await.expect("an engine");
    inside.kv2("kv").write("a", &json!({ "n": "1" })).await.expect("a write");
    let policy = unique("policy");
    let rules = format!("path \"{namespace}/kv/*\" {{ capabilities = [\"read\"] }}");
    world.root().policy(&policy, &rules).await.expect("a policy");
    let secret = world.root().token(&[&policy], "2s").await.expect("a token").secret;
    let mut options = options(world.link.address(), crate::harness::token(&secret));
    options.namespace = Some(namespace);
    let source = connect(options);
    throughout("reading", Duration::from_secs(4), async || {
        assert_eq!(value(&source.read(&kv("kv", "a")).await, "n"), "1");
        Ok(())
    })
    .await;
}
