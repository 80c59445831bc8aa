//! Many resources of one apply.

use super::workbench::Workbench;

/// How many there are of each of two kinds.
const MANY: usize = 20;

#[tokio::test]
async fn many_resources_become_visible_in_few_revisions_and_each_error_has_its_own_resource() {
    let bench = Workbench::start().await;
    bench.wants(&many(&bench, "\"/\""));
    let before = bench.etcd.revision().await.expect("etcd answers");
    bench.tofu.works(&["apply", "-auto-approve", "-parallelism=50"]).await;
    let revisions = bench.etcd.revision().await.expect("etcd answers") - before;
    // The upstreams come before what names them; status and history are written beside them.
    let state = bench.tofu.state().await;
    let resources = state["values"]["root_module"]["resources"].as_array().expect("resources");
    let seen = resources.iter().map(|resource| resource["values"]["revision"].as_u64());
    let seen: std::collections::BTreeSet<_> = seen.map(|revision| revision.expect("it is known")).collect();
    assert_eq!(resources.len(), 2 * MANY);
    assert!(seen.len() <= 6, "{} revisions: {seen:?}, the store has counted {revisions}", seen.len());
    bench.is_done().await;

    // One of them is wrong, and the plan says which.
    bench.wants(&many(&bench, "each.key == \"7\" ? \"no-slash\" : \"/\""));
    let plan = bench.tofu.run(&["plan"]).await;
    assert_eq!(plan.code, 1, "{plan:?}");
    assert!(plan.stderr.contains("VirtualService default/service-7: virtual_host"), "{}", plan.stderr);
    assert_eq!(plan.stderr.matches("Error: ").count(), 1, "{}", plan.stderr);
}

fn many(bench: &Workbench, prefix: &str) -> String {
    let port = bench.upstream.port();
    format!(
        r#"
resource "biplane_upstream" "many" {{
  for_each  = toset([for number in range({MANY}) : tostring(number)])
  name      = "upstream-${{each.key}}"
  namespace = "default"
  static    = {{ hosts = [{{ addr = "127.0.0.1", port = {port} }}] }}
}}

resource "biplane_virtual_service" "many" {{
  for_each  = biplane_upstream.many
  name      = "service-${{each.key}}"
  namespace = "default"
  virtual_host = {{
    domains = ["${{each.key}}.example.com"]
    routes = [{{
      matchers     = [{{ prefix = {prefix} }}]
      route_action = {{ single = {{ upstream = {{ name = each.value.name }} }} }}
    }}]
  }}
}}
"#
    )
}
