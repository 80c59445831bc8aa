//! A store in Consul KV that is served to an Envoy, and what operators do to both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use biplane_testkit::consul::{MANAGEMENT_TOKEN, Token};
use biplane_testkit::{Biplane, Consul, FaultProxy, Load, Output, biplane, eventually, throughout};
use serde_json::Value;

use crate::etcd::served::{ROOT, command, held_of, options, source_is};
use crate::etcd::world::{Entries, World};
use crate::harness::resources::{gateway, keyed};
use crate::harness::{Bootstrap, CALM, PATIENCE, Site, Tree, status};

/// What lets a command, or a Biplane, do everything where there are ACLs.
pub(crate) const MANAGEMENT: (&str, &str) = ("CONSUL_HTTP_TOKEN", MANAGEMENT_TOKEN);

/// What `--store` takes for a Consul at this address.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("consul://{address}/{ROOT}")
}

/// Marks a store as Biplane's.
pub(crate) async fn init(url: &str) {
    let output = biplane::run_with(["init", "--store", url], &[MANAGEMENT], "").await;
    assert_eq!(output.code, 0, "{output:?}");
}

/// The rules of a policy that the example `consul-kv` ships.
pub(crate) fn policy(name: &str) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples");
    let path = examples.join(format!("consul-kv/policies/{name}.hcl"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A world in Consul, served to one Envoy.
pub(crate) struct Served {
    pub(crate) site: Site,
    pub(crate) world: World,
    pub(crate) consul: Consul,
    /// Consul itself, for commands that go straight there.
    pub(crate) url: String,
}

impl Served {
    /// A development agent, and so many hosts.
    pub(crate) async fn start(hosts: usize) -> Self {
        let tree = Tree::new();
        let consul = Consul::start(&tree.directory).await;
        let options = options(&url(consul.address()));
        Box::pin(Self::on(tree, consul, &options, hosts)).await
    }

    /// A development agent behind a link that sees requests.
    pub(crate) async fn behind_a_link(hosts: usize) -> (FaultProxy, Self) {
        let tree = Tree::new();
        let consul = Consul::start(&tree.directory).await;
        let link = FaultProxy::http(consul.address());
        let options = options(&url(link.address()));
        let served = Box::pin(Self::on(tree, consul, &options, hosts)).await;
        (link, served)
    }

    /// On a Consul that runs, by a Biplane with options.
    pub(crate) async fn on(tree: Tree, consul: Consul, options: &biplane::Options, hosts: usize) -> Self {
        let (url, world) = (url(consul.server_address()), World::new(hosts));
        init(&url).await;
        consul.kv_put_many(&keyed(ROOT, &[gateway(tree.port)])).await.expect("Consul takes writes");
        consul.kv_put_many(&world.entries()).await.expect("Consul takes writes");
        let biplane = Biplane::start_with(options.clone(), &tree.directory).await;
        let site = tree.site_on(biplane, Bootstrap::default()).await;
        let served = Self { site, world, consul, url };
        served.live().await;
        served.site.in_sync().await;
        served
    }

    /// Waits until Envoy shows the world as it is.
    pub(crate) async fn live(&self) {
        self.world.live(&[self.site.port], PATIENCE).await;
    }

    /// Nothing of what Envoy shows changes for a while.
    pub(crate) async fn stays(&self) {
        throughout("the world as it was", CALM, async || self.world.check(self.site.port).await).await;
    }

    /// Writes over plain HTTP.
    pub(crate) async fn write(&self, entries: &Entries) {
        self.consul.kv_put_many(entries).await.expect("Consul takes writes");
    }

    /// Edits some hosts, and waits until that is live.
    pub(crate) async fn edit(&mut self, numbers: impl IntoIterator<Item = usize>) {
        let edits = self.world.edit(numbers);
        self.write(&edits).await;
        self.live().await;
    }

    /// Everything that was put there at first and since, once more.
    pub(crate) async fn write_everything(&self) {
        self.write(&keyed(ROOT, &[gateway(self.site.port)])).await;
        self.write(&self.world.entries()).await;
    }

    /// Waits until the source is in a state.
    pub(crate) async fn until_state(&self, state: &str) -> Value {
        source_is(&self.site.biplane, state).await
    }

    /// Waits until so many objects are held.
    pub(crate) async fn until_held(&self, held: usize) -> Value {
        let what = format!("{held} objects that are held");
        let status = status::until(&self.site.biplane, &what, |status| held_of(status).len() == held).await;
        status["sources"][0].clone()
    }

    /// Runs a command against the running Biplane.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Output {
        command(&self.site.biplane, arguments).await
    }

    /// Runs a command straight at Consul, with every right.
    pub(crate) async fn straight(&self, arguments: &[&str]) -> Output {
        let all: Vec<_> = arguments.iter().copied().chain(["--store", &self.url]).collect();
        biplane::run_with(all, &[MANAGEMENT], "").await
    }

    /// An operator means what the store shows.
    pub(crate) async fn accept(&self) {
        let output = self.command(&["source", "accept", "--yes"]).await;
        assert_eq!(output.code, 0, "{output:?}");
    }

    /// Somebody who must not notice anything.
    pub(crate) async fn witness(&self) -> Witness {
        let witness = Witness { counts: self.site.counts().await, load: self.world.load(self.site.port) };
        witness.asks_on().await;
        witness
    }
}

/// Traffic, and what Envoy has counted.
pub(crate) struct Witness {
    counts: Value,
    load: Load,
}

impl Witness {
    /// No request has failed, no listener and no cluster was touched, nothing was refused.
    pub(crate) async fn has_seen_nothing(self, served: &Served) {
        self.asks_on().await;
        self.load.stop().assert_clean();
        assert_eq!(served.site.counts().await, self.counts);
    }
}

impl Witness {
    /// Waits until some more requests have been answered: what happens in between happens under traffic.
    async fn asks_on(&self) {
        let sent = self.load.sent();
        eventually("traffic", PATIENCE, async || {
            ensure!(self.load.sent() >= sent + 10, "{} requests", self.load.sent());
            Ok(())
        })
        .await;
    }
}

/// A Biplane on a Consul that asks who comes.
pub(crate) struct Guarded {
    pub(crate) served: Served,
    pub(crate) token: Token,
    file: PathBuf,
}

/// The policy of the token.
pub(crate) const POLICY: &str = "biplane";

impl Guarded {
    /// With the rights that the example's policy gives.
    pub(crate) async fn start(hosts: usize) -> Self {
        let tree = Tree::new();
        let consul = Consul::builder().acl(true).start(&tree.directory).await;
        consul.acl_policy(POLICY, &policy(POLICY)).await.expect("Consul takes policies");
        let token = consul.acl_token(&[POLICY]).await.expect("Consul makes tokens");
        let file = tree.directory.join("consul.token");
        std::fs::write(&file, &token.secret).expect("the test's directory is writable");
        let options = options(&url(consul.address()));
        let options = options.variable("CONSUL_HTTP_TOKEN_FILE", file.display().to_string());
        let served = Box::pin(Served::on(tree, consul, &options, hosts)).await;
        Self { served, token, file }
    }

    /// Puts another token in the file, as Vault's agent does.
    pub(crate) fn show(&self, secret: &str) {
        std::fs::write(&self.file, secret).expect("it is ours");
    }
}
