//! What Gloo keeps in a real Consul: served where it is, followed as Gloo's users edit it, imported, and then
//! served the same from a store of Biplane's own.

use std::fs;
use std::path::{Path, PathBuf};

use biplane_testkit::biplane::{self, Options, Output};
use biplane_testkit::{Biplane, Consul, Etcd, Request, TempDir, Upstream};
use serde_json::{Value, json};

use crate::harness::{Bootstrap, Site, Tree, status};

/// The virtual service's key below Gloo's root key.
const SERVICE: &str = "gloo/gateway.solo.io/v1/VirtualService/gloo-system/petstore";

/// The route table's.
const TABLE: &str = "gloo/gateway.solo.io/v1/RouteTable/gloo-system/pets";

/// Everything that an import of the example leaves out.
const LEFT_OUT: [&str; 5] =
    ["", "consulKvSource", "discoveryNamespace", "refreshRate", "virtualHost.options.waf"];

/// A Consul in which Gloo has been at work, and the upstream that its objects name.
struct Gloo {
    consul: Consul,
    upstream: Upstream,
    port: u16,
    _directory: TempDir,
}

impl Gloo {
    /// The keys of `examples/gloo-consul`, with a port for the gateway and for the upstream.
    async fn start() -> Self {
        let directory = TempDir::new("gloo");
        let gloo = Self {
            consul: Consul::start(&directory).await,
            upstream: Upstream::start("petstore"),
            port: biplane_testkit::free_port(),
            _directory: directory,
        };
        gloo.consul.kv_put_many(&gloo.keys()).await.expect("Consul takes keys");
        gloo
    }

    fn keys(&self) -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join("gloo-consul/keys");
        let mut files = Vec::new();
        collect(&root, &mut files);
        let entry = |file: &PathBuf| {
            let key = file.strip_prefix(&root).expect("found below it").display();
            let text = fs::read_to_string(file).expect("keys are text");
            let text = text.replace("8080", &self.port.to_string());
            (format!("gloo/{key}"), text.replace("8081", &self.upstream.port().to_string()))
        };
        files.iter().map(entry).collect()
    }

    fn url(&self, rest: &str) -> String {
        format!("consul://{}/{rest}", self.consul.address())
    }

    /// A Biplane on a store, and an Envoy on it, alone on the gateway's port.
    async fn site(&self, store: &str) -> Site {
        let tree = Tree { port: self.port, ..Tree::new() };
        let biplane = Biplane::start_with(Options::store(store), &tree.directory).await;
        tree.site_on(biplane, Bootstrap::default()).await
    }

    fn import(&self, to: &str, more: &[&str]) -> Output {
        biplane::run([&["import", "gloo", "--from", &self.url("gloo"), "--to", to], more].concat())
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the example is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn pets() -> Request {
    Request::get("petstore.example.com", "/api/pets")
}

/// What Envoy was told, without when.
async fn configuration(site: &Site) -> Vec<String> {
    const TOLD: [&str; 5] = [
        "dynamic_active_clusters",
        "dynamic_listeners",
        "dynamic_route_configs",
        "dynamic_endpoint_configs",
        "dynamic_active_secrets",
    ];
    let dump = site.envoy.config_dump().await.expect("a configuration");
    let configs = dump["configs"].as_array().expect("a list").iter();
    let told = configs.flat_map(|config| TOLD.map(|name| (name, config[name].clone())));
    let mut told: Vec<_> = told
        .flat_map(|(name, list)| {
            list.as_array().cloned().unwrap_or_default().into_iter().map(move |one| (name, one))
        })
        .map(|(name, mut one)| {
            without_times(&mut one);
            json!([name, one]).to_string()
        })
        .collect();
    told.sort();
    told
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("last_updated");
            fields.values_mut().for_each(without_times);
        }
        Value::Array(list) => list.iter_mut().for_each(without_times),
        _ => {}
    }
}

#[tokio::test]
async fn keys_of_gloo_are_served_in_place_and_after_their_import_the_same() {
    let gloo = Gloo::start().await;
    let site = gloo.site(&gloo.url("gloo?layout=gloo")).await;
    let told = site.told(&pets()).await;
    assert_eq!((told["name"].as_str(), told["path"].as_str()), (Some("petstore"), Some("/v1/pets")));
    let in_place = configuration(&site).await;
    assert_eq!(in_place.len(), 4, "a listener, its routes, a cluster and its endpoints: {in_place:#?}");
    drop(site);

    let own = gloo.url("biplane");
    assert_eq!(biplane::run(["init", "--store", &own]).code, 0);
    let output = gloo.import(&own, &["-o", "json"]);
    assert_eq!(output.code, 1, "something is left out: {output:?}");
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON, as asked for");
    let summary = &report["summary"];
    assert_eq!(
        (&summary["created"], &summary["leftOut"], &summary["errors"]),
        (&json!(5), &json!(0), &json!(0))
    );
    let findings = status::list(&report, "findings");
    let mut left_out: Vec<_> = findings
        .iter()
        .filter_map(|finding| finding["path"].as_str())
        .filter(|path| !path.starts_with("gloo."))
        .collect();
    left_out.sort_unstable();
    assert_eq!(left_out, LEFT_OUT, "{findings:#?}");

    let stored = gloo.consul.kv_get("biplane/config/VirtualService/gloo-system/petstore").await;
    let stored = stored.expect("an answer").expect("it was written");
    assert!(
        stored.starts_with("# Edited by hand in Consul's UI: this comment stays.\nkind: VirtualService\n"),
        "{stored}"
    );
    assert!(
        !stored.contains("namespacedStatuses")
            && stored.contains("# Biplane has no web application firewall")
    );

    let site = gloo.site(&own).await;
    assert_eq!(site.told(&pets()).await["path"], "/v1/pets");
    assert_eq!(configuration(&site).await, in_place);

    let again = gloo.import(&own, &[]);
    assert!(again.stderr.starts_with("5 objects: 5 unchanged\n"), "{again:?}");
}

#[tokio::test]
async fn edits_of_gloos_users_are_live_and_what_gloo_writes_is_no_edit() {
    let gloo = Gloo::start().await;
    let site = gloo.site(&gloo.url("gloo?layout=gloo")).await;
    let table = gloo.consul.kv_get(TABLE).await.expect("an answer").expect("it is there");
    let with_status = format!("{table}status:\n  reportedBy: gateway\n  state: Accepted\n");
    let before = site.counts().await;
    gloo.consul.kv_put(TABLE, with_status).await.expect("Consul takes keys");
    gloo.consul.kv_put(TABLE, table.replace("/v1/pets", "/v2/pets")).await.expect("Consul takes keys");
    site.until(&pets(), |answer| answer.json().is_ok_and(|told| told["path"] == "/v2/pets")).await;
    assert_eq!(site.counts().await, before, "routes only");

    gloo.consul.kv_put(TABLE, table.replace("routes:", "rautes:")).await.expect("put");
    status::until_report(&site.biplane, "RouteTable gloo-system/pets", "rautes").await;
    assert_eq!(site.told(&pets()).await["path"], "/v2/pets", "a typo changes nothing");

    gloo.consul.kv_delete(SERVICE).await.expect("Consul deletes keys");
    site.until(&pets(), |answer| answer.status == 404).await;
    let keys = gloo.consul.kv_keys("gloo/").await.expect("keys");
    assert_eq!(keys.len(), gloo.keys().len() - 1, "nothing of ours is there: {keys:?}");
}

#[tokio::test]
async fn keys_that_vanish_all_at_once_change_nothing() {
    let gloo = Gloo::start().await;
    let site = gloo.site(&gloo.url("gloo?layout=gloo")).await;
    gloo.consul.kv_delete_prefix("gloo/").await.expect("Consul deletes keys");
    status::until(&site.biplane, "a source that is not complete", |status| {
        status["sources"][0]["state"] != "complete"
    })
    .await;
    assert_eq!(site.told(&pets()).await["path"], "/v1/pets");
    gloo.consul.kv_put_many(&gloo.keys()).await.expect("Consul takes keys");
    status::until(&site.biplane, "a complete source", |status| status["sources"][0]["state"] == "complete")
        .await;
    let table = gloo.consul.kv_get(TABLE).await.expect("an answer").expect("it is there");
    gloo.consul.kv_put(TABLE, table.replace("/v1/pets", "/v2/pets")).await.expect("Consul takes keys");
    site.until(&pets(), |answer| answer.json().is_ok_and(|told| told["path"] == "/v2/pets")).await;
}

#[tokio::test]
async fn keys_of_gloo_can_be_imported_into_etcd_and_into_a_directory() {
    let gloo = Gloo::start().await;
    let directory = TempDir::new("gloo-targets");
    let etcd = Etcd::start(&directory).await;
    let in_etcd = format!("etcd://{}/biplane", etcd.address(0));
    assert_eq!(biplane::run(["init", "--store", &in_etcd]).code, 0);
    let in_files = directory.join("own").display().to_string();
    for target in [&in_etcd, &in_files] {
        let first = gloo.import(target, &[]);
        assert!(first.code == 1 && first.stderr.starts_with("5 objects: 5 created\n"), "{first:?}");
        let second = gloo.import(target, &[]);
        assert!(second.stderr.starts_with("5 objects: 5 unchanged\n"), "{second:?}");
        let site = gloo.site(target).await;
        assert_eq!(site.told(&pets()).await["path"], "/v1/pets", "{target}");
    }
}
