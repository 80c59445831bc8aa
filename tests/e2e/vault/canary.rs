//! Values that must never show: planted everywhere, and looked for in everything that can be read.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_testkit::{Authority, biplane};
use serde_json::json;

use super::world::{Vault, domain, in_vault, request, service, shows, until_secret};
use crate::harness::Tree;
use crate::harness::resources::object;

/// What is looked for: the lines of a key that are long enough to be told from other text, a token, a header.
struct Canaries(Vec<(String, String)>);

impl Canaries {
    fn of(values: &[(&str, &str)]) -> Self {
        let mut all = Vec::new();
        for (what, value) in values {
            let lines = value.lines().filter(|line| line.len() >= 16 && !line.starts_with("-----"));
            all.extend(lines.map(|line| ((*what).to_owned(), line.to_owned())));
            all.push((format!("{what} in base64"), STANDARD.encode(value.trim())));
        }
        Self(all)
    }

    fn look_in(&self, place: &str, text: &[u8]) {
        for (what, canary) in &self.0 {
            let found = text.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{what} shows in {place}");
        }
    }

    fn look_below(&self, folder: &Path, except: &[&Path]) {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if except.contains(&path.as_path()) {
                continue;
            }
            if path.is_dir() {
                self.look_below(&path, except);
            } else {
                self.look_in(&path.display().to_string(), &fs::read(&path).expect("readable"));
            }
        }
    }
}

#[tokio::test]
async fn no_value_shows_in_any_log_dump_metric_status_or_snapshot() {
    let authority = Authority::new("Ours");
    let [a, inline] = ["a", "inline"].map(|name| authority.issue(&[&domain(name)]));
    let objects = [
        in_vault("a"),
        service("a"),
        crate::harness::resources::secret("inline", &inline),
        service("inline"),
        object("Secret", "token", "vault: { kv: { path: token }, form: header }"),
        object("Secret", "broken", "vault: { kv: { path: broken } }"),
        service("broken"),
    ];
    let tree = Tree::with_tls(&objects);
    let vault = Vault::start(&tree).await;
    vault.put("a", &a).await;
    let header = "canary-header-0123456789";
    vault.kv.write("token", &json!({ "x-token": header })).await.expect("written");
    let broken = "canary-broken-0123456789";
    vault.kv.write("broken", &json!({ "tls.crt": broken, "tls.key": broken })).await.expect("written");
    let options =
        biplane::Options::files(tree.files.root()).arguments(["--secrets", &vault.url(""), "--log", "trace"]);
    let biplane = biplane_testkit::Biplane::start_with(options, &tree.directory).await;
    let mut site = tree.site_on(biplane, crate::harness::Bootstrap::default()).await;
    assert!(shows(&site.ask(&request(&authority, "a")).await, &a));
    until_secret(&site.biplane, "broken", "unfit").await;
    let second = authority.issue(&[&domain("a")]);
    vault.put("a", &second).await;
    site.until(&request(&authority, "a"), |answer| shows(answer, &second)).await;
    vault.bao.root().revoke(&vault.token).await.expect("revoked");
    super::world::until_source(&site.biplane, "denied").await;

    let canaries = Canaries::of(&[
        ("the key from Vault", &a.key),
        ("the new key from Vault", &second.key),
        ("the key in a file", &inline.key),
        ("the header", header),
        ("the broken pair", broken),
        ("Vault's token", &vault.token),
    ]);
    for path in ["/v1/status", "/v1/secrets", "/v1/resources", "/metrics", "/v1/openapi.json"] {
        let answer = site.biplane.get(path).await.expect("an answer");
        assert_eq!(answer.status, 200, "{path}");
        canaries.look_in(path, answer.text().as_bytes());
    }
    let api = format!("http://{}", site.biplane.admin());
    let root = site.files.root().display().to_string();
    for command in [
        vec!["get", "secrets", "--api", &api, "-o", "wide"],
        vec!["get", "secrets", "--api", &api, "-o", "yaml"],
        vec!["get", "secrets", "--api", &api, "-o", "json"],
        vec!["describe", "secret/gloo-system/inline", "--api", &api],
        vec!["history", "secret/gloo-system/inline", "--api", &api],
        vec!["status", "--api", &api],
        vec!["check", "--api", &api],
        vec!["source", "list", "--api", &api, "-o", "json"],
        vec!["translate", &root],
        vec!["validate", &root],
    ] {
        let output = biplane::run(&command);
        canaries.look_in(&command.join(" "), format!("{}{}", output.stdout, output.stderr).as_bytes());
    }
    let log = site.biplane.process().log();
    assert!(log.contains("TRACE"), "the log is at its most talkative");
    canaries.look_in("the log", log.as_bytes());
    let state = site.biplane.state().to_owned();
    site.biplane.stop().await;
    canaries.look_in("the log at the end", site.biplane.process().log().as_bytes());
    assert!(fs::read_dir(&state).expect("a state directory").count() > 1, "there is a snapshot");
    canaries.look_below(&state, &[]);
}
