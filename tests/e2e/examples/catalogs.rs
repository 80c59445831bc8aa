//! The examples whose routes come from a catalog of services: every command of their READMEs, in order.

use biplane_testkit::consul::MANAGEMENT_TOKEN;
use biplane_testkit::{Consul, TempDir};

use super::terminal::Terminal;

/// The objects of a service that is gone stay for ten seconds.
#[tokio::test]
async fn long_consul_catalog_readme_is_true() {
    let directory = TempDir::new("example-consul-catalog");
    let consul = Consul::start(&directory).await;
    let guarded = Consul::builder().named("guarded").acl(true).start(&directory).await;
    let mut readme = Terminal::open("consul-catalog", ("127.0.0.1:8500", consul.address()), directory);
    readme.takes("examples/consul-catalog/web.json");
    readme.export("CONSUL_HTTP_ADDR", &consul.address().to_string());
    readme.passes("consul agent -dev");
    readme.starts("python3 examples/upstream.py");
    readme.starts("python3 examples/upstream.py");
    readme.starts("biplane serve");
    readme.starts("biplane envoy bootstrap");
    readme.all_run().await;
    let (first, second) = (readme.upstream(0), readme.upstream(1));
    readme.runs("curl -fT", 0);
    readme.shows("curl -i", &["200 OK", &first]).await;
    readme.shows("biplane get vs", &["tags", "web.example.com"]).await;

    readme.runs("sed", 0);
    let ports = [readme.port(0), readme.port(1)];
    readme.shows("biplane get endpoints", &[&ports[0], &ports[1], "consul"]).await;
    readme.runs("consul maint", 0);
    readme.shows("curl -i", &["200 OK", &second]).await;
    readme.runs("consul maint", 0);
    readme.runs("consul services deregister", 0);
    readme.shows("curl -i", &["200 OK", &first]).await;

    readme.runs("sed", 0);
    readme.shows("biplane check", &["web", "web.example.org"]).await;
    readme.shows("curl -i", &["404"]).await;
    readme.runs("curl -fT", 0);
    readme.shows("curl -i", &["200 OK", &first]).await;
    readme.runs("consul services deregister", 0);
    readme.shows("curl -i", &["404"]).await;
    readme.shows("biplane get vs", &["no such resources"]).await;

    readme.quits();
    readme.export("CONSUL_HTTP_ADDR", &guarded.address().to_string());
    readme.export("CONSUL_HTTP_TOKEN", MANAGEMENT_TOKEN);
    readme.runs("consul acl policy create", 0);
    let made = readme.runs("consul acl token create", 0);
    let secret = made.stdout.lines().find_map(|line| line.strip_prefix("SecretID:"));
    let file = readme.path("consul.token");
    std::fs::write(&file, secret.expect("Consul shows the token").trim()).expect("it is ours");
    readme.replace("/etc/biplane/consul.token", &file.display().to_string());
    readme.replace("127.0.0.1:8500", &guarded.address().to_string());
    readme.forget("CONSUL_HTTP_TOKEN");
    readme.starts("biplane serve");
    readme.is_ready().await;
    // Consul is a service of its own catalog.
    readme.shows("biplane get upstreams", &["consul"]).await;
    readme.is_done();
}
