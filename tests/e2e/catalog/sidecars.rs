//! Services behind Consul's own sidecars, which ask Consul about every connection: intentions, and another root.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::http::Method;
use biplane_testkit::load::Rate;
use biplane_testkit::{Consul, Load, Process, Request, Upstream, consul, eventually, free_port, throughout};
use serde_json::{Value, json};

use super::world::{World, own};
use crate::harness::resources::{object, service_to};
use crate::harness::{CALM, HOST};

/// Agents take up to half a minute to ask for a certificate of a new root.
const RENEWAL: Duration = Duration::from_mins(1);

/// One upstream, which is reached through the mesh as a service of the test's own.
fn objects(name: &str) -> Vec<String> {
    let consul = format!("serviceName: {name}, connectEnabled: true, connectService: {}", gate(name));
    vec![object("Upstream", "meshed", &format!("consul: {{ {consul} }}")), service_to("meshed")]
}

/// The service that Envoy is in the mesh.
fn gate(service: &str) -> String {
    format!("gate-{service}")
}

/// A server that takes each request over a connection of its own, so that the sidecar asks about each.
fn server(name: &str) -> Upstream {
    let upstream = Upstream::start(name);
    upstream.behave(|behaviour| behaviour.headers = vec![("connection".to_owned(), "close".to_owned())]);
    upstream
}

/// Registers the server with a sidecar, and starts that.
async fn sidecar(world: &World, server: &Upstream) -> Process {
    let port = free_port();
    let check = json!({ "Name": "up", "TCP": format!("127.0.0.1:{port}"), "Interval": "1s" });
    let body = json!({
        "ID": world.service,
        "Name": world.service,
        "Address": "127.0.0.1",
        "Port": server.port(),
        "Connect": { "SidecarService": { "Address": "127.0.0.1", "Port": port, "Checks": [check] } },
    });
    put(world.consul(), "/v1/agent/service/register", &body).await;
    let mut command = Command::new(consul::binary());
    let address = world.consul().server_address().to_string();
    command.args(["connect", "proxy", "-sidecar-for", &world.service, "-http-addr", &address]);
    Process::spawn("sidecar", command, world.site.directory.path())
}

/// What Consul lets the gate do to the world's service from now on: `allow` or `deny`.
async fn intend(world: &World, action: &str) {
    let source = json!({ "Name": gate(&world.service), "Action": action });
    let body = json!({ "Kind": "service-intentions", "Name": world.service, "Sources": [source] });
    put(world.consul(), "/v1/config", &body).await;
}

async fn put(consul: &Consul, path: &str, body: &Value) {
    consul.call(Method::PUT, path, body.to_string()).await.expect("taken");
}

/// The number of the certificate that the agent has for a service.
async fn serial(consul: &Consul, service: &str) -> anyhow::Result<Value> {
    let leaf = consul.get(&format!("/v1/agent/connect/ca/leaf/{service}")).await?.json()?;
    Ok(leaf["SerialNumber"].clone())
}

/// The certificates that Envoy has.
async fn certificates(world: &World) -> anyhow::Result<Vec<Value>> {
    let all = world.site.envoy.ask("/certs").await?.json()?;
    let chains =
        all["certificates"].as_array().into_iter().flatten().filter_map(|it| it["cert_chain"].as_array());
    Ok(chains.flatten().map(|certificate| certificate["serial_number"].clone()).collect())
}

#[tokio::test]
async fn an_intention_that_denies_lets_no_request_through_and_one_that_allows_lets_all() {
    let world = World::start(objects).await;
    let one = server("one");
    intend(&world, "deny").await;
    let _sidecar = sidecar(&world, &one).await;
    world.site.until_stat("cluster.meshed_gloo-system.membership_healthy", |members| members == 1).await;
    world.site.until(&Request::get(HOST, "/"), |answer| answer.status == 503).await;
    throughout("a door that is closed", CALM, async || {
        let answer = world.site.get("/").await;
        ensure!(answer.status == 503, "{}", answer.status);
        Ok(())
    })
    .await;
    assert_eq!(one.requests(), 0);
    intend(&world, "allow").await;
    world.site.until_upstream("one").await;
    intend(&world, "deny").await;
    world.site.until(&Request::get(HOST, "/"), |answer| answer.status == 503).await;
}

#[tokio::test]
async fn long_another_root_of_the_mesh_costs_no_request() {
    let world = World::on(own().await, objects).await;
    let consul = world.consul();
    let one = server("one");
    let _sidecar = sidecar(&world, &one).await;
    world.site.until_upstream("one").await;
    let shown = certificates(&world).await.expect("certificates");
    let numbers = [serial(consul, &world.service).await, serial(consul, &gate(&world.service)).await];
    let numbers = numbers.map(|number| number.expect("a leaf"));
    let load =
        Load::start(world.site.port, vec![Request::get(HOST, "/")], Rate { per_second: 50, connections: 4 });

    let mut other = consul.get("/v1/connect/ca/configuration").await.expect("it").json().expect("JSON");
    other["Config"]["PrivateKeyType"] = json!("ec");
    other["Config"]["PrivateKeyBits"] = json!(384);
    put(consul, "/v1/connect/ca/configuration", &other).await;
    for (service, before) in [world.service.clone(), gate(&world.service)].iter().zip(&numbers) {
        eventually(&format!("another certificate of {service}"), RENEWAL, async || {
            ensure!(serial(consul, service).await? != *before, "it is the same");
            Ok(())
        })
        .await;
    }
    eventually("another certificate in Envoy", RENEWAL, async || {
        let now = certificates(&world).await?;
        ensure!(!now.is_empty() && now.iter().all(|number| !shown.contains(number)), "{now:?}");
        Ok(())
    })
    .await;
    let sent = load.sent();
    eventually("traffic with both", RENEWAL, async || {
        ensure!(load.sent() > sent + 100, "{}", load.sent());
        Ok(())
    })
    .await;
    let report = load.stop();
    println!("another root: {report}");
    report.assert_clean();
}
