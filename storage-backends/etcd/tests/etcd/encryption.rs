//! TLS: whom we trust, what we show, and files that are replaced.

use std::fs;
use std::path::PathBuf;

use biplane_store::{Store as _, StoreError};
use biplane_store_etcd::{EtcdOptions, Tls};
use biplane_testkit::{Authority, Etcd, TempDir};

use crate::harness::{Own, connect};

/// Files with certificates of one authority.
struct Files {
    tls: Tls,
    _directory: TempDir,
}

fn write(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("written");
    path
}

impl Files {
    fn new(authority: &Authority) -> Self {
        let directory = TempDir::new("etcd-tls");
        let identity = authority.issue(&["biplane"]);
        let tls = Tls {
            ca: Some(write(&directory, "ca.pem", authority.certificate())),
            cert: Some(write(&directory, "cert.pem", &identity.certificate)),
            key: Some(write(&directory, "key.pem", &identity.key)),
            server_name: None,
        };
        Self { tls, _directory: directory }
    }

    /// The files without what we show.
    fn trust(&self) -> Tls {
        Tls { ca: self.tls.ca.clone(), ..Tls::default() }
    }
}

fn with(own: &Own, tls: Tls) -> EtcdOptions {
    EtcdOptions { tls, ..own.options() }
}

async fn unreachable(options: EtcdOptions) {
    let error = connect(options).list().await.expect_err("no trust");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.hint().is_some(), "{error:?}");
}

#[tokio::test]
async fn a_server_is_trusted_for_its_authority() {
    let authority = Authority::new("etcd authority");
    let own = Own::start(Etcd::builder().tls(&authority)).await;
    let ours = Files::new(&authority);
    connect(with(&own, ours.trust())).list().await.expect("trusted");
    unreachable(with(&own, Files::new(&Authority::new("another")).trust())).await;
    let other_name = Tls { server_name: Some("elsewhere".to_owned()), ..ours.trust() };
    unreachable(with(&own, other_name)).await;
    let named = Tls { server_name: Some("localhost".to_owned()), ..ours.trust() };
    connect(with(&own, named)).list().await.expect("the certificate has this name too");
    let plain = own.etcd.endpoints().iter().map(|url| url.replace("https", "http")).collect::<Vec<_>>();
    unreachable(EtcdOptions { endpoints: plain, ..own.options() }).await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_it() {
    let authority = Authority::new("etcd authority");
    let own = Own::start(Etcd::builder().mutual_tls(&authority)).await;
    let ours = Files::new(&authority);
    let store = connect(with(&own, ours.tls.clone()));
    store.list().await.expect("known");
    unreachable(with(&own, ours.trust())).await;
    let strange = Files::new(&Authority::new("another"));
    unreachable(with(&own, Tls { ca: ours.tls.ca.clone(), ..strange.tls.clone() })).await;
}

#[tokio::test]
async fn certificates_may_come_later_than_the_store() {
    let authority = Authority::new("etcd authority");
    let own = Own::start(Etcd::builder().mutual_tls(&authority)).await;
    let ours = Files::new(&authority);
    let late = ours.tls.cert.clone().expect("set above").with_file_name("late.pem");
    let store = connect(with(&own, Tls { cert: Some(late.clone()), ..ours.tls.clone() }));
    let error = store.list().await.expect_err("no file");
    assert!(error.to_string().contains("late.pem"), "{error}");
    fs::rename(ours.tls.cert.as_ref().expect("set above"), &late).expect("renamed");
    store.list().await.expect("read for the new connection");
}
