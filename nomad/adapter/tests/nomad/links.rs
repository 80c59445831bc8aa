//! Encrypted connections.

use std::fs;
use std::path::PathBuf;

use biplane_nomad::{NomadOptions, NomadSource, Tls};
use biplane_testkit::nomad::Job;
use biplane_testkit::{Authority, Nomad, TempDir};

use crate::harness::{connect, registered, unchecked, until_failed, until_usable, watch};

#[tokio::test]
async fn an_agent_over_tls_is_read_by_whoever_trusts_it_and_shows_a_certificate() {
    let directory = TempDir::new("nomad");
    let authority = Authority::new("nomad authority");
    let nomad = Nomad::builder().mutual_tls(&authority).start(&directory).await;
    nomad.run(&unchecked(Job::new("web"))).await.expect("run");
    registered(&nomad, "default", "web", 1).await;
    let client = authority.issue(&["client"]);
    let write = |name: &str, text: &str| -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let url = |authority: &PathBuf, more: &str| {
        let path = authority.display();
        format!("nomads://{}?caFile={path}&retryMax=1{more}", nomad.address())
    };
    let source =
        |url: &str| -> NomadSource { connect(NomadOptions::from_url(url, &|_| None).expect("a good URL")) };
    let ours = write("ca.pem", authority.certificate());
    let (certificate, key) = (write("client.pem", &client.certificate), write("client.key", &client.key));
    let shown = format!("&certFile={}&keyFile={}", certificate.display(), key.display());
    until_usable(&mut watch(&source(&url(&ours, &shown)), "web"), 1).await;
    let named = format!("{shown}&tlsServerName=localhost");
    until_usable(&mut watch(&source(&url(&ours, &named)), "web"), 1).await;

    let theirs = write("other.pem", Authority::new("another").certificate());
    let error = until_failed(&mut watch(&source(&url(&theirs, &shown)), "web"), 0).await;
    assert!(error.hint.is_some_and(|hint| hint.contains("caFile")), "{}", error.message);
    until_failed(&mut watch(&source(&url(&ours, "")), "web"), 0).await;
    let missing = NomadOptions {
        tls: Tls { ca_file: Some("/nowhere".into()), ..Tls::default() },
        ..NomadOptions::from_url(&url(&ours, ""), &|_| None).expect("a good URL")
    };
    assert!(NomadSource::connect(missing).is_err_and(|error| error.message.contains("/nowhere")));
}
