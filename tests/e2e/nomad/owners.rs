//! Who owns a host: a user's virtual service goes before tags, a user's object goes before one that is made of the same
//! name, and a tag takes nothing from another namespace.

use anyhow::ensure;
use biplane_testkit::nomad::Job;
use biplane_testkit::{Request, eventually, throughout};

use super::world::{HOST, PATIENCE, Plan, World, command, request, tags_for, unique, until};
use crate::harness::resources::{object_with, route_answering, service_at};
use crate::harness::{CALM, status};

/// Waits for a finding that holds all these words.
async fn until_said(world: &World, words: &[&str]) {
    status::until(&world.site.biplane, &format!("{words:?}"), |status| {
        status::list(status, "reports").iter().any(|report| {
            let text = report["message"].as_str().unwrap_or_default();
            words.iter().all(|word| text.contains(word))
        })
    })
    .await;
}

#[tokio::test]
async fn host_of_a_users_virtual_service_is_not_taken_by_a_tag() {
    let users = service_at("own", HOST, &route_answering("/", "the user's"));
    let world = World::of(Plan { objects: vec![users], ..Plan::default() }).await;
    let job = world.job("thief");
    world.run(&job).await;
    world.registered(&job, 1).await;
    let report =
        status::until_report(&world.site.biplane, &format!("VirtualService tags/{HOST}"), "gloo-system/own")
            .await;
    assert!(report["message"].as_str().is_some_and(|message| message.contains(HOST)), "{report:#}");
    throughout("the user's answer", CALM, async || {
        let answer = request().send(world.site.port).await?;
        ensure!(answer.text() == "the user's", "{} {}", answer.status, answer.text());
        Ok(())
    })
    .await;
    // Whoever gives the host up, the job has it.
    world.site.replace(&[service_at("own", "else.example.com", &route_answering("/", "the user's"))]);
    until(&world.site, "the job's answer", |answer| answer.text().ends_with(" 1")).await;
}

#[tokio::test]
async fn host_of_one_namespace_is_not_taken_by_a_tag_of_another() {
    let other = unique("thieves");
    let world = World::of(Plan { more_namespaces: vec![other.clone()], ..Plan::default() }).await;
    let owner = world.job("owner");
    let instances = world.up(&owner).await;
    let thief =
        Job { namespace: other.clone(), tags: tags_for(HOST, &["biplane.path=/mine"]), ..Job::new("thief") };
    world.run(&thief).await;
    world.registered(&thief, 1).await;
    until_said(&world, &["thief", "owner"]).await;
    let id = instances.into_values().next().expect("one");
    let answer = world.site.ask(&Request::get(HOST, "/mine")).await;
    assert!(answer.text().starts_with(&id), "{}", answer.text());
}

#[tokio::test]
async fn made_virtual_service_is_listed_and_a_users_object_of_its_name_overrides_it() {
    let world = World::of(Plan::default()).await;
    let job = world.job("web");
    world.up(&job).await;
    let listed = command(&world.site.biplane, &["get", "vs", "-o", "name"]).await;
    assert_eq!(listed.stdout.trim(), format!("VirtualService/tags/{HOST}"), "{listed:?}");
    let shown = command(&world.site.biplane, &["get", "vs", &format!("tags/{HOST}"), "-o", "yaml"]).await;
    for word in ["biplane.io/made-by: tags", &world.namespace, HOST] {
        assert!(shown.stdout.contains(word), "{word} is not in {}", shown.stdout);
    }
    let endpoints = command(&world.site.biplane, &["get", "endpoints"]).await;
    assert!(endpoints.stdout.contains("healthy") && endpoints.stdout.contains("nomad"), "{endpoints:?}");

    let metadata = format!("name: {HOST}, namespace: tags");
    let fields =
        format!("virtualHost:\n  domains: [{HOST}]\n  routes:\n  {}\n", route_answering("/", "overridden"));
    world.site.replace(&[object_with("VirtualService", &metadata, &fields)]);
    until(&world.site, "the user's answer", |answer| answer.text() == "overridden").await;
    world.site.files.remove("resources.yaml");
    until(&world.site, "the job's answer", |answer| answer.text().ends_with(" 1")).await;
    eventually("the made one is listed again", PATIENCE, async || {
        let listed = command(&world.site.biplane, &["get", "vs", "-o", "name"]).await;
        ensure!(listed.stdout.trim() == format!("VirtualService/tags/{HOST}"), "{listed:?}");
        Ok(())
    })
    .await;
}
