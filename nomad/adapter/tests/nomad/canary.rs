//! Nothing secret shows: not in what is logged at the level of traces, and not in what can be printed.
//!
//! A log has one listener a process, so a process of its own does what a source does, and prints all that is public.

use std::process::Command;

use biplane_core::scalars::SecretString;
use biplane_nomad::{NomadOptions, NomadSource, Token};
use biplane_source::{EndpointSource as _, Phase, ServiceSource as _};

use crate::harness::{World, connect, next, unchecked, until_failed, until_phase, until_usable, watch};

/// What the process prints before everything that must not show.
const MARK: &str = "the token is ";

#[test]
fn a_token_is_never_logged_or_printed_whatever_happens() {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "canary::the_process_that_does_everything", "--nocapture"]);
    let output = command.env("BIPLANE_TEST_CANARY", "1").output().expect("it starts");
    let said =
        [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned()).concat();
    assert!(output.status.success(), "it failed:\n{said}");
    for library in ["hyper_util", "reqwest", "biplane_nomad"] {
        assert!(said.contains(library), "{library} has said nothing, so nothing was tested");
    }
    let token = said.lines().find_map(|line| line.strip_prefix(MARK)).expect("it has said which token");
    let shown = said.lines().find(|line| line.contains(token) && !line.starts_with(MARK));
    assert_eq!(shown, None, "the token shows");
}

#[tokio::test]
async fn the_process_that_does_everything() {
    // Run by itself it has nobody to read its words.
    if std::env::var_os("BIPLANE_TEST_CANARY").is_none() {
        assert!(std::env::args().count() > 0);
        return;
    }
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::stderr).init();
    let world = World::new().await;
    eprintln!("{MARK}{}", world.token.secret);
    world.up(&unchecked(world.job("web"))).await;
    let source = world.source();
    let mut watched = watch(&source, "web");
    until_usable(&mut watched, 1).await;
    eprintln!("{:?} {:?} {:?}", world.options(), source, next(&mut source.services()).await);
    world.link.cut();
    eprintln!("{:?}", until_failed(&mut watched, 1).await);
    world.link.heal();
    until_usable(&mut watched, 1).await;
    world.nomad().acl_token_delete(&world.token).await.expect("deleted");
    eprintln!("{:?}", until_failed(&mut watched, 1).await);
    eprintln!("{:?} {:#?}", until_phase(&source, Phase::Failed).await, source.state());
    let unfit = format!("{}\u{7f}x", world.token.secret);
    let bad =
        connect(NomadOptions { token: Some(Token::Value(SecretString::new(&unfit))), ..world.options() });
    eprintln!("{:?}", until_failed(&mut watch(&bad, "web"), 0).await);
    let wrong = NomadOptions::from_url(&format!("nomad://h?token={}", world.token.secret), &|_| None);
    eprintln!("{:?}", wrong.expect_err("a token in a URL"));
    drop::<NomadSource>(source);
}
