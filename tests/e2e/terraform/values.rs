//! Values that are known only later, documents, data sources, and the examples of the provider's pages.

use std::fs;
use std::path::Path;

use super::workbench::Workbench;

/// `terraform_data` is OpenTofu's own: its id is known when it was applied.
fn service(timeout: &str) -> String {
    format!(
        r#"
resource "terraform_data" "later" {{}}

resource "biplane_virtual_service" "later" {{
  name      = "later"
  namespace = "default"
  virtual_host = {{
    domains = ["${{terraform_data.later.id}}.example.com"]
    routes = [{{
      matchers               = [{{ prefix = "/" }}]
      direct_response_action = {{ status = 200, body = terraform_data.later.id }}
      options                = {{ timeout = "{timeout}" }}
    }}]
  }}
}}

resource "biplane_resource" "noted" {{
  document = <<-YAML
    # A comment stays.
    kind: Upstream
    metadata: {{ name: noted, namespace: default }}
    static: {{ hosts: [{{ addr: 127.0.0.1, port: 80 }}] }}
  YAML
}}
"#
    )
}

const DATA: &str = r#"
data "biplane_upstream" "noted" {
  name       = "noted"
  namespace  = "default"
  depends_on = [biplane_resource.noted]
}

output "port" {
  value = data.biplane_upstream.noted.static.hosts[0].port
}
"#;

#[tokio::test]
async fn what_is_not_known_yet_is_planned_around_and_documents_keep_their_comments() {
    let bench = Workbench::start().await;
    bench.wants(&service("5 parsecs"));
    let plan = bench.tofu.run(&["plan"]).await;
    assert_eq!(plan.code, 1, "{plan:?}");
    assert!(plan.stderr.contains("virtual_host.routes[0].options.timeout"), "{}", plan.stderr);
    assert_eq!(plan.stderr.matches("Error: ").count(), 1, "{}", plan.stderr);

    bench.wants(&(service("5s") + DATA));
    bench.apply().await;
    bench.is_done().await;
    let text = bench.etcd.get("biplane/config/Upstream/default/noted").await.expect("etcd answers");
    assert!(text.expect("it was applied").starts_with("# A comment stays.\n"));
    assert_eq!(bench.tofu.works(&["output", "-raw", "port"]).await, "80");

    the_examples_can_be_planned(&bench).await;
}

async fn the_examples_can_be_planned(bench: &Workbench) {
    let examples =
        Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("crates/terraform-provider/examples/resources");
    let mut all = String::new();
    for entry in fs::read_dir(examples).expect("there are examples") {
        let file = entry.expect("an entry").path().join("resource.tf");
        all += &fs::read_to_string(file).expect("an example has a resource");
    }
    bench.wants(&all);
    let plan = bench.tofu.works(&["plan"]).await;
    assert!(plan.contains("10 to add, 0 to change, 3 to destroy"), "{plan}");
}
