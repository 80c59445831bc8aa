//! The commands of an example's README, run as they are written but for ports and places.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use biplane_testkit::{
    Output, Process, TempDir, bao, biplane, consul, envoy, etcd, eventually, free_port, nomad, tofu,
};

use super::{copy, examples};
use crate::harness::{PATIENCE, ports_open};

/// A README's commands, in order, and the shell that runs them.
pub(super) struct Terminal {
    commands: VecDeque<String>,
    replacements: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    ports: Ports,
    servers: Vec<Process>,
    directory: TempDir,
}

/// What stands for the ports that the README names.
struct Ports {
    gateway: u16,
    tls_gateway: u16,
    upstreams: [u16; 2],
    xds: u16,
    admin: u16,
    /// Envoy's own admin interface, for pages.
    envoy: u16,
}

impl Ports {
    fn new() -> Self {
        Self {
            gateway: free_port(),
            tls_gateway: free_port(),
            upstreams: [free_port(), free_port()],
            xds: free_port(),
            admin: free_port(),
            envoy: free_port(),
        }
    }

    /// What the commands say, and what stands for it.
    fn replacements(&self) -> Vec<(String, String)> {
        let numbers = [
            ("8080", self.gateway),
            ("8443", self.tls_gateway),
            ("8081", self.upstreams[0]),
            ("8082", self.upstreams[1]),
        ];
        numbers.iter().map(|(from, to)| ((*from).to_owned(), to.to_string())).collect()
    }
}

impl Terminal {
    /// Opens the README of an example; `store` stands for the place of its store.
    pub(super) fn open(example: &str, store: (&str, SocketAddr), directory: TempDir) -> Self {
        let folder = examples().join(example);
        let readme = fs::read_to_string(folder.join("README.md")).expect("an example has a README");
        let ports = Ports::new();
        let mut replacements = ports.replacements();
        let resources = directory.join("resources");
        let named: Vec<_> = replacements.iter().map(|(from, to)| (from.as_str(), to.clone())).collect();
        copy(&folder.join("resources"), &resources, &named);

        replacements.push((store.0.to_owned(), store.1.to_string()));
        replacements.push((format!("examples/{example}/resources"), resources.display().to_string()));
        replacements.push(("/tmp/".to_owned(), format!("{}/", directory.path().display())));
        let xds = format!("envoy bootstrap --xds 127.0.0.1:{} --admin 127.0.0.1:0", ports.xds);
        replacements.push(("envoy bootstrap".to_owned(), xds));
        // A shell that is replaced by its server takes no signal in its place.
        replacements.push(("&& envoy ".to_owned(), "&& exec envoy --use-dynamic-base-id ".to_owned()));
        let commands = commands(&readme);
        let environment = environment(&directory, &ports);
        Self { commands, replacements, environment, ports, servers: Vec::new(), directory }
    }

    /// Opens a page of the documentation.
    pub(super) fn page(page: &str, directory: TempDir) -> Self {
        let top = examples().parent().expect("examples are in a folder").to_owned();
        let text = fs::read_to_string(top.join(page)).expect("there is the page");
        let ports = Ports::new();
        let mut replacements = ports.replacements();
        replacements.push(("/tmp/".to_owned(), format!("{}/", directory.path().display())));
        let bootstrap =
            format!("envoy bootstrap --xds 127.0.0.1:{} --admin 127.0.0.1:{} > ", ports.xds, ports.envoy);
        replacements.push(("envoy bootstrap > ".to_owned(), bootstrap));
        replacements.push(("127.0.0.1:19000".to_owned(), format!("127.0.0.1:{}", ports.envoy)));
        replacements.push(("&& envoy ".to_owned(), "&& exec envoy --use-dynamic-base-id ".to_owned()));
        let (commands, environment) = (commands(&text), environment(&directory, &ports));
        Self { commands, replacements, environment, ports, servers: Vec::new(), directory }
    }

    /// Sets a variable for the commands to come.
    pub(super) fn export(&mut self, name: &str, value: &str) {
        self.forget(name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The variable is not set any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// Puts something in the place of other words of the commands to come.
    pub(super) fn replace(&mut self, from: &str, to: &str) {
        self.replacements.insert(0, (from.to_owned(), to.to_owned()));
    }

    /// All servers are stopped.
    pub(super) fn quits(&mut self) {
        self.servers.clear();
    }

    /// A path in the test's own directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Commands take this file of the example, named from the top of the repository, with the test's ports in it.
    pub(super) fn takes(&mut self, file: &str) {
        let folder = examples();
        let path = folder.parent().expect("examples are in a folder").join(file);
        let text = fs::read_to_string(&path).expect("the example has the file");
        let copy = self.path(&path.file_name().expect("a file has a name").to_string_lossy());
        fs::write(&copy, substituted(&text, &self.replacements)).expect("the test's directory is writable");
        self.replace(file, &copy.display().to_string());
    }

    /// A file of the page, with the test's ports in it.
    pub(super) fn saves(&self, name: &str, text: &str) {
        fs::write(self.path(name), substituted(text, &self.replacements))
            .expect("the test's directory is writable");
    }

    /// Commands take the resources of this example, with the test's ports in them.
    pub(super) fn brings(&mut self, example: &str) {
        let target = self.directory.join("resources");
        let ports = self.ports.replacements();
        let ports: Vec<_> = ports.iter().map(|(from, to)| (from.as_str(), to.clone())).collect();
        copy(&examples().join(example).join("resources"), &target, &ports);
        self.replace(&format!("examples/{example}/resources"), &target.display().to_string());
    }

    /// The next command is one that the test has carried out in its own way.
    pub(super) fn passes(&mut self, beginning: &str) {
        self.take(beginning);
    }

    /// The next command is a server: starts it.
    pub(super) fn starts(&mut self, beginning: &str) {
        let command = self.take(beginning);
        let command = if command.contains("&& exec ") { command } else { format!("exec env {command}") };
        let name = format!("server-{}", self.servers.len());
        self.servers.push(Process::spawn(&name, self.shell(&command), self.directory.path()));
    }

    /// The next command begins so, and ends with this code.
    pub(super) fn runs(&mut self, beginning: &str, code: i32) -> Output {
        let command = self.take(beginning);
        let output = self.run(&command);
        assert_eq!(output.code, code, "{command}: {output:?}");
        output
    }

    /// The next command begins so, and says all these words, perhaps a moment later.
    pub(super) async fn shows(&mut self, beginning: &str, words: &[&str]) -> Output {
        let command = self.take(beginning);
        eventually(&format!("{words:?} of {command}"), PATIENCE, async || {
            let output = self.run(&command);
            let text = format!("{}{}", output.stdout, output.stderr);
            ensure!(words.iter().all(|word| text.contains(word)), "{output:?}");
            Ok(output)
        })
        .await
    }

    /// The next command begins so, and says one word and not another, perhaps a moment later.
    pub(super) async fn shows_not(&mut self, beginning: &str, word: &str, unwanted: &str) {
        let command = self.take(beginning);
        eventually(&format!("{word:?} without {unwanted:?} of {command}"), PATIENCE, async || {
            let output = self.run(&command);
            ensure!(output.stdout.contains(word) && !output.stdout.contains(unwanted), "{output:?}");
            Ok(())
        })
        .await;
    }

    /// The next command begins so, and says so many lines, perhaps a moment later.
    pub(super) async fn lists(&mut self, beginning: &str, lines: usize) -> Output {
        let command = self.take(beginning);
        eventually(&format!("{lines} lines of {command}"), PATIENCE, async || {
            let output = self.run(&command);
            ensure!(output.stdout.lines().count() == lines, "{output:?}");
            Ok(output)
        })
        .await
    }

    /// The upstreams, the control plane and Envoy run.
    pub(super) async fn all_run(&self) {
        let Ports { gateway, upstreams, admin, .. } = self.ports;
        ports_open(&[upstreams[0], upstreams[1], admin, gateway]).await;
    }

    /// The control plane and Envoy run.
    pub(super) async fn gateway_runs(&self) {
        let Ports { gateway, admin, .. } = self.ports;
        ports_open(&[admin, gateway]).await;
    }

    /// The first upstream, the control plane and Envoy with its TLS port run.
    pub(super) async fn tls_runs(&self) {
        let Ports { tls_gateway, upstreams, admin, .. } = self.ports;
        ports_open(&[upstreams[0], admin, tls_gateway]).await;
    }

    /// The control plane serves what it has read.
    pub(super) async fn is_ready(&self) {
        eventually("a control plane that serves", PATIENCE, async || {
            let admin = self.ports.admin;
            let ready = biplane_testkit::Request::get("admin", "/ready").send(admin).await?;
            ensure!(ready.status == 200, "{}", ready.text());
            Ok(())
        })
        .await;
    }

    /// How a request's answer shows which of the two upstreams has given it.
    pub(super) fn upstream(&self, number: usize) -> String {
        format!("\"port\": {}", self.ports.upstreams[number])
    }

    /// The port of one of the two upstreams.
    pub(super) fn port(&self, number: usize) -> String {
        self.ports.upstreams[number].to_string()
    }

    /// Where the control plane's API is.
    pub(super) fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.admin)
    }

    /// Waits until nobody listens for requests any more.
    pub(super) async fn gateway_closes(&self) {
        eventually("a gateway that is gone", PATIENCE, async || {
            let open = tokio::net::TcpStream::connect(("127.0.0.1", self.ports.gateway)).await.is_ok();
            ensure!(!open, "it takes connections");
            Ok(())
        })
        .await;
    }

    /// The port that stands for 8080.
    pub(super) fn gateway(&self) -> u16 {
        self.ports.gateway
    }

    /// Biplane's own page.
    pub(super) fn web_page(&self) -> String {
        format!("http://127.0.0.1:{}/", self.ports.admin)
    }

    /// That was all that the README says.
    pub(super) fn is_done(&self) {
        assert!(self.commands.is_empty(), "nobody has run {:?}", self.commands);
    }

    fn take(&mut self, beginning: &str) -> String {
        let command = self.commands.pop_front().unwrap_or_else(|| panic!("no command after {beginning:?}"));
        assert!(command.starts_with(beginning), "{command:?} is not {beginning:?}");
        substituted(&command, &self.replacements)
    }

    fn run(&self, command: &str) -> Output {
        let output = self.shell(command).output();
        output.unwrap_or_else(|error| panic!("cannot run {command}: {error}")).into()
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(examples().parent().expect("examples are in a folder"));
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        shell
    }
}

/// The lines of a README's code blocks; a line that ends with a backslash goes on with the next. A block that names its
/// language is a file.
fn commands(readme: &str) -> VecDeque<String> {
    let blocks = readme.split("```").skip(1).step_by(2).filter(|block| block.starts_with('\n'));
    let text = blocks.collect::<String>().replace("\\\n", " ");
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Each place of a text is replaced once, whatever stands there then: a port may look like another one's beginning.
pub(super) fn substituted(text: &str, replacements: &[(impl AsRef<str>, String)]) -> String {
    let (mut rest, mut result) = (text, String::new());
    while let Some(first) = rest.chars().next() {
        let found = replacements.iter().find(|(from, _)| rest.starts_with(from.as_ref()));
        let taken = if let Some((from, to)) = found {
            result.push_str(to);
            from.as_ref().len()
        } else {
            result.push(first);
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    result
}

/// Where commands are found, and where they find each other.
fn environment(directory: &TempDir, ports: &Ports) -> Vec<(String, String)> {
    let tools = directory.folder("bin");
    let known: [(&str, &Path); 7] = [
        ("biplane", &biplane::binary()),
        ("envoy", &envoy::binary()),
        ("consul", &consul::binary()),
        ("etcdctl", &etcd::binary()),
        ("bao", &bao::binary()),
        ("nomad", &nomad::binary()),
        ("tofu", &tofu::binary()),
    ];
    for (name, path) in known {
        symlink(path, tools.join(name)).expect("the test's directory is writable");
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let set = |name: &str, value: String| (name.to_owned(), value);
    vec![
        set("PATH", format!("{}:{path}", tools.display())),
        set("NO_COLOR", "1".to_owned()),
        set("BIPLANE_XDS", format!("127.0.0.1:{}", ports.xds)),
        set("BIPLANE_ADMIN", format!("127.0.0.1:{}", ports.admin)),
    ]
}
