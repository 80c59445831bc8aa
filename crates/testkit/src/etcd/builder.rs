//! What an etcd is started with.

use std::time::Duration;

use super::access::{Access, ROOT_PASSWORD, ROOT_USER, Tls};
use super::member::Member;
use super::{Etcd, owned};
use crate::certificates::{Authority, Identity};
use crate::directory::TempDir;

/// Options of an etcd, see [`Etcd::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    members: usize,
    auth: bool,
    tls: Option<Encryption>,
    arguments: Vec<String>,
}

#[derive(Debug, Clone)]
struct Encryption {
    authority: String,
    identity: Identity,
    mutual: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self { name: "etcd".into(), members: 1, auth: false, tls: None, arguments: Vec::new() }
    }
}

impl Builder {
    /// Names it: two in one test's directory each need a name of their own.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// So many members.
    #[must_use]
    pub fn members(mut self, members: usize) -> Self {
        self.members = members;
        self
    }

    /// Asks for users: there is [`ROOT_USER`] with [`ROOT_PASSWORD`].
    #[must_use]
    pub fn auth(mut self, auth: bool) -> Self {
        self.auth = auth;
        self
    }

    /// Encrypts, with a certificate of this authority for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn tls(self, authority: &Authority) -> Self {
        self.encrypted(authority, false)
    }

    /// Encrypts, and asks clients for a certificate of the same authority.
    #[must_use]
    pub fn mutual_tls(self, authority: &Authority) -> Self {
        self.encrypted(authority, true)
    }

    /// Refuses writes once its file is larger than this.
    #[must_use]
    pub fn quota_bytes(self, bytes: u64) -> Self {
        self.arguments([format!("--quota-backend-bytes={bytes}")])
    }

    /// How long a user's token lives.
    #[must_use]
    pub fn auth_token_ttl(self, ttl: Duration) -> Self {
        self.arguments([format!("--auth-token-ttl={}", ttl.as_secs())])
    }

    /// More arguments for each member.
    #[must_use]
    pub fn arguments<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(owned(arguments));
        self
    }

    /// Starts it, and waits until it takes writes.
    pub async fn start(self, directory: &TempDir) -> Etcd {
        let folder = directory.folder(&self.name);
        let tls = self.tls.map(|tls| Tls::new(&tls.authority, &tls.identity, tls.mutual, &folder));
        let access = Access { tls, users: false };
        let mut arguments = access.tls.as_ref().map(Tls::server_arguments).unwrap_or_default();
        arguments.extend(self.arguments);
        let members = Member::cluster(&self.name, self.members, &folder, &access, &arguments);
        let mut etcd = Etcd { members, access, directory: directory.path().to_owned(), name: self.name };
        etcd.ready().await;
        if self.auth {
            ask_for_users(&mut etcd).await;
        }
        etcd
    }

    fn encrypted(mut self, authority: &Authority, mutual: bool) -> Self {
        let identity = Tls::identity(authority);
        self.tls = Some(Encryption { authority: authority.certificate().to_owned(), identity, mutual });
        self
    }
}

async fn ask_for_users(etcd: &mut Etcd) {
    let granted = async {
        etcd.user_add(ROOT_USER, ROOT_PASSWORD).await?;
        etcd.role_add("root").await?;
        etcd.user_grant_role(ROOT_USER, "root").await?;
        etcd.ctl(["auth", "enable"]).await.success()
    };
    granted.await.expect("a new etcd has no users");
    etcd.access.users = true;
}
