//! moto, which answers as AWS does: STS, IAM, EC2, Lambda. Clients find it by `AWS_ENDPOINT_URL`.
//!
//! It takes any credentials until [`check_access`](Moto::check_access) is called. From then on it knows the access keys
//! that were made here, and checks every signature and right.

mod machines;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::directory::TempDir;
use crate::http::{Request, Response};
use crate::ports::free_port;
use crate::process::Process;
use crate::tools::Tool;
pub use machines::{Launch, Machine};

const MOTO: Tool =
    Tool { variable: "BIPLANE_MOTO_SERVER", package: "moto", version: "5.2.5", file: "moto_server" };

/// How long it may take to start; Python reads a lot before.
const PATIENCE: Duration = Duration::from_mins(1);

/// Its only region that a test needs to know.
pub const REGION: &str = "us-east-1";

/// The account that everything belongs to.
pub const ACCOUNT: &str = "123456789012";

/// A running moto.
#[derive(Debug)]
pub struct Moto {
    process: Process,
    port: u16,
}

/// Credentials that moto knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// The access key's id, which is no secret.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// What goes with the credentials of a role for some time.
    pub session_token: Option<String>,
}

/// moto's own command: `BIPLANE_MOTO_SERVER`, or what `cargo xtask tools` has installed.
pub fn binary() -> PathBuf {
    MOTO.path()
}

impl Moto {
    /// An AWS in which nothing exists.
    pub async fn start(directory: &TempDir) -> Self {
        let port = free_port();
        let mut command = MOTO.command();
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).current_dir(directory.path());
        let mut moto = Self { process: Process::spawn("moto", command, directory.path()), port };
        let answers = async || {
            let answer = Request::get("localhost", "/moto-api/data.json").send(port).await?;
            ensure!(answer.status == 200, "{}", answer.status);
            Ok(())
        };
        moto.process.until("an answer", PATIENCE, answers).await;
        moto
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What `AWS_ENDPOINT_URL` has to be.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its process, for its log, pid and usage.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Checks signatures and rights from now on, or no longer.
    pub async fn check_access(&self, check: bool) -> Result<()> {
        // How many requests are let through without a check.
        let unchecked = if check { "0" } else { "inf" };
        let request = Request::post("localhost", "/moto-api/reset-auth", unchecked);
        let answer = request.send(self.port).await?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        Ok(())
    }

    /// Makes a user who may do what `policy` allows, and an access key. Not while access is checked.
    pub async fn user(&self, name: &str, policy: &Value) -> Result<AwsKeys> {
        self.call("iam", "2010-05-08", &[("Action", "CreateUser"), ("UserName", name)]).await?;
        let policy = policy.to_string();
        let put = [
            ("Action", "PutUserPolicy"),
            ("UserName", name),
            ("PolicyName", "allowed"),
            ("PolicyDocument", &policy),
        ];
        self.call("iam", "2010-05-08", &put).await?;
        let made =
            self.call("iam", "2010-05-08", &[("Action", "CreateAccessKey"), ("UserName", name)]).await?;
        AwsKeys::of(&made, None)
    }

    /// Makes a role and credentials of it, with a session token. Not while access is checked.
    pub async fn role_session(&self, role: &str) -> Result<AwsKeys> {
        let trust = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
        let create = [("Action", "CreateRole"), ("RoleName", role), ("AssumeRolePolicyDocument", &trust)];
        self.call("iam", "2010-05-08", &create).await?;
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
        let assume = [("Action", "AssumeRole"), ("RoleArn", &arn), ("RoleSessionName", "session")];
        let made = self.call("sts", "2011-06-15", &assume).await?;
        AwsKeys::of(&made, Some("SessionToken"))
    }

    /// A call of a service with a query API (`iam`, `sts`, `ec2`, `autoscaling`), which must succeed, and its XML. It is
    /// not signed: not while access is checked.
    pub async fn call(&self, service: &str, version: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let all = parameters.iter().copied().chain([("Version", version)]);
        let form: Vec<String> = all.map(|(name, value)| format!("{name}={}", form_escaped(value))).collect();
        // moto finds the service by what a signature is good for.
        let scope = format!("Credential=anybody/20200101/{REGION}/{service}/aws4_request");
        let request = Request::post("localhost", "/", form.join("&"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header(
                "authorization",
                &format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=none"),
            );
        let answer: Response = request.send(self.port).await?;
        ensure!(answer.status == 200, "{service}: {} {}", answer.status, answer.text());
        Ok(answer.text())
    }
}

impl AwsKeys {
    fn of(xml: &str, token: Option<&str>) -> Result<Self> {
        Ok(Self {
            access_key_id: element(xml, "AccessKeyId")?,
            secret_access_key: element(xml, "SecretAccessKey")?,
            session_token: token.map(|name| element(xml, name)).transpose()?,
        })
    }
}

/// The text of the first element of that name.
pub fn element(xml: &str, name: &str) -> Result<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let inside = xml.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    inside.map(|(text, _)| text.to_owned()).with_context(|| format!("no {name} in {xml}"))
}

fn form_escaped(value: &str) -> String {
    crate::http::escaped(value).replace('/', "%2F")
}
