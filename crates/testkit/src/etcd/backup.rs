//! Going back in time, in the two ways in which operators do.
//!
//! A copy of the data directory is etcd's own data, older: the same cluster id, a revision that went back. A
//! snapshot is restored by etcdutl, which can also raise the revision and mark the past as compacted.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{COMMAND_PATIENCE, Etcd};
use crate::command;
use crate::tools::Tool;

const ETCDUTL: Tool =
    Tool { variable: "BIPLANE_ETCDUTL", package: "etcd", version: "3.6.8", file: "etcdutl" };

/// How far a restore raises the revision: further than any test writes.
const BUMP: &str = "--bump-revision=1000000000";

/// What becomes of the revision when a snapshot is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revisions {
    /// It goes back to what it was.
    GoBack,
    /// It is raised beyond any that a client has seen, and what was before is compacted.
    Bumped,
}

impl Etcd {
    /// Saves a snapshot while etcd runs.
    pub async fn snapshot_save(&self, path: &Path) -> Result<()> {
        // Taken from one member, which may be named only alone.
        let first = self.members.iter().find(|member| member.answers()).context("no member answers")?;
        let path = path.to_str().context("the path is no text")?.to_owned();
        let arguments = self.access.root().into_iter().chain(["snapshot".into(), "save".into(), path]);
        self.run(&self.access.url(first.client), arguments.collect(), "").await.success().map(drop)
    }

    /// Ends all members, gives each the snapshot as its data, and starts them again.
    pub async fn snapshot_restore(&mut self, path: &Path, revisions: Revisions) -> Result<()> {
        self.end_and_clear().await?;
        for member in &self.members {
            let identity = member.identity();
            let mut command = ETCDUTL.command();
            command.args(["snapshot", "restore"]).arg(path).arg("--data-dir").arg(&identity.data);
            command.args(["--name", &identity.name, "--initial-cluster", &identity.cluster]);
            command.args(["--initial-advertise-peer-urls", &identity.peer]);
            if revisions == Revisions::Bumped {
                command.args([BUMP, "--mark-compacted"]);
            }
            command::run(command, b"", COMMAND_PATIENCE).await?.success()?;
        }
        self.start_all().await;
        Ok(())
    }

    /// Copies the data directories into a new folder. etcd ends for it and starts again: a copy of files that are
    /// being written would be none.
    pub async fn copy_data(&mut self, to: &Path) -> Result<()> {
        for member in &mut self.members {
            member.stop().await;
        }
        for member in &self.members {
            copy(&member.identity().data, &to.join(&member.identity().name))?;
        }
        self.start_all().await;
        Ok(())
    }

    /// Ends all members, puts the copied data back, and starts them again.
    pub async fn restore_data(&mut self, from: &Path) -> Result<()> {
        ensure!(from.is_dir(), "there is no copy of {} at {}", self.name, from.display());
        self.end_and_clear().await?;
        for member in &self.members {
            copy(&from.join(&member.identity().name), &member.identity().data)?;
        }
        self.start_all().await;
        Ok(())
    }

    async fn end_and_clear(&mut self) -> Result<()> {
        for member in &mut self.members {
            member.stop().await;
        }
        for member in &self.members {
            fs::remove_dir_all(&member.identity().data)?;
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let (source, target) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
