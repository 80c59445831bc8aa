//! A tree of resources, and the servers on it.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, ensure};
use biplane_testkit::load::Rate;
use biplane_testkit::{
    Biplane, Envoy, Files, Load, Request, Response, TempDir, biplane, envoy as envoys, eventually, free_port,
};
use serde_json::{Value, json};

use super::{HOST, PATIENCE, resources};

/// The fleet of a gateway that names none.
const FLEET: &str = "gateway-proxy";

/// A tree of resources that nobody serves yet, and a port for its gateway.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Files,
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
}

impl Tree {
    /// An empty tree.
    pub(crate) fn new() -> Self {
        let directory = TempDir::new("e2e");
        Self { files: Files::new(directory.join("resources")), port: free_port(), directory }
    }

    /// A tree with a gateway and these resources.
    pub(crate) fn with(objects: &[String]) -> Self {
        let tree = Self::new();
        tree.files.write("gateway.yaml", &resources::gateway(tree.port));
        if !objects.is_empty() {
            tree.files.write("resources.yaml", &resources::documents(objects));
        }
        tree
    }

    /// A tree with a TLS gateway and these resources.
    pub(crate) fn with_tls(objects: &[String]) -> Self {
        let tree = Self::new();
        tree.files.write("gateway.yaml", &resources::tls_gateway(tree.port));
        tree.files.write("resources.yaml", &resources::documents(objects));
        tree
    }

    /// A Biplane that serves it.
    pub(crate) async fn biplane(&self) -> Biplane {
        Biplane::start(self.files.root(), &self.directory).await
    }

    /// A Biplane with more arguments.
    pub(crate) async fn biplane_with(&self, arguments: &[&str]) -> Biplane {
        let mut options = biplane::Options::files(self.files.root());
        options.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Biplane::start_with(options, &self.directory).await
    }

    /// Serves it to an Envoy, and waits until the gateway takes connections.
    pub(crate) async fn site(self) -> Site {
        let biplane = self.biplane().await;
        self.site_on(biplane, Bootstrap::default()).await
    }

    /// The same with a Biplane that runs already.
    pub(crate) async fn site_on(self, biplane: Biplane, bootstrap: Bootstrap) -> Site {
        let envoy = envoy(&biplane, &bootstrap, &self.directory).await;
        ports_open(&[self.port]).await;
        Site { envoy, biplane, files: self.files, port: self.port, directory: self.directory }
    }
}

/// A tree that is served to one Envoy.
#[derive(Debug)]
pub(crate) struct Site {
    // Envoy goes before Biplane, so that its log does not end with a lost connection.
    pub(crate) envoy: Envoy,
    pub(crate) biplane: Biplane,
    pub(crate) files: Files,
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
}

impl Site {
    /// A gateway with these resources behind it.
    pub(crate) async fn start(objects: &[String]) -> Self {
        Tree::with(objects).site().await
    }

    /// A gateway with these resources behind it, by a Biplane that logs all that it can.
    pub(crate) async fn talkative(objects: &[String]) -> Self {
        let tree = Tree::with(objects);
        let biplane = tree.biplane_with(&["--log", "trace"]).await;
        tree.site_on(biplane, Bootstrap::default()).await
    }

    /// Everything that can be read of it: pages, logs, what `biplane translate` prints, Envoy's own dump.
    pub(crate) async fn shown(&mut self) -> String {
        let mut shown = self.envoy.config_dump().await.expect("a dump").to_string();
        for page in ["/v1/status", "/v1/secrets", "/v1/resources", "/metrics", "/"] {
            shown += &self.biplane.get(page).await.expect("a page").text();
        }
        let root = self.files.root().display().to_string();
        for command in [["translate", root.as_str()], ["validate", root.as_str()]] {
            let output = biplane::run(command);
            shown += &(output.stdout + &output.stderr);
        }
        let log = self.biplane.process().log();
        assert!(log.contains("TRACE"), "the log is at its most talkative");
        shown + &log
    }

    /// Puts these resources in place of those that the site was started with.
    pub(crate) fn replace(&self, objects: &[String]) {
        self.files.write("resources.yaml", &resources::documents(objects));
    }

    /// Sends a request; there must be an answer.
    pub(crate) async fn ask(&self, request: &Request) -> Response {
        request.send(self.port).await.expect("an answer")
    }

    /// `GET` at a host that does not matter.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.ask(&Request::get(HOST, path)).await
    }

    /// The upstream's account of a request that it must have answered.
    pub(crate) async fn told(&self, request: &Request) -> Value {
        let answer = self.ask(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json().expect("the upstream answers with JSON")
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn until(&self, request: &Request, wanted: impl Fn(&Response) -> bool) -> Response {
        eventually(&format!("another answer to {}", request.path), PATIENCE, async || {
            let answer = request.send(self.port).await?;
            ensure!(wanted(&answer), "{} {:?} {}", answer.status, answer.headers, answer.text());
            Ok(answer)
        })
        .await
    }

    /// Asks for `/` until this upstream answers.
    pub(crate) async fn until_upstream(&self, name: &str) {
        self.until(&Request::get(HOST, "/"), |answer| answer.upstream() == Some(name)).await;
    }

    /// Asks for a path until the body is this.
    pub(crate) async fn until_body(&self, path: &str, body: &str) {
        self.until(&Request::get(HOST, path), |answer| answer.text() == body).await;
    }

    /// Waits until a counter or gauge of Envoy is as wanted.
    pub(crate) async fn until_stat(&self, name: &str, wanted: impl Fn(u64) -> bool) -> u64 {
        eventually(name, PATIENCE, async || {
            let value = self.envoy.stat(name).await?;
            ensure!(wanted(value), "{name} is {value}");
            Ok(value)
        })
        .await
    }

    /// Traffic for `/`.
    pub(crate) fn load(&self) -> Load {
        Load::start(self.port, vec![Request::get(HOST, "/")], Rate::default())
    }

    /// What Envoy counts when it takes a listener, a cluster or a refusal: unchanged by what must not touch it.
    pub(crate) async fn counts(&self) -> Value {
        counts(&self.envoy).await
    }

    /// Waits until Biplane has sent Envoy everything and Envoy has accepted it, on the connection that it has now.
    pub(crate) async fn in_sync(&self) {
        eventually("an Envoy in sync", PATIENCE, async || {
            let status = super::status::fetch(&self.biplane).await?;
            let nodes = status["nodes"].as_array().context("no nodes")?;
            ensure!(nodes.iter().any(|node| node["inSync"] == true), "the nodes are {nodes:#?}");
            Ok(())
        })
        .await;
    }
}

/// The same of any Envoy.
pub(crate) async fn counts(envoy: &Envoy) -> Value {
    let expression = "(listener_manager\\.listener|cluster_manager\\.cluster)_(added|modified|removed)$";
    let changes = envoy.stats_matching(expression).await.expect("statistics");
    json!([changes, envoy.losses().await.expect("statistics")])
}

/// How an Envoy is started.
#[derive(Debug, Clone)]
pub(crate) struct Bootstrap {
    /// Its id, by which its files are named too.
    pub(crate) id: String,
    /// `node.cluster`
    pub(crate) fleet: String,
    /// `node.metadata.role`, as Gloo's Envoys have it.
    pub(crate) role: Option<String>,
    /// State of the world instead of delta.
    pub(crate) sotw: bool,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { id: "envoy-1".into(), fleet: FLEET.into(), role: None, sotw: false }
    }
}

impl Bootstrap {
    /// An Envoy of a fleet, named after it.
    pub(crate) fn fleet(name: &str) -> Self {
        Self { id: format!("{name}-1"), fleet: name.into(), ..Self::default() }
    }

    /// What `biplane envoy bootstrap` makes, with Gloo's role put in.
    fn text(&self, biplane: &Biplane) -> String {
        let xds = biplane.xds().to_string();
        let mut arguments = vec!["envoy", "bootstrap", "--xds", &xds, "--admin", "127.0.0.1:0", "-o", "json"];
        arguments.extend(["--fleet", &self.fleet, "--id", &self.id]);
        arguments.extend(self.sotw.then_some("--sotw"));
        let output = biplane::run(arguments);
        assert_eq!(output.code, 0, "{}", output.stderr);
        let mut bootstrap: Value = serde_json::from_str(&output.stdout).expect("JSON, as asked for");
        if let Some(role) = &self.role {
            bootstrap["node"]["metadata"] = json!({ "role": role });
        }
        bootstrap.to_string()
    }
}

/// An Envoy that has its first configuration.
pub(crate) async fn envoy(biplane: &Biplane, bootstrap: &Bootstrap, directory: &TempDir) -> Envoy {
    let options = envoys::Options { name: bootstrap.id.clone(), ..envoys::Options::default() };
    let mut envoy = Envoy::start_with(&bootstrap.text(biplane), directory, options).await;
    envoy.ready().await;
    envoy
}

/// Waits until listeners take connections: Envoy is ready a moment before its workers are.
pub(crate) async fn ports_open(ports: &[u16]) {
    for port in ports {
        eventually(&format!("a listener on port {port}"), PATIENCE, async || {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            Ok(tokio::net::TcpStream::connect(address).await?)
        })
        .await;
    }
}
