//! A real etcd, one member or several, and the hand that writes to it: etcdctl, which shares no code with Biplane.
//!
//! Members are called by their number, from 0. Commands go to the members that run and are not paused, as an
//! operator would send them; [`endpoints`](Etcd::endpoints) names them all, as a configuration would.

mod access;
mod backup;
mod builder;
mod commands;
mod member;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{self, Output};
use crate::directory::TempDir;
use crate::process::Process;
use crate::tools::Tool;
use access::Access;
pub use access::{ROOT_PASSWORD, ROOT_USER};
pub use backup::Revisions;
pub use builder::Builder;
pub use commands::Permission;
use member::Member;

const ETCDCTL: Tool =
    Tool { variable: "BIPLANE_ETCDCTL", package: "etcd", version: "3.6.8", file: "etcdctl" };

/// How long a command may take, one that waits for an election included.
const COMMAND_PATIENCE: Duration = Duration::from_secs(20);

/// A running etcd.
#[derive(Debug)]
pub struct Etcd {
    members: Vec<Member>,
    access: Access,
    directory: PathBuf,
    name: String,
}

/// etcd's own command: `BIPLANE_ETCDCTL`, or what `cargo xtask tools` has installed.
pub fn binary() -> PathBuf {
    ETCDCTL.path()
}

impl Etcd {
    /// One member, without TLS and users. It takes writes when this returns.
    pub async fn start(directory: &TempDir) -> Self {
        Self::builder().start(directory).await
    }

    /// More members, TLS, users, a quota.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The URLs of all members, as `--store` and `ETCDCTL_ENDPOINTS` want them.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| self.access.url(member.client)).collect()
    }

    /// Where a member serves clients; a fault proxy may go in front of it.
    pub fn address(&self, member: usize) -> SocketAddr {
        self.members[member].client
    }

    /// How many members there are, running or not.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// A member's process, for its log, pid and usage.
    pub fn process(&mut self, member: usize) -> &mut Process {
        &mut self.members[member].process
    }

    /// Waits until each member that runs has heard from a leader.
    pub async fn ready(&mut self) {
        for member in self.members.iter_mut().filter(|member| member.answers()) {
            member.ready().await;
        }
    }

    /// Stops a member where it is (`kill -STOP`): its connections stay open and nobody answers.
    pub async fn pause(&mut self, member: usize) {
        self.members[member].pause().await;
    }

    /// Lets a paused member go on.
    pub fn resume(&mut self, member: usize) {
        self.members[member].resume();
    }

    /// Ends a member at once, as a power cut does.
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill();
    }

    /// Ends a member in order.
    pub async fn stop(&mut self, member: usize) {
        self.members[member].stop().await;
    }

    /// Starts a member again with its ports and data. Others may have to start before it can answer: see
    /// [`ready`](Self::ready).
    pub fn start_again(&mut self, member: usize) {
        self.members[member].spawn(&self.directory);
    }

    /// Ends a member in order and starts it again, and waits until it answers.
    pub async fn restart(&mut self, member: usize) {
        self.stop(member).await;
        self.start_again(member);
        self.members[member].ready().await;
    }

    /// Ends all members in order, so that tokens and watches are gone, and starts them again.
    pub async fn restart_all(&mut self) {
        for member in &mut self.members {
            member.stop().await;
        }
        self.start_all().await;
    }

    /// The member that leads, as those that answer see it.
    pub async fn leader(&self) -> Result<usize> {
        let mut leader = None;
        let mut names = Vec::new();
        for (number, member) in self.members.iter().enumerate().filter(|(_, member)| member.answers()) {
            let status = self.status(member).await?;
            names.push((status.member, number));
            leader = Some(status.leader).filter(|&leader| leader != 0);
        }
        let leader = leader.context("nobody leads")?;
        let found = names.iter().find(|&&(id, _)| id == leader);
        found.map(|&(_, number)| number).context("the leader is a member that does not answer")
    }

    /// The newest revision.
    pub async fn revision(&self) -> Result<i64> {
        let header = self.header().await?;
        header["revision"].as_i64().with_context(|| format!("no revision in {header}"))
    }

    /// The cluster's id, which clients find in every answer.
    pub async fn cluster_id(&self) -> Result<u64> {
        let header = self.header().await?;
        header["cluster_id"].as_u64().with_context(|| format!("no cluster id in {header}"))
    }

    /// The header of a linearizable read.
    async fn header(&self) -> Result<Value> {
        let answer = self.ctl(["get", "any", "--write-out=json"]).await.success()?;
        Ok(serde_json::from_str::<Value>(&answer)?["header"].take())
    }

    /// Runs etcdctl, as root where there are users.
    pub async fn ctl<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.ctl_with(arguments, "").await
    }

    /// Runs etcdctl with an input.
    pub async fn ctl_with<S: AsRef<str>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Output {
        let arguments = self.access.root().into_iter().chain(owned(arguments)).collect();
        self.run(&self.reachable(), arguments, input).await
    }

    /// Runs etcdctl as another user.
    pub async fn ctl_as<S: AsRef<str>>(
        &self,
        user: &str,
        password: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Output {
        let credentials = format!("--user={user}:{password}");
        self.run(&self.reachable(), std::iter::once(credentials).chain(owned(arguments)).collect(), "").await
    }

    async fn run(&self, endpoints: &str, arguments: Vec<String>, input: &str) -> Output {
        let mut command = ETCDCTL.command();
        command.arg(format!("--endpoints={endpoints}")).args(self.access.arguments()).args(arguments);
        let output = command::run(command, input.as_bytes(), COMMAND_PATIENCE).await;
        output.unwrap_or_else(|error| Output {
            code: -1,
            stdout: String::new(),
            stderr: format!("{error:#}"),
        })
    }

    /// Those that can answer: etcdctl waits for others until its time is up.
    fn reachable(&self) -> String {
        let members = self.members.iter().filter(|member| member.answers());
        members.map(|member| self.access.url(member.client)).collect::<Vec<_>>().join(",")
    }

    async fn start_all(&mut self) {
        for member in &mut self.members {
            member.spawn(&self.directory);
        }
        self.ready().await;
    }

    async fn status(&self, member: &Member) -> Result<Status> {
        let arguments =
            self.access.root().into_iter().chain(owned(["endpoint", "status", "--write-out=json"]));
        let output = self.run(&self.access.url(member.client), arguments.collect(), "").await.success()?;
        let answer: Value = serde_json::from_str(&output)?;
        let status = &answer[0]["Status"];
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        Ok(Status { member: number(&status["header"]["member_id"]), leader: number(&status["leader"]) })
    }
}

/// What a member says of itself.
#[derive(Debug, Clone, Copy)]
struct Status {
    member: u64,
    /// 0 if it knows of none.
    leader: u64,
}

fn owned<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> impl Iterator<Item = String> {
    arguments.into_iter().map(|argument| argument.as_ref().to_owned())
}
