//! Tags of services that become routes: Biplane's, Traefik's and fabio's, and whose hosts they are.

use biplane_testkit::{Request, Upstream, eventually};

use super::world::{Instance, PATIENCE, World};
use crate::harness::resources::service_at;
use crate::harness::status;

fn tags_of(host: &str) -> Vec<String> {
    vec!["biplane.enable=true".to_owned(), format!("biplane.hosts={host}")]
}

#[tokio::test]
async fn tags_of_every_reader_become_routes_and_go_with_the_tag() {
    let world = World::start(|_| Vec::new()).await;
    let one = Upstream::start("one");
    let name = &world.service;
    let hosts = ["own", "traefik", "fabio"].map(|reader| format!("{reader}.{name}.example.com"));
    let [own, traefik, fabio] = &hosts;
    let rule = format!("traefik.http.routers.{name}.rule=Host(`{traefik}`)");
    let fabio_tag = format!("urlprefix-{fabio}/");
    let own_tag = format!("biplane.hosts={own}");
    let instance = Instance::of("1", &one);
    let tagged =
        instance.clone().tags(&["biplane.enable=true", &own_tag, "traefik.enable=true", &rule, &fabio_tag]);
    world.put(&tagged).await;
    for host in &hosts {
        world.site.until(&Request::get(host, "/"), |answer| answer.upstream() == Some("one")).await;
    }
    let with_port = format!("{own}:8080");
    assert_eq!(world.site.ask(&Request::get(&with_port, "/")).await.upstream(), Some("one"));
    world.put(&instance).await;
    for host in &hosts {
        world.site.until(&Request::get(host, "/"), |answer| answer.status == 404).await;
    }
}

#[tokio::test]
async fn a_host_that_a_virtual_service_has_is_not_taken_by_a_tag_and_both_are_named() {
    let routes = "- { directResponseAction: { status: 200, body: written } }";
    let world = World::start(|name| vec![service_at("mine", &format!("{name}.example.com"), routes)]).await;
    let host = format!("{}.example.com", world.service);
    let one = Upstream::start("one");
    let tags = tags_of(&host);
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    world.put(&Instance::of("1", &one).tags(&tags)).await;
    let made = format!("VirtualService tags/{host}");
    let report = status::until_report(&world.site.biplane, &made, "gloo-system/mine").await;
    assert_eq!(report["severity"], "error");
    for host in [host.clone(), format!("{host}:8080")] {
        let answer = world.site.ask(&Request::get(&host, "/")).await;
        assert_ne!(answer.upstream(), Some("one"), "{host}");
    }
    assert_eq!(world.site.ask(&Request::get(&host, "/")).await.text(), "written");
    world.site.replace(&[service_at("other", "other.example.com", routes)]);
    world.site.until(&Request::get(&host, "/"), |answer| answer.upstream() == Some("one")).await;
}

#[tokio::test]
async fn instances_that_disagree_never_lose_the_route() {
    let world = World::start(|_| Vec::new()).await;
    let host = format!("{}.example.com", world.service);
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let tags = tags_of(&host);
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    let old = Instance::of("1", &one).tags(&tags);
    world.put(&old).await;
    world.site.until(&Request::get(&host, "/"), |answer| answer.status == 200).await;
    let load = world.load(&host);
    for round in 0..5 {
        let timeout = format!("biplane.timeout={}s", round + 5);
        let mut new = tags.clone();
        new.push(&timeout);
        world.put(&Instance::of("2", &two).tags(&new)).await;
        let request = Request::get(&host, "/");
        world.site.until(&request, |answer| answer.upstream() == Some("two")).await;
        world.remove("2").await;
    }
    let report = load.stop();
    println!("five rounds of an instance with other tags: {report}");
    report.assert_clean();
}

#[tokio::test]
async fn a_made_virtual_service_is_listed_and_gives_way_to_one_that_is_written() {
    let world = World::start(|_| Vec::new()).await;
    let host = format!("{}.example.com", world.service);
    let one = Upstream::start("one");
    let tags = tags_of(&host);
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    world.put(&Instance::of("1", &one).tags(&tags)).await;
    let request = Request::get(&host, "/");
    world.site.until(&request, |answer| answer.upstream() == Some("one")).await;
    let path = format!("/v1/resources/VirtualService/tags/{host}");
    let listed = world.site.biplane.get(&path).await.expect("an answer").json().expect("JSON");
    assert_eq!(listed["labels"]["biplane.io/made-by"], "tags", "{listed}");
    let written = format!(
        "kind: VirtualService\nmetadata: {{ name: {host}, namespace: tags }}\nspec:\n  virtualHost:\n    domains: [{host}]\n    routes: [{{ directResponseAction: {{ status: 200, body: written }} }}]\n"
    );
    world.site.files.write("written.yaml", &written);
    world.site.until(&request, |answer| answer.text() == "written").await;
    world.site.files.remove("written.yaml");
    world.site.until(&request, |answer| answer.upstream() == Some("one")).await;
    eventually("no findings", PATIENCE, async || {
        let status = status::fetch(&world.site.biplane).await?;
        anyhow::ensure!(
            status::reports(&status, &format!("VirtualService tags/{host}")).is_empty(),
            "{status}"
        );
        Ok(())
    })
    .await;
}
