//! Nothing secret shows: not in what is logged at the level of traces, by whatever library, and not in what can be printed.
//!
//! A log has one listener a process, so a process of its own does what a source does, logs all there is, and prints all
//! that is public. What must not show it writes down for the test that reads its words.

use std::env;
use std::fs;
use std::process::Command;

use biplane_consul_catalog::{CatalogOptions, ConnectSecrets};
use biplane_source::{EndpointSource as _, Listing, SecretRequest, SecretSource as _, ServiceSource as _};
use biplane_testkit::{Consul, TempDir};

use crate::harness::{Instance, connect, follow, next, options_with, until_failed, until_places};

/// Names the file for what must not show.
const SECRETS: &str = "BIPLANE_TEST_SECRETS";

/// Keys in PEM are looked for line by line.
const LINE_MIN: usize = 20;

#[test]
fn nothing_secret_is_logged_or_printed() {
    let directory = TempDir::new("catalog-canary");
    let file = directory.join("secrets");
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args(["--exact", "canary::the_process_that_does_everything", "--nocapture"]).env(SECRETS, &file);
    let output = command.output().expect("it starts");
    let said =
        [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned()).concat();
    assert!(output.status.success(), "it ended with {}:\n{said}", output.status);
    for library in ["hyper_util", "reqwest"] {
        assert!(said.contains(&format!(" {library}")), "{library} has said nothing, so nothing was tested");
    }
    let secrets = fs::read_to_string(file).expect("it has written them down");
    assert!(secrets.lines().count() > 2, "too few to mean anything");
    for secret in secrets.lines() {
        assert_eq!(said.lines().find(|line| line.contains(secret)), None, "{secret} shows");
    }
}

/// Does nothing unless the test above has started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_does_everything() {
    let Ok(file) = env::var(SECRETS) else { return };
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .init();
    let directory = TempDir::new("catalog-canary-process");
    let consul = Consul::builder().mesh(true).acl(true).start(&directory).await;
    let rules = r#"service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }"#;
    consul.acl_policy("all", rules).await.expect("a policy");
    let token = consul.acl_token(&["all"]).await.expect("a token");
    let instance = Instance::new("web", 1);
    instance.register(&consul).await;
    for max_watches in [32, 0] {
        let options = CatalogOptions { max_watches, ..options_with(consul.address(), &token.secret) };
        eprintln!("{options:?}");
        let source = connect(options);
        let mut watch = follow(&source, "web");
        eprintln!("{:?}", until_places(&mut watch, &[instance.at()]).await);
        eprintln!("{:?} {:?}", next(&mut source.services()).await, source);
        if max_watches == 0 {
            consul.acl_token_delete(&token).await.expect("its end");
            source.refresh();
            eprintln!("{:?}", until_failed(&mut watch, &[instance.at()]).await);
        } else {
            let secrets = ConnectSecrets::of(&source);
            let request = SecretRequest::Path("leaf/web".to_owned());
            let leaf = secrets.read(&request).await.expect("a leaf").expect("it is there");
            eprintln!("{secrets:?} {:?}", Listing::Complete(Some(&leaf)));
            let key = String::from_utf8(leaf.fields["privateKey"].to_vec()).expect("PEM");
            let lines = key.lines().filter(|line| line.len() >= LINE_MIN && !line.starts_with('-'));
            let lines = lines.chain([&*token.secret]).collect::<Vec<_>>().join("\n");
            fs::write(&file, lines).expect("write");
        }
        eprintln!("{:?} {:?}", source.state().borrow(), source.counters());
    }
}
