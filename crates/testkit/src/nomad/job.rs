//! Jobs whose instances answer over HTTP, say who they are, and are well or not as a test wants.
//!
//! An instance answers `/` with the id of its allocation and its version, and `/health` with 200, or with 503 while a
//! file names its port.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::Nomad;

/// The instance's program.
const PROGRAM: &str = include_str!("instance.py");

/// A job of one group with one task and one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// The service's name.
    pub service: String,
    /// More services of the same group, at the same port and without checks.
    pub also: Vec<String>,
    /// How many instances there are.
    pub count: usize,
    /// The service's tags.
    pub tags: Vec<String>,
    /// Its tags on canaries, if they are others.
    pub canary_tags: Vec<String>,
    /// The service's address, if it is not that of the node.
    pub address: Option<String>,
    /// The check of the service.
    pub check: Check,
    /// How new versions come in.
    pub update: Option<Update>,
    /// What makes one version another.
    pub version: String,
    /// How long a task may take to end, in seconds.
    pub kill_timeout: u64,
    /// How long the group waits between leaving the catalog and ending, in seconds.
    pub shutdown_delay: u64,
    /// Whether the instance goes on when it is asked to end, until it is killed.
    pub stubborn: bool,
    /// How many seconds the instance takes before it listens.
    pub slow_start: u64,
    /// Whether the task gets a token of its own in a file.
    pub identity: bool,
    /// Whom a further token of the task is for, in the file `nomad_AUDIENCE.jwt`.
    pub token_for: Option<String>,
}

/// Whether a service has a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// None.
    None,
    /// `GET /health`, once a second.
    Http,
}

/// An `update` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// How many are replaced at a time.
    pub max_parallel: usize,
    /// How many canaries come first.
    pub canary: usize,
    /// How long an instance must be well, in seconds.
    pub min_healthy_time: u64,
    /// How long it may take to become so, in seconds.
    pub healthy_deadline: u64,
}

impl Default for Update {
    fn default() -> Self {
        Self { max_parallel: 1, canary: 0, min_healthy_time: 0, healthy_deadline: 60 }
    }
}

impl Job {
    /// A job of this id with a service of the same name, checked over HTTP, in the namespace `default`.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            namespace: "default".into(),
            service: id.into(),
            also: Vec::new(),
            count: 1,
            tags: Vec::new(),
            canary_tags: Vec::new(),
            address: Some("127.0.0.1".into()),
            check: Check::Http,
            update: Some(Update::default()),
            version: "1".into(),
            kill_timeout: 1,
            shutdown_delay: 0,
            stubborn: false,
            slow_start: 0,
            identity: false,
            token_for: None,
        }
    }

    /// As the API takes it.
    pub fn json(&self, folder: &Path) -> Value {
        let seconds = |seconds: u64| seconds * 1_000_000_000;
        let update = self.update.map(|update| {
            json!({
                "MaxParallel": update.max_parallel, "Canary": update.canary, "AutoPromote": false,
                "AutoRevert": false, "HealthCheck": if self.check == Check::Http { "checks" } else { "task_states" },
                "MinHealthyTime": seconds(update.min_healthy_time),
                "HealthyDeadline": seconds(update.healthy_deadline),
                "ProgressDeadline": seconds(update.healthy_deadline + 60), "Stagger": seconds(1),
            })
        });
        let group = json!({
            "Name": "group", "Count": self.count, "Update": update,
            "ShutdownDelay": seconds(self.shutdown_delay),
            "EphemeralDisk": { "SizeMB": 10 },
            "Networks": [{ "Mode": "host", "DynamicPorts": [{ "Label": "http" }] }],
            "RestartPolicy": { "Attempts": 10, "Interval": seconds(60), "Delay": seconds(1), "Mode": "delay" },
            "Services": self.services(), "Tasks": [self.task(folder)],
        });
        json!({ "Job": {
            "ID": self.id, "Name": self.id, "Namespace": self.namespace, "Type": "service",
            "Datacenters": ["*"], "TaskGroups": [group],
        } })
    }

    fn services(&self) -> Vec<Value> {
        let also =
            self.also.iter().map(|name| Self { service: name.clone(), check: Check::None, ..self.clone() });
        std::iter::once(self.service()).chain(also.map(|other| other.service())).collect()
    }

    fn service(&self) -> Value {
        let second = 1_000_000_000_u64;
        let check = json!({
            "Name": "health", "Type": "http", "Path": "/health", "Interval": second, "Timeout": second,
        });
        json!({
            "Name": self.service, "Provider": "nomad", "PortLabel": "http", "Tags": self.tags,
            "CanaryTags": self.canary_tags, "Address": self.address.as_deref().unwrap_or_default(),
            "Checks": if self.check == Check::Http { json!([check]) } else { json!([]) },
        })
    }

    fn task(&self, folder: &Path) -> Value {
        let environment = json!({
            "VERSION": self.version, "SICK": sick(folder), "SLOW_START": self.slow_start.to_string(),
            "STUBBORN": if self.stubborn { "1" } else { "" },
        });
        let identity = self.identity.then(|| json!({ "File": true, "Env": false }));
        let further = self.token_for.as_ref().map(|audience| {
            json!([{ "Name": audience, "Audience": [audience], "File": true, "TTL": 3_600_000_000_000_u64 }])
        });
        json!({
            "Name": "task", "Driver": "raw_exec", "Env": environment,
            "Config": { "command": "python3", "args": ["-S", "-E", folder.join("instance.py")] },
            "Identity": identity, "Identities": further,
            "KillTimeout": self.kill_timeout * 1_000_000_000,
            "LogConfig": { "MaxFiles": 1, "MaxFileSizeMB": 1 },
            "Resources": { "CPU": 10, "MemoryMB": 10 },
        })
    }
}

/// What instances need, in the agent's folder.
pub(super) fn prepare(folder: &Path) {
    fs::create_dir_all(sick(folder)).expect("the temporary directory is writable");
    fs::write(folder.join("instance.py"), PROGRAM).expect("the temporary directory is writable");
}

fn sick(folder: &Path) -> PathBuf {
    folder.join("sick")
}

impl Nomad {
    /// Runs a job, or its next version.
    pub async fn run(&self, job: &Job) -> Result<()> {
        let body = job.json(self.folder()).to_string();
        self.call(Method::PUT, "/v1/jobs", body).await.map(drop)
    }

    /// Stops a job; with `purge` nothing is remembered of it.
    pub async fn stop(&self, job: &Job, purge: bool) -> Result<()> {
        let path = format!("/v1/job/{}?namespace={}&purge={purge}", job.id, job.namespace);
        self.call(Method::DELETE, &path, "").await.map(drop)
    }

    /// Promotes the canaries of a job's deployment.
    pub async fn promote(&self, job: &Job) -> Result<()> {
        let path = format!("/v1/job/{}/deployment?namespace={}", job.id, job.namespace);
        let id = self.json(&path).await?["ID"].as_str().context("there is a deployment")?.to_owned();
        let body = json!({ "DeploymentID": id, "All": true }).to_string();
        self.call(Method::PUT, &format!("/v1/deployment/promote/{id}?namespace={}", job.namespace), body)
            .await
            .map(drop)
    }

    /// The service's instances that are registered, by where they listen: the allocation of each.
    pub async fn instances(&self, namespace: &str, service: &str) -> Result<BTreeMap<SocketAddr, String>> {
        let found = self.json(&format!("/v1/service/{service}?namespace={namespace}")).await?;
        let found = found.as_array().context("a list")?;
        found.iter().map(place).collect()
    }

    /// The allocations of a job that run and are to, with the version of the job that each is of.
    pub async fn running(&self, job: &Job) -> Result<BTreeMap<String, u64>> {
        let path = format!("/v1/job/{}/allocations?namespace={}", job.id, job.namespace);
        let all = self.json(&path).await?;
        let all = all.as_array().context("a list")?;
        let runs = all.iter().filter(|a| a["ClientStatus"] == "running" && a["DesiredStatus"] == "run");
        let pairs = runs.map(|a| Some((a["ID"].as_str()?.to_owned(), a["JobVersion"].as_u64()?)));
        pairs.collect::<Option<_>>().context("an allocation has an id and a version")
    }

    /// Lets the instance that listens there pass its check, or not.
    pub fn set_well(&self, at: SocketAddr, well: bool) -> Result<()> {
        let file = sick(self.folder()).join(at.port().to_string());
        if well { fs::remove_file(&file) } else { fs::write(&file, "") }
            .with_context(|| format!("{} cannot be changed", file.display()))
    }

    /// Restarts the tasks of an allocation where they are.
    pub async fn restart_allocation(&self, id: &str, namespace: &str) -> Result<()> {
        let path = format!("/v1/client/allocation/{id}/restart?namespace={namespace}");
        self.call(Method::PUT, &path, json!({ "AllTasks": true }).to_string()).await.map(drop)
    }

    /// Stops an allocation, which its scheduler replaces.
    pub async fn stop_allocation(&self, id: &str, namespace: &str) -> Result<()> {
        let path = format!("/v1/allocation/{id}/stop?namespace={namespace}");
        self.call(Method::PUT, &path, "").await.map(drop)
    }
}

fn place(registration: &Value) -> Result<(SocketAddr, String)> {
    let address = registration["Address"].as_str().context("an address")?;
    let address = if address == "localhost" { "127.0.0.1" } else { address };
    let port = registration["Port"].as_u64().and_then(|port| u16::try_from(port).ok()).context("a port")?;
    let allocation = registration["AllocID"].as_str().context("an allocation")?;
    ensure!(port > 0, "{registration} has a port");
    Ok((SocketAddr::new(address.parse()?, port), allocation.to_owned()))
}
