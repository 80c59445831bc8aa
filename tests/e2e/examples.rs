//! Every example is what its README says. They run as they are but for their ports.

mod browsers;
mod catalogs;
mod deployments;
mod machines;
mod schedulers;
mod secrets;
mod stores;
mod terminal;
mod terraform;

use std::fs;
use std::path::{Path, PathBuf};

use biplane_testkit::{ClientTls, Request, Response, Upstream, biplane, free_port};

use crate::harness::{HOST, Site, Tree};
use terminal::substituted;

/// The examples that have a test below or, where they need a server, in that server's module.
const TESTED: [&str; 16] = [
    "canary",
    "consul-catalog",
    "consul-kv",
    "consul-ui",
    "delegation",
    "ec2",
    "etcd",
    "gloo-consul",
    "gloo-files",
    "grpc",
    "nomad",
    "quickstart",
    "terraform",
    "tls",
    "vault-kv",
    "vault-pki",
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples")
}

/// An example with two upstreams behind it.
struct Example {
    site: Site,
    tls_port: u16,
    one: Upstream,
    _two: Upstream,
}

impl Example {
    async fn start(name: &str) -> Self {
        assert!(TESTED.contains(&name));
        let source = examples().join(name).join("resources");
        let output = biplane::run([Path::new("validate"), &source]);
        assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{name}: {}", output.stderr);

        let (one, two) = (Upstream::start("one"), Upstream::start("two"));
        let (tree, tls_port) = (Tree::new(), free_port());
        let port = if name == "tls" { tls_port } else { tree.port };
        let replacements = [
            ("8080", tree.port.to_string()),
            ("8443", tls_port.to_string()),
            ("8081", one.port().to_string()),
            ("8082", two.port().to_string()),
            // Its README starts Envoy at the top of the repository.
            ("examples/tls/certificates", examples().join("tls/certificates").display().to_string()),
        ];
        copy(&source, tree.files.root(), &replacements);
        let site = Tree { port, ..tree }.site().await;
        Self { site, tls_port, one, _two: two }
    }

    async fn get(&self, path: &str) -> Response {
        self.site.get(path).await
    }
}

/// Copies a tree of texts, with some words replaced.
fn copy(source: &Path, target: &Path, replacements: &[(&str, String)]) {
    fs::create_dir_all(target).expect("the test's directory is writable");
    for entry in fs::read_dir(source).expect("an example has resources") {
        let path = entry.expect("an entry").path();
        let target = target.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target, replacements);
            continue;
        }
        let text = fs::read_to_string(&path).expect("resources are text");
        fs::write(target, substituted(&text, replacements)).expect("the test's directory is writable");
    }
}

#[test]
fn every_example_has_a_test_and_a_readme() {
    let mut found: Vec<String> = fs::read_dir(examples())
        .expect("there are examples")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, TESTED);
    assert!(found.iter().all(|name| examples().join(name).join("README.md").is_file()));
}

#[tokio::test]
async fn quickstart() {
    let example = Example::start("quickstart").await;
    assert_eq!(example.get("/any/path").await.upstream(), Some("one"));
}

#[tokio::test]
async fn gloo_files() {
    let example = Example::start("gloo-files").await;
    let told = example.site.told(&Request::get("petstore.example.com", "/api/pets")).await;
    assert_eq!((told["name"].as_str(), told["path"].as_str()), (Some("one"), Some("/v1/pets")));
}

#[tokio::test]
async fn delegation() {
    let example = Example::start("delegation").await;
    assert_eq!(example.get("/api/orders").await.upstream(), Some("one"));
    assert_eq!(example.get("/teams/blue").await.text(), "team blue");
    assert_eq!(example.get("/teams/green").await.text(), "team green");
    assert_eq!(example.get("/teams/grey").await.status, 404);
}

#[tokio::test]
async fn canary() {
    let example = Example::start("canary").await;
    for path in ["/weighted", "/group"] {
        let always = Request::get(HOST, path).header("x-canary", "always");
        assert_eq!(example.site.ask(&always).await.upstream(), Some("two"), "{path}");
        let mut canaries = 0;
        for _ in 0..100 {
            let answer = example.get(path).await;
            let is_canary = answer.upstream() == Some("two");
            canaries += i32::from(is_canary);
            let is_marked = answer.header("x-version") == Some("canary");
            assert_eq!(is_marked, is_canary && path == "/weighted", "{path}");
        }
        assert!((1..=30).contains(&canaries), "{canaries} of 100 on {path}, where about 10 are due");
    }
}

#[tokio::test]
async fn grpc() {
    let example = Example::start("grpc").await;
    let call = Request::grpc(HOST, "/helloworld.Greeter/SayHello", &b"\0\0\0\0\0"[..]);
    let answer = example.site.ask(&call).await;
    assert_eq!((answer.upstream(), answer.trailer("grpc-status")), (Some("one"), Some("0")));
    assert_eq!(example.one.seen()[0]["protocol"], "HTTP/2.0");
}

#[tokio::test]
async fn tls() {
    let example = Example::start("tls").await;
    for name in ["api", "shop"] {
        let certificate =
            fs::read_to_string(examples().join(format!("tls/certificates/{name}.crt"))).expect("PEM");
        let request =
            Request::get(&format!("{name}.example.com"), "/").tls(ClientTls::trusting(&certificate));
        let answer = request.send(example.tls_port).await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_eq!(answer.upstream(), Some("one"), "{name}");
    }
}
