//! What people do with etcdctl, by name. Values go through standard input: none is taken for a flag.

use anyhow::{Context, Result};

use super::{Etcd, owned};
use crate::command::Output;

/// Operations of a transaction; etcd takes 128.
const TRANSACTION: usize = 100;

/// What a role may do with the keys of a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Reading and watching.
    Read,
    /// Writing.
    Write,
    /// Both.
    ReadWrite,
}

impl Permission {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "readwrite",
        }
    }
}

impl Etcd {
    /// Writes a key.
    pub async fn put(&self, key: &str, value: &str) -> Result<()> {
        self.ctl_with(["put", key], value).await.success().map(drop)
    }

    /// Writes many keys, a hundred to a transaction.
    pub async fn put_many(&self, entries: &[(String, String)]) -> Result<()> {
        for chunk in entries.chunks(TRANSACTION) {
            let puts = chunk.iter().map(|(key, value)| format!("put {} {}\n", quoted(key), quoted(value)));
            // No comparison, the writes, nothing for the other case.
            let script = format!("\n{}\n\n", puts.collect::<String>());
            self.ctl_with(["txn"], &script).await.success()?;
        }
        Ok(())
    }

    /// Reads a key.
    pub async fn get(&self, key: &str) -> Result<Option<String>> {
        value(self.ctl(["get", key, "--print-value-only"]).await)
    }

    /// Reads a key as one member has it, be it behind the others or not.
    pub async fn get_at(&self, member: usize, key: &str) -> Result<Option<String>> {
        let arguments = owned(["get", key, "--print-value-only", "--consistency=s"]);
        let arguments = self.access.root().into_iter().chain(arguments).collect();
        value(self.run(&self.access.url(self.members[member].client), arguments, "").await)
    }

    /// The keys of a prefix, sorted.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let text = self.ctl(["get", prefix, "--prefix", "--keys-only"]).await.success()?;
        Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// Deletes a key; returns whether it was there.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        count(&self.ctl(["del", key]).await.success()?).map(|deleted| deleted > 0)
    }

    /// Deletes the keys of a prefix; returns how many there were.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<u64> {
        count(&self.ctl(["del", prefix, "--prefix"]).await.success()?)
    }

    /// Forgets what was before a revision.
    pub async fn compact(&self, revision: i64) -> Result<()> {
        self.ctl(["compaction", &revision.to_string()]).await.success().map(drop)
    }

    /// Forgets everything but the present, and returns its revision.
    pub async fn compact_to_head(&self) -> Result<i64> {
        let revision = self.revision().await?;
        self.compact(revision).await?;
        Ok(revision)
    }

    /// Gives the room of what is forgotten back, on every member that answers.
    pub async fn defragment(&self) -> Result<()> {
        self.ctl(["defrag"]).await.success().map(drop)
    }

    /// The alarms that are raised, one a member and kind: `memberID:1 alarm:NOSPACE`.
    pub async fn alarm_list(&self) -> Result<Vec<String>> {
        let text = self.ctl(["alarm", "list"]).await.success()?;
        Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
    }

    /// Ends all alarms.
    pub async fn alarm_disarm(&self) -> Result<()> {
        self.ctl(["alarm", "disarm"]).await.success().map(drop)
    }

    /// Adds a user.
    pub async fn user_add(&self, user: &str, password: &str) -> Result<()> {
        self.ctl(["user", "add", &format!("{user}:{password}")]).await.success().map(drop)
    }

    /// Changes a user's password; the user's tokens end.
    pub async fn user_password(&self, user: &str, password: &str) -> Result<()> {
        let arguments = ["user", "passwd", user, "--interactive=false"];
        self.ctl_with(arguments, &format!("{password}\n")).await.success().map(drop)
    }

    /// Deletes a user.
    pub async fn user_delete(&self, user: &str) -> Result<()> {
        self.ctl(["user", "delete", user]).await.success().map(drop)
    }

    /// Gives a user a role.
    pub async fn user_grant_role(&self, user: &str, role: &str) -> Result<()> {
        self.ctl(["user", "grant-role", user, role]).await.success().map(drop)
    }

    /// Takes a role from a user.
    pub async fn user_revoke_role(&self, user: &str, role: &str) -> Result<()> {
        self.ctl(["user", "revoke-role", user, role]).await.success().map(drop)
    }

    /// Adds a role that may do nothing.
    pub async fn role_add(&self, role: &str) -> Result<()> {
        self.ctl(["role", "add", role]).await.success().map(drop)
    }

    /// Lets a role do something with the keys of a prefix.
    pub async fn role_grant(&self, role: &str, permission: Permission, prefix: &str) -> Result<()> {
        let arguments = ["role", "grant-permission", role, permission.name(), prefix, "--prefix=true"];
        self.ctl(arguments).await.success().map(drop)
    }

    /// Takes back what a role was let do with the keys of a prefix.
    pub async fn role_revoke(&self, role: &str, prefix: &str) -> Result<()> {
        self.ctl(["role", "revoke-permission", role, prefix, "--prefix=true"]).await.success().map(drop)
    }
}

/// As Go reads a quoted string; JSON's escapes are among Go's.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// The value and a newline; nothing at all if there is no such key.
fn value(output: Output) -> Result<Option<String>> {
    Ok(output.success()?.strip_suffix('\n').map(str::to_owned))
}

fn count(text: &str) -> Result<u64> {
    text.trim().parse().with_context(|| format!("not a count: {text:?}"))
}
