//! Nothing secret shows: not in what is logged at the level of traces, by whatever library, and not in what can be printed.
//!
//! A log has one listener a process, so a process of its own does all that a source does, logs all there is, and prints all
//! that is public. What must not show it writes down for the test that reads its words.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_core::resources::secret::{KeyPlace, VaultAws, VaultPki};
use biplane_source::{Phase, Secret, SecretOptions, SecretRequest, SecretSource as _};
use biplane_store_vault::{Auth, RoleId, VaultOptions, VaultSecrets};
use biplane_testkit::bao::JwtIssuer;
use biplane_testkit::fault_proxy::{Answer, Matcher};
use biplane_testkit::{Authority, Bao, TempDir};
use serde_json::json;

use crate::aws_login::{self, Aws};
use crate::fake::{Engine, Fake};
use crate::harness::{Reader, World, connect, failed, kv, options, replace, state, token, unique};
use crate::pki::{certificate, engine, wanted};

/// Names the file for what must not show.
const SECRETS: &str = "BIPLANE_TEST_SECRETS";

/// Keys in PEM are looked for line by line.
const LINE_MIN: usize = 20;

#[test]
fn nothing_secret_is_logged_or_printed_whatever_happens() {
    let directory = TempDir::new("canary");
    let file = directory.join("secrets");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "canary::the_process_that_does_everything", "--nocapture"]).env(SECRETS, &file);
    aws_login::in_files_only(&mut command, &directory);
    let output = command.output().expect("it starts");
    let said =
        [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned()).concat();
    assert!(output.status.success(), "it ended with {}:\n{}", output.status, tail(&said));
    for library in ["hyper_util", "reqwest", "rustify", "biplane_store_vault"] {
        assert!(said.contains(&format!(" {library}")), "{library} has said nothing, so nothing was tested");
    }
    let secrets = fs::read_to_string(file).expect("it has written them down");
    assert!(secrets.lines().count() > 30, "too few to mean anything");
    for secret in secrets.lines() {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} shows");
    }
    let login = said.lines().find(|line| line.match_indices("s.").any(|(at, _)| is_token(line, at)));
    assert_eq!(login, None, "a token shows that a login gave");
}

/// As OpenBao's tokens are: `s.` and 24 letters and digits, or more.
fn is_token(line: &str, at: usize) -> bool {
    let begins = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
    begins && line[at + 2..].chars().take_while(char::is_ascii_alphanumeric).count() >= 24
}

fn tail(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// What must not show.
struct Canaries {
    file: PathBuf,
    all: Vec<String>,
}

impl Canaries {
    fn add(&mut self, secret: &str) {
        self.all
            .extend(secret.lines().map(str::trim).filter(|line| line.len() >= LINE_MIN).map(str::to_owned));
    }

    /// A name with which everything secret begins, so that it is never a word of anything else.
    fn make(&mut self, what: &str) -> String {
        let secret = format!("canary-{what}-{:08x}", std::process::id());
        self.add(&secret);
        secret
    }

    fn add_secret(&mut self, secret: &Secret) {
        for (name, value) in
            secret.fields.iter().filter(|(name, _)| !matches!(name.as_str(), "certChain" | "rootCa"))
        {
            assert!(!value.is_empty(), "{name}");
            let text = String::from_utf8(value.to_vec()).expect("text");
            self.add(
                text.trim_start_matches("-----BEGIN PRIVATE KEY-----")
                    .trim_end_matches("-----END PRIVATE KEY-----\n"),
            );
        }
    }

    fn write_down(&self) {
        fs::write(&self.file, self.all.join("\n")).expect("the directory is writable");
    }
}

/// Prints in every way that there is.
fn print(what: &impl Debug) {
    eprintln!("{what:?} {what:#?}");
}

/// Not a rule: the process that does everything.
#[tokio::test]
async fn the_process_that_does_everything() {
    let Some(file) = std::env::var_os(SECRETS) else { return };
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .init();
    let mut canaries = Canaries { file: file.into(), all: Vec::new() };
    let world = World::new().await;
    stored(&world, &mut canaries).await;
    logins(&world, &mut canaries).await;
    aws_logins(&mut canaries).await;
    issued(&world, &mut canaries).await;
    certificate_login(&mut canaries).await;
    canaries.write_down();
}

/// Values are read, watched, changed, and cannot be read for a while; an answer repeats what we sent.
async fn stored(world: &World, canaries: &mut Canaries) {
    let secret = canaries.make("token");
    let wanted = json!({ "id": secret, "policies": ["root"], "no_parent": true, "ttl": "1h" });
    world.root().token_with(&wanted).await.expect("a token");
    let source = open(options(world.link.address(), token(&secret)));
    for version in [1, 2] {
        let (mount, store) = world.kv(version).await;
        let fields = |n: u8, canaries: &mut Canaries| {
            let mut made = |what: &str| canaries.make(&format!("{what}-{version}-{n}"));
            json!({ "password": made("value"), "deep": { "key": made("deep") } })
        };
        store.write("a", &fields(1, canaries)).await.expect("a write");
        let mut reader = Reader::new(&source, &kv(&mount, "a"));
        print(&reader.secret().await);
        store.write("a", &fields(2, canaries)).await.expect("a write");
        print(&reader.next().await);
        let echo = json!({ "errors": [format!("the token {secret} is not good enough")] }).to_string();
        for status in [400, 403, 404, 500] {
            world.link.answer(
                Matcher::path(&format!("/v1/{mount}")),
                Answer { body: echo.clone(), ..Answer::status(status) },
                1,
            );
            print(&source.read(&kv(&mount, "a")).await);
        }
        world.link.cut();
        print(&reader.failure().await);
        world.link.heal();
        print(&reader.secret().await);
        print(&source.read(&SecretRequest::Path("a".into())).await);
    }
    let late = source.watch(&kv("secret", "none"), SecretOptions::default());
    drop(late);
    world.root().revoke(&secret).await.expect("its end");
    print(&source.read(&kv("secret", "none")).await);
    close(&source);
}

/// Every way to log in, with something wrong first.
async fn logins(world: &World, canaries: &mut Canaries) {
    let root = world.root();
    let (approle, userpass, jwt) = (unique("approle"), unique("userpass"), unique("jwt"));
    let issuer = JwtIssuer::new();
    for (mount, kind) in [(&approle, "approle"), (&userpass, "userpass"), (&jwt, "jwt")] {
        root.enable_auth(mount, kind).await.expect("a method");
    }
    let short = json!({ "token_ttl": "2s", "token_max_ttl": "3s" });
    let role = root.approle(&approle, "biplane", &short).await.expect("a role");
    let password = canaries.make("password");
    root.user(&userpass, "ann", &password, &short).await.expect("a user");
    root.trust_jwt(&jwt, &issuer).await.expect("its key");
    root.jwt_role(&jwt, "biplane", "vault.io", &short).await.expect("a role");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let signed = issuer.sign(&json!({ "sub": "biplane", "aud": "vault.io", "iat": now, "exp": now + 600 }));
    canaries.add(&role.secret_id);
    canaries.add(&signed);
    let proof = world.file("proof", "");
    for (auth, right) in [
        (
            Auth::AppRole {
                mount: approle,
                role_id: RoleId::Text(role.role_id),
                secret_id_file: Some(proof.clone()),
            },
            &role.secret_id,
        ),
        (Auth::Userpass { mount: userpass, username: "ann".into(), password_file: proof.clone() }, &password),
        (Auth::Jwt { mount: jwt, role: Some("biplane".into()), file: proof.clone() }, &signed),
    ] {
        replace(&proof, &canaries.make(&format!("wrong-{}", auth.method())));
        let source = open(options(world.link.address(), auth));
        print(&failed(&source).await);
        replace(&proof, right);
        state(&source, "two logins", |_| source.counters().logins >= 2).await;
        close(&source);
    }
}

/// By AWS: by a user and by a role for some time, with an answer first that repeats all that was signed.
async fn aws_logins(canaries: &mut Canaries) {
    let directory = TempDir::new("canary-aws");
    let aws = Aws::start(&directory).await.expect("the variables of this process are set");
    for keys in [&aws.user, &aws.sessions[0]] {
        canaries.add(&keys.secret_access_key);
        canaries.add(keys.session_token.as_deref().unwrap_or_default());
        aws.give(keys);
        let fake = Fake::with_method(Engine { token: 2, ..Engine::default() }, aws.method()).await;
        fake.change_method(|method| method.repeats = true);
        let source = open(options(fake.address(), aws_login::auth()));
        print(&failed(&source).await);
        fake.change_method(|method| method.repeats = false);
        state(&source, "two logins", |_| source.counters().logins >= 2).await;
        close(&source);
    }
    // What was signed, plain and as Vault gets it.
    let signed = r#"{"Authorization":["AWS4-HMAC-SHA2"#;
    canaries.all.extend(["AWS4-HMAC-SHA256".to_owned(), STANDARD.encode(signed)]);
}

/// Certificates and credentials.
async fn issued(world: &World, canaries: &mut Canaries) {
    let (mount, pki) = engine(world).await;
    pki.role("biplane", &json!({ "key_type": "ec" })).await.expect("a role");
    let source = open(world.options());
    let remote =
        SecretRequest::Pki(VaultPki { key: Some(KeyPlace::Vault), ..wanted(&mount, "a.example.com", 4) });
    for request in [certificate(&mount, "a.example.com", 4), remote] {
        let mut reader = Reader::new(&source, &request);
        for _ in 0..2 {
            let secret = reader.secret().await;
            canaries.add_secret(&secret);
            print(&secret);
        }
        world.link.cut();
        print(&reader.failure().await);
        world.link.heal();
        canaries.add_secret(&reader.secret().await);
    }
    close(&source);
    let fake = Fake::start(Engine { lease: 2, max: 3, ..Engine::default() }).await;
    canaries.all.extend(["secret-canary", "session-canary", "token-canary", "any text"].map(str::to_owned));
    let source = open(fake.options(world));
    let request = SecretRequest::Aws(VaultAws { role: "biplane".into(), ..VaultAws::default() });
    let mut reader = Reader::new(&source, &request);
    for _ in 0..3 {
        print(&reader.secret().await);
    }
    close(&source);
}

/// Over TLS, with a key of ours.
async fn certificate_login(canaries: &mut Canaries) {
    let (directory, authority) = (TempDir::new("canary-tls"), Authority::new("clients and servers"));
    let bao = Bao::builder().tls(&authority).start(&directory).await;
    bao.root().enable_auth("cert", "cert").await.expect("a method");
    let role = json!({ "token_ttl": "2s" });
    bao.root().certificate_role("cert", "clients", authority.certificate(), &role).await.expect("a role");
    let client = authority.issue(&["client"]);
    canaries.add(client.key.lines().nth(1).expect("a key"));
    let mut options = options(bao.address(), Auth::Cert { mount: "cert".into(), role: None });
    options.address.tls = true;
    for (place, name, content) in [
        (&mut options.tls.ca_file, "ca.pem", authority.certificate()),
        (&mut options.tls.cert_file, "cert.pem", client.certificate.as_str()),
        (&mut options.tls.key_file, "key.pem", client.key.as_str()),
    ] {
        replace(&directory.join(name), content);
        *place = Some(directory.join(name));
    }
    let source = open(options);
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
    print(&source.read(&kv("secret", "none")).await);
    state(&source, "a renewal", |_| source.counters().renewals >= 1).await;
    close(&source);
}

fn open(options: VaultOptions) -> VaultSecrets {
    print(&options);
    let refresh = Duration::from_millis(500);
    connect(VaultOptions { refresh, ..options })
}

fn close(source: &VaultSecrets) {
    print(source);
    print(&source.counters());
    print(&source.state().borrow().clone());
}
