//! Making a connection to one member: files read, user logged in.

use std::path::{Path, PathBuf};

use biplane_store::StoreError;
use etcd_client::{
    Certificate, Client, ConnectOptions, Error, GetOptions, GetResponse, Identity, KvClient, LeaseClient,
    TlsOptions, Txn, TxnResponse, WatchClient,
};

use crate::error::{Attempt, has_no_users};
use crate::options::{EtcdOptions, Password, Tls, User, is_encrypted};

/// Where systems keep the authorities that they trust.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What one answer may hold: a page of the largest objects, or what a watch has to catch up with.
const MAX_MESSAGE: usize = 1024 * 1024 * 1024;

/// A connection to one member. Clones share it.
#[derive(Clone)]
pub(crate) struct Link {
    kv: KvClient,
    pub(crate) watch: WatchClient,
    pub(crate) lease: LeaseClient,
    /// Which member this is.
    pub(crate) member: usize,
}

impl Link {
    /// One range of keys.
    pub(crate) async fn get(mut self, key: Vec<u8>, options: GetOptions) -> Result<GetResponse, Error> {
        self.kv.get(key, Some(options)).await
    }

    /// One transaction.
    pub(crate) async fn txn(mut self, txn: Txn) -> Result<TxnResponse, Error> {
        self.kv.txn(txn).await
    }
}

/// Connects, and logs in if there is a user. Without one nothing is sent yet.
pub(super) async fn connect(
    options: &EtcdOptions,
    attempt: Attempt<'_>,
    member: usize,
) -> Result<Link, StoreError> {
    let common = settings(options, attempt.member).await?;
    let endpoint = [attempt.member];
    let Some(user) = &options.user else {
        let client = Client::connect(endpoint, Some(common)).await;
        return client.map(|client| link(&client, member)).map_err(|error| attempt.explain(&error));
    };
    let ours = common.clone().with_user(&user.name, password(user).await?).with_auto_token_refresh(true);
    let client = match Client::connect(endpoint, Some(ours)).await {
        // A user is no reason to fail where none is asked for.
        Err(error) if has_no_users(&error) => Client::connect(endpoint, Some(common)).await,
        client => client,
    };
    client.map(|client| link(&client, member)).map_err(|error| attempt.explain(&error))
}

fn link(client: &Client, member: usize) -> Link {
    Link {
        kv: client.kv_client().max_decoding_message_size(MAX_MESSAGE),
        watch: client.watch_client().max_decoding_message_size(MAX_MESSAGE),
        lease: client.lease_client(),
        member,
    }
}

async fn settings(options: &EtcdOptions, endpoint: &str) -> Result<ConnectOptions, StoreError> {
    let settings = ConnectOptions::new()
        .with_connect_timeout(options.connect_timeout)
        .with_keep_alive(options.keepalive, options.keepalive_timeout)
        // etcd cuts off who pings a connection that nothing runs on.
        .with_keep_alive_while_idle(false)
        .with_require_leader(true);
    if !is_encrypted(endpoint) {
        return Ok(settings);
    }
    Ok(settings.with_tls(tls(&options.tls).await?))
}

async fn tls(files: &Tls) -> Result<TlsOptions, StoreError> {
    let ca = match &files.ca {
        Some(ca) => ca.clone(),
        None => system().ok_or_else(|| {
            StoreError::invalid("nothing says which authority of etcd's certificate to trust")
                .with_hint("?caFile=FILE in the store's URL, or ETCDCTL_CACERT")
        })?,
    };
    let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(read(&ca).await?));
    if let (Some(cert), Some(key)) = (&files.cert, &files.key) {
        tls = tls.identity(Identity::from_pem(read(cert).await?, read(key).await?));
    }
    Ok(match &files.server_name {
        Some(name) => tls.domain_name(name),
        None => tls,
    })
}

async fn password(user: &User) -> Result<String, StoreError> {
    match &user.password {
        Password::Text(text) => Ok(text.expose().to_owned()),
        Password::File(file) => {
            let text = read(file).await?;
            Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned())
        }
    }
}

/// Absent files may come: whoever replaces a certificate may be about to.
async fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    tokio::fs::read(path).await.map_err(|error| {
        StoreError::unavailable(format!("cannot read {} to connect to etcd: {error}", path.display()))
            .with_hint("the store's URL, or ETCDCTL_CACERT, ETCDCTL_CERT and ETCDCTL_KEY, name the files")
    })
}

fn system() -> Option<PathBuf> {
    let own = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    own.into_iter().chain(SYSTEM.map(PathBuf::from)).find(|path| path.is_file())
}
