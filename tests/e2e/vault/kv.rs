//! Stored values: served, rotated, broken, gone, and in Gloo's own layout.

use biplane_testkit::upstream::Upstream;
use biplane_testkit::{Authority, biplane, throughout};
use serde_json::json;

use super::world::{
    SOME_READINGS, Vault, domain, in_vault, pair, request, secret, service, shows, until_secret,
};
use crate::harness::resources::{object, service_to, upstream_with};
use crate::harness::{HOST, Tree, status};

#[tokio::test]
async fn certificate_in_vault_is_served_and_a_new_one_touches_no_listener() {
    let authority = Authority::new("Ours");
    let [first, second] = [0, 1].map(|_| authority.issue(&[&domain("a")]));
    let tree = Tree::with_tls(&[in_vault("a"), service("a")]);
    let vault = Vault::start(&tree).await;
    vault.put("a", &first).await;
    let site = vault.site(tree).await;
    let request = request(&authority, "a");
    assert!(shows(&site.ask(&request).await, &first));
    let before = site.counts().await;
    vault.put("a", &second).await;
    site.until(&request, |answer| shows(answer, &second)).await;
    assert_eq!(site.counts().await, before);
    let secret = until_secret(&site.biplane, "a", "known").await;
    assert_eq!((&secret["version"], &secret["names"]), (&json!(2), &json!([domain("a")])));
    assert_eq!(secret["place"], "vault: kv a");
}

#[tokio::test]
async fn names_of_ones_own_any_mount_and_version_1_work() {
    let authority = Authority::new("Ours");
    let identity = authority.issue(&[&domain("a")]);
    let fields = "vault: { kv: { mount: team/old, path: 'web site/a?b' }, \
                  fields: { certChain: chain, privateKey: secret } }";
    let tree = Tree::with_tls(&[object("Secret", "a", fields), service("a")]);
    let vault = Vault::start(&tree).await;
    let root = vault.bao.root();
    root.mount_kv("team/old", 1).await.expect("an engine");
    let policy = "path \"team/old/*\" { capabilities = [\"read\"] }";
    root.policy("biplane", policy).await.expect("a policy");
    let values = json!({ "chain": identity.certificate, "secret": identity.key, "note": "of no use" });
    root.kv1("team/old").write("web site/a?b", &values).await.expect("written");
    let site = vault.site(tree).await;
    assert!(shows(&site.ask(&request(&authority, "a")).await, &identity));
}

#[tokio::test]
async fn secret_that_is_written_later_is_served_then_and_others_do_not_wait_for_it() {
    let authority = Authority::new("Ours");
    let [a, b] = ["a", "b"].map(|name| authority.issue(&[&domain(name)]));
    let tree = Tree::with_tls(&[in_vault("a"), service("a"), in_vault("b"), service("b")]);
    let vault = Vault::start(&tree).await;
    vault.put("a", &a).await;
    let site = vault.site(tree).await;
    assert!(shows(&site.ask(&request(&authority, "a")).await, &a));
    assert!(request(&authority, "b").send(site.port).await.is_err());
    let report = status::until_report(&site.biplane, "Secret gloo-system/b", "is not there").await;
    assert!(report["location"].as_str().is_some_and(|place| place.contains("resources.yaml:")), "{report}");
    vault.put("b", &b).await;
    site.until(&request(&authority, "b"), |answer| shows(answer, &b)).await;
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn pair_that_does_not_work_is_named_and_the_old_one_is_served() {
    let authority = Authority::new("Ours");
    let [first, other] = [0, 1].map(|_| authority.issue(&[&domain("a")]));
    let tree = Tree::with_tls(&[in_vault("a"), service("a")]);
    let vault = Vault::start(&tree).await;
    vault.put("a", &first).await;
    let site = vault.site(tree).await;
    let request = request(&authority, "a");
    let before = site.counts().await;
    let mut mixed = pair(&first);
    mixed["tls.key"] = json!(other.key);
    for (broken, words) in [
        (mixed, "does not belong to the certificate"),
        (json!({ "tls.crt": "nonsense", "tls.key": first.key }), "no certificate in PEM"),
        (json!({ "tls.crt": first.certificate }), "no value privateKey"),
    ] {
        vault.kv.write("a", &broken).await.expect("written");
        status::until_report(&site.biplane, "Secret gloo-system/a", words).await;
        assert!(shows(&site.ask(&request).await, &first), "{words}");
        let admin = site.biplane.admin().to_string();
        let check = biplane::run(["check", "--api", &format!("http://{admin}")]);
        assert!(check.code != 0 && check.stdout.contains(words), "{check:?}");
    }
    assert_eq!(site.counts().await, before);
    vault.put("a", &other).await;
    site.until(&request, |answer| shows(answer, &other)).await;
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn values_that_are_deleted_stay_in_use_unless_the_object_says_otherwise() {
    let authority = Authority::new("Ours");
    let [a, b] = ["a", "b"].map(|name| authority.issue(&[&domain(name)]));
    let removed = object("Secret", "b", "vault: { kv: { path: b }, onDelete: remove }");
    let tree = Tree::with_tls(&[in_vault("a"), service("a"), removed, service("b")]);
    let vault = Vault::start(&tree).await;
    vault.put("a", &a).await;
    vault.put("b", &b).await;
    let site = vault.site(tree).await;
    for (name, identity) in [("a", &a), ("b", &b)] {
        assert!(shows(&site.ask(&request(&authority, name)).await, identity), "{name}");
        vault.kv.delete(name).await.expect("deleted");
    }
    status::until_report(&site.biplane, "Secret gloo-system/a", "stays in use").await;
    until_secret(&site.biplane, "b", "absent").await;
    let gone = async || request(&authority, "b").send(site.port).await.is_err();
    biplane_testkit::eventually("no certificate for b", crate::harness::PATIENCE, async || {
        anyhow::ensure!(gone().await, "it is still served");
        Ok(())
    })
    .await;
    assert!(shows(&site.ask(&request(&authority, "a")).await, &a));
    vault.kv.undelete("b", 1).await.expect("back");
    site.until(&request(&authority, "b"), |answer| shows(answer, &b)).await;
}

#[tokio::test]
async fn secrets_in_gloo_s_own_layout_need_no_object() {
    let authority = Authority::new("Ours");
    let identity = authority.issue(&[&domain("a")]);
    let tree = Tree::with_tls(&[service("a")]);
    let vault = Vault::start(&tree).await;
    let object = json!({
        "metadata": { "name": "a", "namespace": "gloo-system" },
        "tls": { "certChain": identity.certificate, "privateKey": identity.key },
    });
    vault.kv.write("gloo/gloo.solo.io/v1/Secret/gloo-system/a", &object).await.expect("written");
    let biplane = vault.biplane(&tree, "&layout=gloo").await;
    let site = tree.site_on(biplane, crate::harness::Bootstrap::default()).await;
    assert!(shows(&site.ask(&request(&authority, "a")).await, &identity));
    let told = secret(&site.biplane, "a").await;
    assert_eq!(told["place"], "vault: object gloo-system/a");
    status::until_clean(&site.biplane).await;
}

#[tokio::test]
async fn root_in_vault_verifies_an_upstream() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let server = Upstream::start_tls("secure", &ours.issue(&[HOST]));
    let ssl = format!("sslConfig: {{ secretRef: {{ name: trust }}, sni: {HOST} }}");
    let tree =
        Tree::with(&[upstream_with("secure", &[&server], &ssl), service_to("secure"), in_vault("trust")]);
    let vault = Vault::start(&tree).await;
    vault.kv.write("trust", &json!({ "ca.crt": theirs.certificate() })).await.expect("written");
    let site = vault.site(tree).await;
    assert_eq!(site.get("/").await.status, 503);
    vault.kv.write("trust", &json!({ "ca.crt": ours.certificate() })).await.expect("written");
    site.until_upstream("secure").await;
}

#[tokio::test]
async fn only_what_is_used_is_fetched_and_a_fleet_gets_only_its_own() {
    let authority = Authority::new("Ours");
    let tree = Tree::with_tls(&[in_vault("a"), service("a"), in_vault("unused")]);
    let vault = Vault::start(&tree).await;
    for name in ["a", "unused"] {
        vault.put(name, &authority.issue(&[&domain(name)])).await;
    }
    let site = vault.site(tree).await;
    assert_eq!(site.ask(&request(&authority, "a")).await.text(), "a");
    assert_eq!(secret(&site.biplane, "unused").await["state"], "unused");
    throughout("nobody asks for it", SOME_READINGS, async || {
        let fleet = status::fleet(&status::fetch(&site.biplane).await?, "gateway-proxy");
        anyhow::ensure!(fleet["secrets"] == 1, "{fleet}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn get_secrets_shows_where_each_comes_from_and_no_value() {
    let authority = Authority::new("Ours");
    let identity = authority.issue(&[&domain("a")]);
    let tree = Tree::with_tls(&[in_vault("a"), service("a")]);
    let vault = Vault::start(&tree).await;
    vault.put("a", &identity).await;
    let site = vault.site(tree).await;
    until_secret(&site.biplane, "a", "known").await;
    let api = format!("http://{}", site.biplane.admin());
    let table = biplane::run(["get", "secrets", "--api", &api, "-o", "wide"]);
    for word in ["gloo-system", "tls", "known", "a.example.com", "vault: kv a", "Gateway gloo-system/web-tls"]
    {
        assert!(table.stdout.contains(word), "{word} in {}", table.stdout);
    }
    let yaml = biplane::run(["get", "secrets", "--api", &api, "-o", "yaml"]);
    assert!(yaml.stdout.contains("path: a"), "{}", yaml.stdout);
    for output in [&table.stdout, &yaml.stdout] {
        assert!(!output.contains("PRIVATE KEY") && !output.contains("BEGIN"), "{output}");
    }
}
