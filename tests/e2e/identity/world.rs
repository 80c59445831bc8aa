//! Two fleets, `edge` and `inside`, each with a listener of its own; `inside` has a secret.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::envoy::Options;
use biplane_testkit::xds::{Delta, Node, Proof, path, type_url};
use biplane_testkit::{
    Authority, Biplane, ClientTls, Envoy, Identity, Request, biplane, eventually, free_port,
};

use crate::harness::resources::{documents, gateway_with, route_answering, secret, service_at, tls_service};
use crate::harness::{HOST, PATIENCE, Tree};

/// How long a stream may take to say something.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The secret of `inside`, as Envoys ask for it.
pub(crate) const SECRET: &str = "gloo-system/inside/certificate";

/// What nobody of another fleet may ever read.
pub(crate) const CANARY: &str = "only-inside-may-read-this";

/// Two fleets, and a Biplane that knows who is who.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) biplane: Biplane,
    pub(crate) tree: Tree,
    pub(crate) inside_port: u16,
}

impl World {
    /// By the certificates and settings that `biplane pki init` makes.
    pub(crate) async fn with_certificates() -> Self {
        let tree = Tree::new();
        let settings = init(&tree);
        Self::serve(tree, &settings, &[]).await
    }

    /// By any settings, the certificates beside them.
    pub(crate) async fn serve(tree: Tree, settings: &str, arguments: &[&str]) -> Self {
        let inside_port = free_port();
        write_fleets(&tree, inside_port);
        let file = tree.directory.join("biplane.yaml");
        fs::write(&file, settings).expect("the temporary directory is writable");
        let mut all = vec!["--config", file.to_str().expect("text")];
        all.extend(arguments);
        let biplane = tree.biplane_with(&all).await;
        Self { biplane, tree, inside_port }
    }

    /// A file of the authority.
    pub(crate) fn pki(&self, name: &str) -> PathBuf {
        self.tree.directory.join("pki").join(name)
    }

    /// `biplane pki issue` with these arguments.
    pub(crate) fn issue(&self, arguments: &[&str]) {
        let directory = self.pki("");
        let mut all = vec!["pki", "issue", directory.to_str().expect("text")];
        all.extend(arguments);
        let output = biplane::run(all);
        assert_eq!(output.code, 0, "{}", output.stderr);
    }

    /// What an Envoy with the certificate of a fleet starts from. It may say that it belongs to another one.
    pub(crate) fn bootstrap(&self, certificate: &str, says: &str) -> String {
        let (cert, key) = (format!("fleet-{certificate}.pem"), format!("fleet-{certificate}.key"));
        let files = [self.pki("ca.pem"), self.pki(&cert), self.pki(&key)];
        let files = files.each_ref().map(|file| file.to_str().expect("text"));
        let id = format!("{certificate}-{says}");
        self.bootstrap_with(&id, says, &["--xds-ca", files[0], "--xds-cert", files[1], "--xds-key", files[2]])
    }

    /// What an Envoy starts from that proves itself by other files.
    pub(crate) fn bootstrap_with(&self, id: &str, fleet: &str, proof: &[&str]) -> String {
        let (xds, sds) = (self.biplane.xds().to_string(), self.tree.directory.join(format!("{id}.sds")));
        let mut all = vec!["envoy", "bootstrap", "--admin", "127.0.0.1:0", "--xds", &xds, "--id", id];
        all.extend(["--fleet", fleet, "--sds-dir", sds.to_str().expect("text")]);
        all.extend(proof);
        let output = biplane::run(all);
        assert_eq!(output.code, 0, "{}", output.stderr);
        output.stdout
    }

    /// An Envoy; whether it gets anything is another question.
    pub(crate) async fn envoy(&self, name: &str, bootstrap: &str) -> Envoy {
        let options = Options { name: name.to_owned(), ..Options::default() };
        Envoy::start_with(bootstrap, &self.tree.directory, options).await
    }

    /// What a client shows that has the certificate of a fleet.
    pub(crate) fn proof(&self, fleet: &str) -> Proof {
        let read =
            |kind: &str| fs::read_to_string(self.pki(&format!("fleet-{fleet}.{kind}"))).expect("there");
        let identity = Identity { certificate: read("pem"), key: read("key") };
        Proof { tls: Some(ClientTls { identity: Some(identity), ..self.trusting() }), token: None }
    }

    /// A client that trusts the server and shows nothing.
    pub(crate) fn trusting(&self) -> ClientTls {
        ClientTls::trusting(&fs::read_to_string(self.pki("ca.pem")).expect("there"))
    }

    /// Opens a delta stream as a node, and asks for its listeners.
    pub(crate) async fn ask(&self, node: Node, proof: &Proof) -> anyhow::Result<Delta> {
        let mut client = Delta::connect_with(self.biplane.xds(), path::DELTA_ADS, node, proof).await?;
        client.subscribe(type_url::LISTENER, &["*"]);
        Ok(client)
    }

    /// Whether a node gets the listener of a fleet, and why not.
    pub(crate) async fn gets(&self, fleet: &str, node: Node, proof: &Proof) -> anyhow::Result<()> {
        let port = if fleet == "edge" { self.tree.port } else { self.inside_port };
        let answer = self.ask(node, proof).await?.next(SOON).await?;
        let has = answer.names().iter().any(|name| name.ends_with(&format!("-{port}")));
        ensure!(has, "{:?}", answer.names());
        Ok(())
    }

    /// Waits for a line in the audit log with all these words.
    pub(crate) async fn audited(&mut self, words: &[&str]) {
        let process = self.biplane.process();
        eventually(&format!("an audit line with {words:?}"), PATIENCE, async || {
            let log = process.log();
            let mut lines = log.lines().filter(|line| line.contains("audit"));
            ensure!(lines.any(|line| words.iter().all(|word| line.contains(word))), "there is none");
            Ok(())
        })
        .await;
    }

    /// Waits until a port answers with this.
    pub(crate) async fn until_answer(&self, port: u16, body: &str) {
        eventually(&format!("{body} on port {port}"), PATIENCE, async || {
            let answer = Request::get(HOST, "/").send(port).await?;
            ensure!(answer.text() == body, "{}", answer.text());
            Ok(())
        })
        .await;
    }

    /// Has the listener of `edge` answer with something else.
    pub(crate) fn change_edge(&self, body: &str) {
        self.tree.files.write("edge.yaml", &edge(self.tree.port, body));
    }
}

/// Makes an authority and its certificates; the settings for them.
pub(crate) fn init(tree: &Tree) -> String {
    let directory = tree.directory.join("pki");
    let directory = directory.to_str().expect("text");
    let fleets = ["--fleet", "edge", "--fleet", "inside", "--name", "127.0.0.1"];
    let made = biplane::run(["pki", "init", directory].iter().chain(&fleets));
    assert_eq!(made.code, 0, "{}", made.stderr);
    made.stdout
}

fn write_fleets(tree: &Tree, inside_port: u16) {
    tree.files.write("edge.yaml", &edge(tree.port, "edge"));
    let tls = secret("inside", &Authority::new("Inside").issue(&["inside.example.com"]));
    let services = "proxyNames: [inside]\nhttpGateway: { virtualServices: [{ name: inside }] }".to_owned();
    let tls_port = free_port();
    let tls_gateway = gateway_with(
        "inside-tls",
        tls_port,
        "ssl: true\nproxyNames: [inside]\nhttpGateway: { virtualServices: [{ name: inside-tls }] }",
    );
    tree.files.write(
        "inside.yaml",
        &documents(&[
            gateway_with("inside", inside_port, &services),
            service_at("inside", "*", &route_answering("/", CANARY)),
            tls_gateway,
            tls_service(
                "inside-tls",
                "inside.example.com",
                "secretRef: { name: inside }\nsniDomains: [inside.example.com]",
                &route_answering("/", CANARY),
            ),
            tls,
        ]),
    );
}

fn edge(port: u16, body: &str) -> String {
    let fields = "proxyNames: [edge]\nhttpGateway: { virtualServices: [{ name: edge }] }";
    documents(&[gateway_with("edge", port, fields), service_at("edge", "*", &route_answering("/", body))])
}
