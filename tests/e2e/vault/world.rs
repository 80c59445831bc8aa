//! An OpenBao with an engine of keys and values, and a site whose secrets are in it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::bao::{Bao, Kv};
use biplane_testkit::load::Rate;
use biplane_testkit::{
    Authority, Biplane, ClientTls, Envoy, Identity, Load, Request, Response, biplane, eventually,
};
use serde_json::{Value, json};

use crate::harness::resources::{object, route_answering, tls_service};
use crate::harness::{Bootstrap, PATIENCE, Site, Tree, status};

/// The least that Biplane needs of an engine of keys and values.
const POLICY: &str = r#"
path "kv/data/*" { capabilities = ["read"] }
path "kv/metadata/*" { capabilities = ["read"] }
path "pki/issue/*" { capabilities = ["update"] }
path "pki/sign/*" { capabilities = ["update"] }
"#;

/// An OpenBao, and the token that Biplane asks it with.
#[derive(Debug)]
pub(crate) struct Vault {
    pub(crate) bao: Bao,
    pub(crate) kv: Kv,
    pub(crate) token: String,
    pub(crate) token_file: PathBuf,
}

impl Vault {
    /// One that keeps its data, with nothing in it.
    pub(crate) async fn start(tree: &Tree) -> Self {
        let bao = Bao::builder().data(true).start(&tree.directory).await;
        let root = bao.root();
        root.mount_kv("kv", 2).await.expect("an engine");
        root.policy("biplane", POLICY).await.expect("a policy");
        let token_file = tree.directory.join("vault.token");
        let mut vault = Self { kv: root.kv2("kv"), token: String::new(), bao, token_file };
        vault.new_token().await;
        vault
    }

    /// Gives Biplane a token of its own, in the file that it reads.
    pub(crate) async fn new_token(&mut self) {
        let token = self.bao.root().token(&["biplane"], "1h").await.expect("a token").secret;
        // Never half a token in the file.
        let half = self.token_file.with_extension("new");
        std::fs::write(&half, &token).expect("the test's directory");
        std::fs::rename(&half, &self.token_file).expect("the test's directory");
        self.token = token;
    }

    /// The value of `--secrets`; `more` begins with `&`.
    pub(crate) fn url(&self, more: &str) -> String {
        let (address, file) = (self.bao.address(), self.token_file.display());
        format!("vault://{address}/?tokenFile={file}&kvMount=kv&refresh=300ms&retryMax=1s{more}")
    }

    /// A Biplane that serves a tree with these secrets.
    pub(crate) async fn biplane(&self, tree: &Tree, more: &str) -> Biplane {
        let options = biplane::Options::files(tree.files.root()).arguments(["--secrets", &self.url(more)]);
        Biplane::start_with(options, &tree.directory).await
    }

    /// The same with an Envoy.
    pub(crate) async fn site(&self, tree: Tree) -> Site {
        let biplane = self.biplane(&tree, "").await;
        tree.site_on(biplane, Bootstrap::default()).await
    }

    /// Puts a certificate where [`in_vault`] looks for it.
    pub(crate) async fn put(&self, name: &str, identity: &Identity) {
        self.kv.write(name, &pair(identity)).await.expect("a version");
    }
}

/// A certificate as people put it into Vault.
pub(crate) fn pair(identity: &Identity) -> Value {
    json!({ "tls.crt": identity.certificate, "tls.key": identity.key })
}

/// A secret whose values are in Vault under the same name.
pub(crate) fn in_vault(name: &str) -> String {
    object("Secret", name, &format!("vault: {{ kv: {{ path: {name} }} }}"))
}

/// A service for one name, its certificate in the secret of the same name.
pub(crate) fn service(name: &str) -> String {
    let domain = domain(name);
    let ssl = format!("secretRef: {{ name: {name} }}\nsniDomains: [{domain}]");
    tls_service(name, &domain, &ssl, &route_answering("/", name))
}

/// The host of a service.
pub(crate) fn domain(name: &str) -> String {
    format!("{name}.example.com")
}

/// A request to a service by TLS.
pub(crate) fn request(authority: &Authority, name: &str) -> Request {
    Request::get(&domain(name), "/").tls(ClientTls::trusting(authority.certificate()))
}

/// Whether the server has shown this certificate.
pub(crate) fn shows(answer: &Response, identity: &Identity) -> bool {
    answer.certificate == Some(identity.der())
}

/// Traffic to a service in which every request is a handshake of its own.
pub(crate) fn handshakes(site: &Site, authority: &Authority, name: &str) -> Load {
    let request = request(authority, name).header("connection", "close");
    Load::start(site.port, vec![request], Rate { per_second: 100, connections: 4 })
}

/// What Envoy holds of secrets, without when it got them: names, versions, redacted values.
pub(crate) async fn held(envoy: &Envoy) -> Value {
    let answer = envoy.ask("/config_dump?resource=dynamic_active_secrets").await.expect("an answer");
    let mut secrets = answer.json().expect("JSON")["configs"].take();
    for secret in secrets.as_array_mut().into_iter().flatten() {
        secret.as_object_mut().expect("a secret").remove("last_updated");
    }
    secrets
}

/// One secret of `/v1/secrets`.
pub(crate) async fn secret(biplane: &Biplane, name: &str) -> Value {
    let secrets: Value = biplane.get("/v1/secrets").await.expect("an answer").json().expect("JSON");
    let secrets = secrets.as_array().cloned().unwrap_or_default();
    secrets.into_iter().find(|secret| secret["name"] == name).unwrap_or_default()
}

/// Waits for a state of a secret.
pub(crate) async fn until_secret(biplane: &Biplane, name: &str, state: &str) -> Value {
    eventually(&format!("secret {name} {state}"), PATIENCE, async || {
        let secret = secret(biplane, name).await;
        ensure!(secret["state"] == state, "the secret is {secret:#}");
        Ok(secret)
    })
    .await
}

/// Waits for a state of the source.
pub(crate) async fn until_source(biplane: &Biplane, state: &str) -> Value {
    let is_so = |source: &Value| source["kind"] == "secrets" && source["state"] == state;
    let status = status::until(biplane, &format!("a source {state}"), |status| {
        status::list(status, "sources").iter().any(is_so)
    })
    .await;
    status::list(&status, "sources").into_iter().find(is_so).expect("found above")
}

/// Longer than it takes to read everything again several times.
pub(crate) const SOME_READINGS: Duration = Duration::from_secs(2);
