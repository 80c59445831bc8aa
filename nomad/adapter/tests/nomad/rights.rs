//! Tokens: what they must be allowed, what happens when they lose it, and where they come from.

use std::fs;
use std::path::PathBuf;

use anyhow::ensure;
use biplane_core::resources::upstream::discovery::NomadUpstream;
use biplane_core::scalars::SecretString;
use biplane_nomad::{Address, NomadOptions, Token};
use biplane_source::{Cause, EndpointSource as _, Listing, Phase, ServiceSource as _};
use biplane_testkit::nomad::Job;
use biplane_testkit::{TempDir, eventually};

use crate::harness::{
    PATIENCE, World, complete, connect, next, policy, request, service, unchecked, unique, until,
    until_failed, until_phase, until_usable, watch,
};

#[tokio::test]
async fn a_namespace_that_a_token_loses_keeps_its_endpoints_and_costs_the_others_nothing() {
    let world = World::new().await;
    let (nomad, other) = (world.nomad(), unique("lost"));
    nomad.namespace(&other).await.expect("made");
    nomad.acl_policy(&other, &policy(&other)).await.expect("made");
    let token = nomad.acl_token(&[&world.namespace, &other]).await.expect("made");
    let options = NomadOptions {
        token: Some(Token::Value(SecretString::new(&token.secret))),
        namespaces: vec![world.namespace.clone(), other.clone()],
        ..world.options()
    };
    let kept_job = unchecked(world.job("web"));
    let lost_job = Job { namespace: other.clone(), ..kept_job.clone() };
    world.up(&kept_job).await;
    world.up(&lost_job).await;
    let source = connect(options);
    let mut kept = watch(&source, "web");
    let lost = NomadUpstream { namespace: Some(other.clone()), ..service("web") };
    let mut lost = source.watch(&request(lost));
    let mut services = source.services();
    until_usable(&mut kept, 1).await;
    let before = until_usable(&mut lost, 1).await;
    until(&mut services, "both services", |told| matches!(told, Listing::Complete(all) if all.len() == 2))
        .await;

    nomad.acl_policy(&other, &policy("nobody")).await.expect("changed");
    let error = until_failed(&mut lost, 1).await;
    assert_eq!(error.cause, Cause::Denied, "{error}");
    let hint = error.hint.expect("a hint");
    assert!(hint.contains(&format!("namespace {other:?} {{ capabilities = [\"read-job\"] }}")), "{hint}");
    let failed = until_phase(&source, Phase::Failed).await;
    assert!(failed.last_error.is_some_and(|error| error.message.contains(&other)));
    let told = until(&mut services, "the failure", |told| matches!(told, Listing::Failed(_))).await;
    assert_eq!(told.len(), 1, "{told:?}");
    // The other one moves on, with what was known of this one.
    world.run(&Job { count: 2, ..kept_job }).await;
    until_usable(&mut kept, 2).await;
    world.up(&unchecked(world.job("more"))).await;
    until(&mut services, "another service", |told| matches!(told, Listing::Complete(all) if all.len() == 3))
        .await;

    nomad.acl_policy(&other, &policy(&other)).await.expect("changed");
    assert_eq!(until_usable(&mut lost, 1).await, before);
    until_phase(&source, Phase::Complete).await;
}

#[tokio::test]
async fn the_shipped_policy_is_enough_and_one_right_less_says_what_is_missing() {
    let world = World::new().await;
    world.up(&world.job("web")).await;
    let source = world.source();
    let endpoints = until_usable(&mut watch(&source, "web"), 1).await;
    assert_eq!(endpoints.len(), 1, "checks were read too: {endpoints:?}");

    let less = policy(&world.namespace).replace("\"read-job\"", "\"list-jobs\"");
    world.nomad().acl_policy("less", &less).await.expect("made");
    let token = world.nomad().acl_token(&["less"]).await.expect("made");
    let token = Some(Token::Value(SecretString::new(&token.secret)));
    let source = connect(NomadOptions { token, ..world.options() });
    let error = until_failed(&mut watch(&source, "web"), 0).await;
    assert_eq!(error.cause, Cause::Denied);
    assert!(error.hint.is_some_and(|hint| hint.contains("[\"read-job\"]")), "{}", error.message);
}

#[tokio::test]
async fn without_a_token_nothing_is_known_to_be_empty() {
    let world = World::new().await;
    let source = connect(NomadOptions { token: None, ..world.options() });
    assert_eq!(until_failed(&mut watch(&source, "web"), 0).await.cause, Cause::Denied);
}

#[tokio::test]
async fn a_token_that_is_replaced_in_its_file_is_used_without_a_restart() {
    let world = World::new().await;
    let directory = TempDir::new("token");
    let file = directory.join("token");
    let first = world.nomad().acl_token(&[&world.namespace]).await.expect("made");
    fs::write(&file, &first.secret).expect("written");
    let job = unchecked(world.job("web"));
    world.up(&job).await;
    let source = connect(NomadOptions { token: Some(Token::File(file.clone())), ..world.options() });
    let mut watch = watch(&source, "web");
    until_usable(&mut watch, 1).await;
    world.nomad().acl_token_delete(&first).await.expect("deleted");
    let error = until_failed(&mut watch, 1).await;
    assert_eq!(error.cause, Cause::Denied, "{error}");
    fs::write(&file, &world.token.secret).expect("written");
    until_usable(&mut watch, 1).await;
}

#[tokio::test]
async fn a_task_of_nomad_reads_over_its_socket_with_its_own_identity_as_far_as_its_job_may() {
    let world = World::new().await;
    let job = Job { identity: true, ..unchecked(world.job("web")) };
    world.up(&job).await;
    let secrets = secrets_of(&world, &job).await;
    let options = NomadOptions {
        address: Address::Unix(secrets.join("api.sock")),
        token: Some(Token::File(secrets.join("nomad_token"))),
        ..world.options()
    };
    let source = connect(options);
    let mut watch = watch(&source, "web");
    // It is shown services by itself, but not how they are.
    let error = until_failed(&mut watch, 0).await;
    assert_eq!(error.cause, Cause::Denied, "{error}");
    let rules = policy(&world.namespace);
    world.nomad().acl_policy_of_job("task", &rules, &world.namespace, "web").await.expect("made");
    until_usable(&mut watch, 1).await;
}

/// Where Nomad puts what only the task may see.
async fn secrets_of(world: &World, job: &Job) -> PathBuf {
    let found = world.nomad().instances(&job.namespace, &job.service).await.expect("listed");
    let allocation = found.into_values().next().expect("an instance");
    let secrets = world.nomad().folder().join("data/alloc").join(allocation).join("task/secrets");
    eventually("the task's socket", PATIENCE, async || {
        ensure!(secrets.join("api.sock").exists(), "not there yet");
        Ok(())
    })
    .await;
    secrets
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_a_failure_and_not_empty() {
    let world = World::new().await;
    let token = Some(Token::Value(SecretString::new(biplane_testkit::nomad::MANAGEMENT_TOKEN)));
    let source = connect(NomadOptions { token, namespaces: vec!["nowhere".into()], ..world.options() });
    let error = until_failed(&mut watch(&source, "web"), 0).await;
    assert_eq!(error.cause, Cause::Invalid);
    assert!(error.message.contains("there is no namespace nowhere"), "{error}");
    // Upstreams may name others, as far as they are names.
    let upstream = |namespace: &str| NomadUpstream { namespace: Some(namespace.into()), ..service("web") };
    let mut real = source.watch(&request(upstream(&world.namespace)));
    assert_eq!(complete(next(&mut real).await), []);
    let mut wrong = source.watch(&request(upstream("*")));
    assert!(matches!(next(&mut wrong).await, Listing::Failed(error) if error.cause == Cause::Invalid));
}
