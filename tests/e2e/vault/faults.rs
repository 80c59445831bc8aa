//! Scenario 10: whatever becomes of Vault, Envoys keep what they have, and nothing needs a restart afterwards.

use std::time::Duration;

use biplane_testkit::{Authority, Identity, throughout};
use serde_json::Value;

use super::world::{
    Vault, domain, handshakes, held, in_vault, request, service, shows, until_secret, until_source,
};
use crate::harness::{Site, Tree, status};

/// How long Vault is away in the tests that are run often.
const SHORT: Duration = Duration::from_secs(5);

struct Faults {
    authority: Authority,
    vault: Vault,
    site: Site,
    served: Identity,
}

impl Faults {
    async fn start() -> Self {
        let authority = Authority::new("Ours");
        let served = authority.issue(&[&domain("a")]);
        let tree = Tree::with_tls(&[in_vault("a"), service("a")]);
        let vault = Vault::start(&tree).await;
        vault.put("a", &served).await;
        let site = vault.site(tree).await;
        until_secret(&site.biplane, "a", "known").await;
        Self { authority, vault, site, served }
    }

    /// Nothing reaches Envoy for a time, and traffic passes.
    async fn unchanged(&self, time: Duration) {
        let (before, counts) = (held(&self.site.envoy).await, self.site.counts().await);
        let traffic = handshakes(&self.site, &self.authority, "a");
        throughout("the same secrets", time, async || {
            let now = held(&self.site.envoy).await;
            anyhow::ensure!(now == before, "{before:#} became {now:#}");
            Ok(())
        })
        .await;
        traffic.stop().assert_clean();
        assert_eq!(self.site.counts().await, counts);
    }

    /// What is written to Vault reaches Envoy again.
    async fn recovers(&mut self) {
        self.served = self.authority.issue(&[&domain("a")]);
        self.vault.put("a", &self.served).await;
        let request = request(&self.authority, "a");
        self.site.until(&request, |answer| shows(answer, &self.served)).await;
        until_source(&self.site.biplane, "complete").await;
        status::until_clean(&self.site.biplane).await;
    }
}

fn error(source: &Value) -> String {
    format!("{} {}", source["lastError"], source["hint"])
}

async fn sealed_for(time: Duration) {
    let mut faults = Faults::start().await;
    faults.vault.bao.seal().await.expect("sealed");
    let source = until_source(&faults.site.biplane, "failed").await;
    assert!(error(&source).contains("sealed"), "{source:#}");
    faults.unchanged(time).await;
    let secret = until_secret(&faults.site.biplane, "a", "failed").await;
    assert!(secret["lastError"].as_str().is_some_and(|error| error.contains("sealed")), "{secret:#}");
    faults.vault.bao.unseal().await;
    faults.recovers().await;
}

#[tokio::test]
async fn sealed_vault_changes_nothing_and_is_followed_again_once_it_is_open() {
    sealed_for(SHORT).await;
}

#[tokio::test]
async fn long_vault_that_is_sealed_for_two_minutes_changes_nothing() {
    sealed_for(Duration::from_mins(2)).await;
}

#[tokio::test]
async fn revoked_token_changes_nothing_and_a_new_one_in_its_file_is_taken() {
    let mut faults = Faults::start().await;
    let token = faults.vault.token.clone();
    faults.vault.bao.root().revoke(&token).await.expect("revoked");
    let source = until_source(&faults.site.biplane, "denied").await;
    assert!(error(&source).contains("token"), "{source:#}");
    faults.unchanged(SHORT).await;
    faults.vault.new_token().await;
    faults.recovers().await;
}

#[tokio::test]
async fn policy_that_is_taken_away_is_told_and_changes_nothing() {
    let mut faults = Faults::start().await;
    let root = faults.vault.bao.root();
    root.policy("biplane", "path \"kv/data/other\" { capabilities = [\"read\"] }").await.expect("narrowed");
    let secret = until_secret(&faults.site.biplane, "a", "failed").await;
    let told = error(&secret);
    assert!(told.contains("kv/data/a") && told.contains("read"), "{told}");
    faults.unchanged(SHORT).await;
    let wider = "path \"kv/*\" { capabilities = [\"read\"] }";
    root.policy("biplane", wider).await.expect("widened");
    faults.recovers().await;
}

#[tokio::test]
async fn rate_limited_vault_changes_nothing() {
    let mut faults = Faults::start().await;
    let root = faults.vault.bao.root();
    root.rate_limit("tight", "kv", 1, "30s").await.expect("a quota");
    until_secret(&faults.site.biplane, "a", "failed").await;
    faults.unchanged(SHORT).await;
    root.lift_rate_limit("tight").await.expect("lifted");
    faults.recovers().await;
}

#[tokio::test]
async fn restart_while_vault_is_sealed_serves_what_was_known() {
    let mut faults = Faults::start().await;
    let counts = faults.site.envoy.losses().await.expect("statistics");
    let traffic = handshakes(&faults.site, &faults.authority, "a");
    faults.vault.bao.seal().await.expect("sealed");
    // What is on disk by now has the secret: it is written when the process ends, if not before.
    faults.site.biplane.stop().await;
    faults.site.biplane.start_again().await;
    faults.site.in_sync().await;
    until_source(&faults.site.biplane, "failed").await;
    traffic.stop().assert_clean();
    assert_eq!(faults.site.envoy.losses().await.expect("statistics"), counts);
    // A new Envoy gets it too.
    faults.site.envoy.restart().await;
    let (authority, served) = (&faults.authority, &faults.served);
    faults.site.until(&request(authority, "a"), |answer| shows(answer, served)).await;
    faults.vault.bao.unseal().await;
    faults.recovers().await;
}
