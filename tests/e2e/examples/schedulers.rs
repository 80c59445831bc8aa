//! The examples whose routes come from a scheduler: every command of their READMEs, in order.

use biplane_testkit::nomad::MANAGEMENT_TOKEN;
use biplane_testkit::{Nomad, TempDir};

use super::terminal::Terminal;

#[tokio::test]
async fn long_nomad_readme_is_true() {
    let directory = TempDir::new("example-nomad");
    let nomad = Nomad::start(&directory).await;
    let guarded = Nomad::builder().named("guarded").acl(true).start(&directory).await;
    let mut readme = Terminal::open("nomad", ("127.0.0.1:4646", guarded.address()), directory);
    readme.export("NOMAD_ADDR", &format!("http://{}", nomad.address()));
    readme.passes("nomad agent -dev");
    readme.starts("biplane serve");
    readme.starts("biplane envoy bootstrap");
    readme.gateway_runs().await;
    readme.runs("nomad job run", 0);
    readme.shows("curl", &["200 OK", "shop.example.com"]).await;
    readme.shows("biplane get vs", &["tags", "shop.example.com"]).await;
    readme.lists("biplane get endpoints", 4).await;

    readme.runs("nomad job run -detach", 0);
    readme.shows("curl", &["200 OK", "x-version: canary"]).await;
    let others = readme.shows("curl", &["200 OK"]).await;
    assert!(!others.stdout.contains("x-version"), "{others:?}");
    // Whoever types is slower than the canary, which has to be well for a second.
    readme.shows("nomad job promote", &["Evaluation"]).await;
    readme.shows_not("curl", "200 OK", "x-version").await;

    readme.runs("nomad job run", 0);
    readme.shows("biplane check", &["default/shop", "shop.example.org"]).await;
    readme.shows("curl", &["404"]).await;
    readme.runs("nomad job run", 0);
    readme.runs("nomad job stop", 0);
    readme.shows("curl", &["404"]).await;
    readme.shows("biplane get vs", &["no such resources"]).await;

    readme.quits();
    readme.export("NOMAD_ADDR", &format!("http://{}", guarded.address()));
    readme.export("NOMAD_TOKEN", MANAGEMENT_TOKEN);
    readme.runs("nomad acl policy apply", 0);
    let made = readme.runs("nomad acl token create", 0);
    let secret = made.stdout.lines().find_map(|line| line.strip_prefix("Secret ID")).expect("Nomad shows it");
    let file = readme.path("nomad.token");
    std::fs::write(&file, secret.trim_start_matches([' ', '=']).trim()).expect("it is ours");
    readme.replace("/etc/biplane/nomad.token", &file.display().to_string());
    readme.forget("NOMAD_TOKEN");
    readme.starts("biplane serve");
    readme.is_ready().await;
    readme.is_done();
}
