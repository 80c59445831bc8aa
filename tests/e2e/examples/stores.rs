//! The examples whose configuration is in a store: every command of their READMEs, in order.

use anyhow::ensure;
use biplane_testkit::consul::MANAGEMENT_TOKEN;
use biplane_testkit::{Consul, Etcd, TempDir, biplane, eventually};

use super::terminal::Terminal;
use crate::harness::PATIENCE;

#[tokio::test]
async fn etcd_readme_is_true() {
    let directory = TempDir::new("example-etcd");
    let etcd = Etcd::start(&directory).await;
    let mut readme = Terminal::open("etcd", ("127.0.0.1:2379", etcd.address(0)), directory);
    readme.export("ETCDCTL_ENDPOINTS", &etcd.address(0).to_string());
    readme.passes("etcd --data-dir");
    readme.starts("python3 examples/upstream.py");
    readme.starts("python3 examples/upstream.py");
    readme.runs("biplane init", 0);
    readme.runs("biplane apply", 0);
    readme.starts("biplane serve");
    readme.starts("biplane envoy bootstrap");
    readme.all_run().await;
    let (stable, canary) = (readme.upstream(0), readme.upstream(1));
    readme.shows("curl", &["200 OK", &stable]).await;

    // Whoever types takes longer than the leader, who writes down what it has found there.
    eventually("the first version", PATIENCE, async || {
        let keys = etcd.keys("biplane/history/VirtualService/default/shop/").await?;
        ensure!(keys.len() == 1, "{keys:?}");
        Ok(())
    })
    .await;
    readme.runs("etcdctl get", 0);
    readme.shows("curl", &["200 OK", &canary]).await;
    readme.runs("echo", 0);
    readme.shows("biplane check", &["error", "biplane/config/VirtualService/default/shop@"]).await;
    readme.shows("curl", &["200 OK", &canary]).await;

    // A line above three versions: the broken one is the first, below it is what was good.
    let history = readme.lists("biplane history", 4).await;
    let revision = history.stdout.lines().nth(2).and_then(|line| line.split_whitespace().next());
    readme.replace("REVISION", revision.expect("three versions"));
    readme.runs("biplane rollback", 0);
    readme.shows("biplane check", &["nothing wrong"]).await;

    readme.runs("etcdctl del", 0);
    readme.shows("biplane check", &["unmarked", "biplane init"]).await;
    readme.shows("curl", &["200 OK", &canary]).await;
    readme.runs("biplane source accept", 0);
    readme.shows("biplane check", &["there are no gateways yet", "1 error; 0 objects"]).await;
    readme.gateway_closes().await;
    readme.is_done();
}

#[tokio::test]
async fn consul_kv_readme_is_true() {
    let directory = TempDir::new("example-consul-kv");
    let consul = Consul::start(&directory).await;
    let guarded = Consul::builder().named("guarded").acl(true).start(&directory).await;
    let mut readme = Terminal::open("consul-kv", ("127.0.0.1:8500", consul.address()), directory);
    readme.export("CONSUL_HTTP_ADDR", &consul.address().to_string());
    readme.passes("consul agent -dev");
    readme.starts("python3 examples/upstream.py");
    readme.starts("python3 examples/upstream.py");
    readme.runs("biplane init", 0);
    readme.runs("biplane apply", 0);
    readme.starts("biplane serve");
    readme.starts("biplane envoy bootstrap");
    readme.all_run().await;
    let (stable, canary) = (readme.upstream(0), readme.upstream(1));
    readme.shows("curl", &["200 OK", &stable]).await;

    readme.runs("consul kv get", 0);
    readme.shows("curl", &["200 OK", &canary]).await;
    readme.runs("consul kv get", 0);
    let told = [
        "biplane/config/VirtualService/default/pets@",
        "virtualHost.routes[0].routeActoin",
        "line 15",
        "did you mean \"routeAction\"?",
    ];
    readme.shows("biplane check", &told).await;
    readme.shows("curl", &["200 OK", &canary]).await;

    readme.export("CONSUL_HTTP_ADDR", &guarded.address().to_string());
    readme.export("CONSUL_HTTP_TOKEN", MANAGEMENT_TOKEN);
    readme.runs("consul acl policy create", 0);
    let made = readme.runs("consul acl token create", 0);
    let secret = made.stdout.lines().find_map(|line| line.strip_prefix("SecretID:"));
    let file = readme.path("consul.token");
    std::fs::write(&file, secret.expect("Consul shows the token").trim()).expect("it is ours");
    readme.replace("/etc/biplane/consul.token", &file.display().to_string());
    readme.quits();
    let place = guarded.address().to_string();
    let init = ["init", "--store", &format!("consul://{place}/biplane")];
    let output = biplane::run_with(init, &[("CONSUL_HTTP_TOKEN", MANAGEMENT_TOKEN)], "").await;
    assert_eq!(output.code, 0, "{output:?}");
    readme.forget("CONSUL_HTTP_TOKEN");
    readme.replace("127.0.0.1:8500", &place);
    readme.starts("CONSUL_HTTP_TOKEN_FILE");
    readme.is_ready().await;
    readme.is_done();
}
