//! A folder with a configuration, and a control plane that it is applied to.

use biplane_testkit::{Biplane, Etcd, Tofu, Upstream};

use crate::etcd::served;
use crate::harness::Tree;

/// What cargo says that the provider's version is: the one of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every test here stands on.
pub(super) struct Workbench {
    // etcd goes before the tree, whose directory its data is in.
    pub(super) etcd: Etcd,
    pub(super) biplane: Biplane,
    pub(super) tofu: Tofu,
    pub(super) upstream: Upstream,
    pub(super) tree: Tree,
}

impl Workbench {
    /// An empty store behind a control plane that takes changes, and a folder that was initialised.
    pub(super) async fn start() -> Self {
        let tree = Tree::new();
        let etcd = Etcd::start(&tree.directory).await;
        let options = served::options(&served::url_of(&etcd));
        served::init(&options.store).await;
        let biplane = Biplane::start_with(options, &tree.directory).await;
        let tofu = Tofu::open(&tree.directory, VERSION);
        let workbench = Self { etcd, biplane, tofu, upstream: Upstream::start("one"), tree };
        workbench.tofu.write("provider.tf", &workbench.provider());
        workbench.tofu.works(&["init"]).await;
        workbench
    }

    fn provider(&self) -> String {
        let address = self.biplane.admin();
        format!(
            "terraform {{\n  required_providers {{\n    biplane = {{ source = \"biplane/biplane\" }}\n  }}\n}}\n\
             provider \"biplane\" {{\n  address = \"http://{address}\"\n}}\n"
        )
    }

    /// Writes what is wanted.
    pub(super) fn wants(&self, text: &str) {
        self.tofu.write("main.tf", text);
    }

    /// A gateway on the test's port, an upstream, and a virtual service with this path and timeout in front of it.
    pub(super) fn site(&self, prefix: &str, timeout: &str) -> String {
        let (port, upstream) = (self.tree.port, self.upstream.port());
        format!(
            r#"
resource "biplane_gateway" "web" {{
  name         = "web"
  bind_address = "127.0.0.1"
  bind_port    = {port}
  http_gateway = {{}}
}}

resource "biplane_upstream" "pets" {{
  name      = "pets"
  namespace = "default"
  labels    = {{}}
  static = {{
    hosts = [{{ addr = "127.0.0.1", port = {upstream} }}]
  }}
  load_balancer_config = {{ healthy_panic_threshold = 0.1 }}
}}

resource "biplane_virtual_service" "pets" {{
  name      = "pets"
  namespace = "default"
  virtual_host = {{
    domains = ["example.com"]
    routes = [{{
      matchers     = [{{ prefix = "{prefix}" }}]
      route_action = {{ single = {{ upstream = {{ name = biplane_upstream.pets.name }} }} }}
      options      = {{ timeout = "{timeout}" }}
    }}]
  }}
}}
"#
        )
    }

    /// Applies what is wanted; it has to work.
    pub(super) async fn apply(&self) -> String {
        self.tofu.works(&["apply", "-auto-approve"]).await
    }

    /// Whether a plan has nothing to do.
    pub(super) async fn is_done(&self) {
        let plan = self.tofu.run(&["plan", "-detailed-exitcode"]).await;
        assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
    }
}
