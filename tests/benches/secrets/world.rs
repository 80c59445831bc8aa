//! An OpenBao with certificates, a Biplane that follows them, and two Envoys that serve them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use biplane_testkit::bao::{Bao, Kv};
use biplane_testkit::biplane::Options;
use biplane_testkit::{Authority, Biplane, ClientTls, Envoy, Identity, Request, TempDir, free_port};
use serde_json::json;

/// How often stored values are read again.
pub(crate) const REFRESH: &str = "2s";

/// How long a start may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Two fleets with a listener each, since two Envoys of one machine cannot share a port.
const FLEETS: [&str; 2] = ["one", "two"];

/// All of it.
pub(crate) struct World {
    authority: Authority,
    bao: Bao,
    kv: Kv,
    biplane: Biplane,
    envoys: Vec<Envoy>,
    ports: [u16; 2],
    certificates: usize,
    /// Goes last.
    _directory: TempDir,
}

impl World {
    /// Starts everything, with its first certificates; ends when each is served.
    pub(crate) async fn start(certificates: usize) -> Result<Self> {
        let directory = TempDir::new("bench-secrets");
        let authority = Authority::new("Bench");
        let bao = Bao::start(&directory).await;
        let root = bao.root();
        root.mount_kv("kv", 2).await?;
        let kv = root.kv2("kv");
        let ports = [free_port(), free_port()];
        let resources = directory.join("resources");
        fs::create_dir_all(&resources)?;
        fs::write(resources.join("all.yaml"), resources_of(certificates, ports))?;
        let token_file = directory.join("token");
        fs::write(&token_file, bao.root_token())?;
        let secrets = format!(
            "vault://{}/?tokenFile={}&kvMount=kv&refresh={REFRESH}",
            bao.address(),
            token_file.display()
        );
        let first = issue(&authority, certificates);
        write(&kv, &first).await?;
        let options = Options::files(&resources).arguments(["--secrets", &secrets]);
        let biplane = Biplane::start_with(options, &directory).await;
        let mut envoys = Vec::new();
        for fleet in FLEETS {
            let mut envoy = Envoy::start(&biplane.bootstrap(fleet, fleet), &directory).await;
            envoy.ready().await;
            envoys.push(envoy);
        }
        let world = Self { authority, bao, kv, biplane, envoys, ports, certificates, _directory: directory };
        let began = Instant::now();
        world.until_shown(&first, began, PATIENCE).await?;
        Ok(world)
    }

    /// How many certificates there are.
    pub(crate) const fn len(&self) -> usize {
        self.certificates
    }

    /// Where the Envoys listen.
    pub(crate) const fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// A request by TLS to one of the names.
    pub(crate) fn request(&self, number: usize) -> Request {
        Request::get(&host(number), "/").tls(ClientTls::trusting(self.authority.certificate()))
    }

    /// The next certificate of each name.
    pub(crate) fn issue(&self) -> Vec<Identity> {
        issue(&self.authority, self.certificates)
    }

    /// Writes them; how long each took.
    pub(crate) async fn write(&self, identities: &[Identity]) -> Result<Vec<Duration>> {
        write(&self.kv, identities).await
    }

    /// Reads them as any client would; how long each took.
    pub(crate) async fn read(&self) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for number in 0..self.certificates.min(50) {
            let began = Instant::now();
            self.kv.read(&name(number)).await?.context("it was written")?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    /// Looks at every name of both Envoys until each shows its new certificate; how long after `since` each did. A
    /// look at all takes some hundred milliseconds, by which these times are too long.
    pub(crate) async fn until_shown(
        &self,
        identities: &[Identity],
        since: Instant,
        patience: Duration,
    ) -> Result<Vec<Duration>> {
        let mut left: Vec<(u16, usize)> =
            self.ports.iter().flat_map(|port| (0..self.certificates).map(|number| (*port, number))).collect();
        let mut times = Vec::new();
        while !left.is_empty() {
            let mut missing = Vec::new();
            for (port, number) in left {
                match self.request(number).send(port).await {
                    Ok(answer) if answer.certificate == Some(identities[number].der()) => {
                        times.push(since.elapsed());
                    }
                    _ => missing.push((port, number)),
                }
            }
            left = missing;
            ensure!(since.elapsed() < patience, "{} certificates do not show", left.len());
        }
        Ok(times)
    }

    /// What Envoys count when a listener or a cluster changes.
    pub(crate) async fn counts(&self) -> Result<Vec<BTreeMap<String, u64>>> {
        let expression = "(listener_manager\\.listener|cluster_manager\\.cluster)_(added|modified|removed)$";
        let mut counts = Vec::new();
        for envoy in &self.envoys {
            counts.push(envoy.stats_matching(expression).await?);
        }
        Ok(counts)
    }

    /// Ends everything in good order.
    pub(crate) async fn stop(&mut self) {
        for envoy in &mut self.envoys {
            envoy.stop().await;
        }
        self.biplane.stop().await;
        self.bao.stop().await;
    }
}

fn issue(authority: &Authority, certificates: usize) -> Vec<Identity> {
    (0..certificates).map(|number| authority.issue(&[&host(number)])).collect()
}

async fn write(kv: &Kv, identities: &[Identity]) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for (number, identity) in identities.iter().enumerate() {
        let began = Instant::now();
        let pair = json!({ "tls.crt": identity.certificate, "tls.key": identity.key });
        kv.write(&name(number), &pair).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn name(number: usize) -> String {
    format!("site-{number}")
}

fn host(number: usize) -> String {
    format!("site-{number}.example.com")
}

fn resources_of(certificates: usize, ports: [u16; 2]) -> String {
    let mut text = String::new();
    for (fleet, port) in FLEETS.iter().zip(ports) {
        let _ = write!(
            text,
            "---\nkind: Gateway\nmetadata: {{ name: {fleet} }}\nspec:\n  bindAddress: 127.0.0.1\n  bindPort: {port}\n  \
             ssl: true\n  proxyNames: [{fleet}]\n  httpGateway: {{}}\n"
        );
    }
    for number in 0..certificates {
        let (name, host) = (name(number), host(number));
        let _ = write!(
            text,
            "---\nkind: Secret\nmetadata: {{ name: {name} }}\nspec: {{ vault: {{ kv: {{ path: {name} }} }} }}\n\
             ---\nkind: VirtualService\nmetadata: {{ name: {name} }}\nspec:\n  sslConfig: {{ secretRef: {{ name: {name} }}, \
             sniDomains: [{host}] }}\n  virtualHost:\n    domains: [{host}]\n    routes:\n      - matchers: [{{ prefix: / }}]\n        \
             directResponseAction: {{ status: 200 }}\n"
        );
    }
    text
}
