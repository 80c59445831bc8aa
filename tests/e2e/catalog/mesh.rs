//! Services in Consul's mesh: Envoy shows a certificate of the mesh, and believes one of the service that was asked for.

use biplane_testkit::http::Method;
use biplane_testkit::upstream::{Options, ServerTls};
use biplane_testkit::{Consul, Identity, Request, Upstream};
use serde_json::{Value, json};

use super::world::World;
use crate::harness::HOST;
use crate::harness::resources::{object, service};

/// An upstream of the mesh at `/`, and one of the same service outside the mesh at `/clear`.
fn objects(name: &str) -> Vec<String> {
    let upstream =
        |own: &str, more: &str| object("Upstream", own, &format!("consul: {{ serviceName: {name}{more} }}"));
    let to = |prefix: &str, own: &str| {
        let action = format!("single: {{ upstream: {{ name: {own} }} }}");
        format!("- {{ matchers: [{{ prefix: {prefix} }}], routeAction: {{ {action} }} }}\n")
    };
    vec![
        upstream("meshed", ", connectEnabled: true"),
        upstream("clear", ""),
        service("all", &(to("/clear", "clear") + &to("/", "meshed"))),
    ]
}

/// A server that shows the mesh's certificate of a service, and asks for one of the mesh.
async fn serve(consul: &Consul, name: &str, shown: &str) -> Upstream {
    let leaf = read(consul, &format!("/v1/agent/connect/ca/leaf/{shown}")).await;
    let roots = read(consul, "/v1/agent/connect/ca/roots").await;
    let identity = Identity { certificate: text(&leaf["CertPEM"]), key: text(&leaf["PrivateKeyPEM"]) };
    let client_authority = Some(text(&roots["Roots"][0]["RootCert"]));
    let tls = ServerTls { identity, client_authority };
    Upstream::start_with(name, Options { tls: Some(tls), ..Options::default() })
}

async fn read(consul: &Consul, path: &str) -> Value {
    consul.get(path).await.expect("an answer").json().expect("JSON")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Registers what speaks for the world's service in the mesh, in the place of what did before.
async fn speak(world: &World, server: &Upstream, service: &str, how: &Value) {
    let mut instance =
        json!({ "ID": "1", "Service": service, "Address": "127.0.0.1", "Port": server.port() });
    instance.as_object_mut().expect("it is one").extend(how.as_object().expect("so is this").clone());
    let node = format!("mesh-{}", world.service);
    let body = json!({ "Node": node, "Address": "127.0.0.1", "Service": instance });
    world.consul().call(Method::PUT, "/v1/catalog/register", body.to_string()).await.expect("taken");
}

/// An instance that speaks for itself.
async fn speak_natively(world: &World, server: &Upstream) {
    speak(world, server, &world.service, &json!({ "Connect": { "Native": true } })).await;
}

#[tokio::test]
async fn a_service_in_the_mesh_is_reached_by_its_instances_and_its_sidecars_with_certificates_on_both_sides()
{
    let world = World::start(objects).await;
    let native = serve(world.consul(), "native", &world.service).await;
    let sidecar = serve(world.consul(), "sidecar", &world.service).await;
    speak_natively(&world, &native).await;
    world.site.until_upstream("native").await;
    let told = world.site.told(&Request::get(HOST, "/")).await;
    assert_eq!(told["tls"]["client_certificate"], true, "{told}");

    let proxied = json!({ "Kind": "connect-proxy", "Proxy": { "DestinationServiceName": world.service } });
    speak(&world, &sidecar, &format!("{}-sidecar-proxy", world.service), &proxied).await;
    world.site.until_upstream("sidecar").await;
    let told = world.site.told(&Request::get(HOST, "/")).await;
    assert_eq!(told["tls"]["client_certificate"], true, "{told}");
}

#[tokio::test]
async fn an_instance_that_shows_the_certificate_of_another_service_gets_no_request() {
    let world = World::start(objects).await;
    let impostor = serve(world.consul(), "impostor", &format!("{}-other", world.service)).await;
    let honest = serve(world.consul(), "honest", &world.service).await;
    speak_natively(&world, &impostor).await;
    world.site.until_stat("cluster.meshed_gloo-system.membership_total", |members| members == 1).await;
    let answer = world.site.get("/").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    world.site.until_stat("cluster.meshed_gloo-system.ssl.fail_verify_san", |failures| failures > 0).await;
    assert_eq!(impostor.requests(), 0);

    speak_natively(&world, &honest).await;
    world.site.until_upstream("honest").await;
    assert_eq!(impostor.requests(), 0);
}

#[tokio::test]
async fn an_upstream_outside_the_mesh_does_not_reach_into_it() {
    let world = World::start(objects).await;
    let server = serve(world.consul(), "native", &world.service).await;
    speak_natively(&world, &server).await;
    world.site.until_upstream("native").await;
    world.site.until_stat("cluster.clear_gloo-system.membership_total", |members| members == 1).await;
    let before = server.requests();
    let answer = world.site.get("/clear").await;
    // A server that closes without a word makes it 503, one that complains of what is no TLS 502.
    assert!(matches!(answer.status, 502 | 503), "{} {}", answer.status, answer.text());
    assert_eq!(server.requests(), before);
}
