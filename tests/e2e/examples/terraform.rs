//! Objects that are resources of OpenTofu: every command of the example's README and of the page, in order.

use std::fs;

use biplane_testkit::{TempDir, tofu};

use super::examples;
use super::terminal::Terminal;

#[tokio::test]
async fn terraform_readme_is_true() {
    let directory = TempDir::new("example-terraform");
    // What the first commands make of a build of one's own.
    let config = tofu::mirror(directory.path(), &tofu::provider(), env!("CARGO_PKG_VERSION"));
    let mut readme =
        Terminal::open("terraform", ("127.0.0.1:9978", ([127, 0, 0, 1], 9978).into()), directory);
    readme.passes("cargo xtask provider");
    readme.runs("sed", 0);
    readme.passes("export TF_CLI_CONFIG_FILE");
    readme.export("TF_CLI_CONFIG_FILE", &config.display().to_string());
    readme.export("BIPLANE_API", &readme.api());

    readme.starts("python3 examples/upstream.py");
    readme.starts("python3 examples/upstream.py");
    readme.runs("mkdir", 0);
    readme.starts("biplane serve");
    readme.starts("biplane envoy bootstrap");
    readme.is_ready().await;
    readme.runs("cp", 0);
    readme.runs("tofu -chdir", 0);
    readme.runs("tofu -chdir", 0);
    readme.all_run().await;
    let (stable, canary) = (readme.upstream(0), readme.upstream(1));
    readme.shows("curl", &["200 OK", &stable]).await;

    readme.runs("tofu -chdir", 0);
    readme.runs("tofu -chdir", 0);
    readme.shows("curl", &["200 OK", &canary]).await;

    readme.runs("sed", 0);
    let plan = readme.runs("tofu -chdir", 1);
    assert!(plan.stderr.contains("options.timeout"), "{plan:?}");
    readme.runs("sed", 0);

    readme.runs("tofu -chdir", 0);
    readme.shows("biplane get vs", &["no such resources"]).await;
    readme.is_done();
}

#[tokio::test]
async fn page_about_terraform_is_true() {
    let directory = TempDir::new("deploy-terraform");
    let config = tofu::mirror(directory.path(), &tofu::provider(), env!("CARGO_PKG_VERSION"));
    let mut page = Terminal::page("docs/deploy/terraform.md", directory);
    page.passes("cargo xtask provider");
    page.runs("sed", 0);
    page.passes("export TF_CLI_CONFIG_FILE");
    page.export("TF_CLI_CONFIG_FILE", &config.display().to_string());
    page.export("BIPLANE_API", &page.api());

    page.starts("python3 examples/upstream.py");
    page.runs("mkdir", 0);
    page.starts("biplane serve");
    page.starts("biplane envoy bootstrap");
    page.is_ready().await;
    page.saves("site/main.tf", &configuration());
    page.runs("tofu -chdir", 0);
    page.runs("tofu -chdir", 0);
    page.gateway_runs().await;
    page.shows("curl", &["200 OK", "pets.example.com"]).await;

    page.runs("tofu -chdir", 0);
    page.runs("tofu -chdir", 0);
    page.runs("tofu -chdir", 0);
    page.runs("tofu -chdir", 0);
    page.runs("tofu -chdir", 0);
    page.shows("biplane get vs", &["no such resources"]).await;
    page.is_done();
}

/// The first file of the page.
fn configuration() -> String {
    let page = examples().with_file_name("docs/deploy/terraform.md");
    let text = fs::read_to_string(page).expect("there is the page");
    let file = text.split("```terraform\n").nth(1).and_then(|rest| rest.split("```").next());
    file.expect("the page shows a configuration").to_owned()
}
