//! What people read of services and endpoints, while their source answers and while it is away.

use anyhow::ensure;
use biplane_testkit::{Output, Upstream, biplane, eventually};
use serde_json::{Value, json};

use super::world::{Instance, PATIENCE, World};
use crate::harness::resources::{object, service};

fn objects(name: &str) -> Vec<String> {
    let route = "- { routeAction: { single: { upstream: { name: web } } } }";
    vec![object("Upstream", "web", &format!("consul: {{ serviceName: {name} }}")), service("all", route)]
}

/// `biplane get`, which must succeed.
async fn get(world: &World, arguments: &[&str]) -> String {
    let output = run(world, arguments).await;
    assert_eq!(output.code, 0, "{output:?}");
    output.stdout
}

async fn run(world: &World, arguments: &[&str]) -> Output {
    let admin = world.site.biplane.admin().to_string();
    biplane::run_with([&["get"], arguments].concat(), &[("BIPLANE_ADMIN", &admin)], "").await
}

/// The words of each line of a table.
async fn table(world: &World, arguments: &[&str]) -> Vec<Vec<String>> {
    let printed = get(world, arguments).await;
    printed.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// Waits until the only entry of a list is as wanted.
async fn until_entry(world: &World, arguments: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
    let arguments = [arguments, &["-o", "json"]].concat();
    eventually(&format!("{arguments:?}"), PATIENCE, async || {
        let output = run(world, &arguments).await;
        let all: Value = serde_json::from_str(&output.stdout)?;
        ensure!(all.as_array().is_some_and(|all| all.len() == 1) && wanted(&all[0]), "{all:#}");
        Ok(all[0].clone())
    })
    .await
}

/// For two seconds and more.
fn is_away(entry: &Value) -> bool {
    let says = entry["lastError"].as_str().is_some_and(|error| error.contains("cannot be reached"));
    says && entry["ageSeconds"].as_u64() >= Some(2)
}

#[tokio::test]
async fn services_and_endpoints_are_shown_with_their_health_and_users_and_how_old_that_is_while_the_source_is_away()
 {
    let world = World::start(objects).await;
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let name = world.service.as_str();
    let host = format!("{name}.example.com");
    let claim = format!("biplane.hosts={host}");
    let tags = ["biplane.enable=true", claim.as_str()];
    world.put(&Instance::of("1", &one).tags(&tags)).await;
    world.put(&Instance::of("2", &two).tags(&tags).status("critical")).await;

    let is_whole = |it: &Value| it["instances"] == 2 && it["healthy"] == 1 && it["hosts"] == json!([host]);
    let service = until_entry(&world, &["services", name], is_whole).await;
    let users = service["users"].as_array().cloned().unwrap_or_default();
    assert!(users.contains(&json!("Upstream gloo-system/web")), "{service:#}");
    assert_eq!((&service["ageSeconds"], &service["lastError"]), (&json!(0), &Value::Null), "{service:#}");
    let shown = table(&world, &["services", name]).await;
    assert_eq!(shown[0].join(" "), "SOURCE NAMESPACE SERVICE HEALTHY CANARIES HOSTS FINDINGS AGE STATE");
    assert_eq!(shown[1], ["consul", "-", name, "1/2", "-", &host, "-", "now", "watched"]);

    let known = until_entry(&world, &["endpoints", "web"], |it| it["state"] == "complete").await;
    let shown = table(&world, &["endpoints", "web"]).await;
    assert_eq!(shown[0].join(" "), "UPSTREAM ADDRESS HEALTH SOURCE AGE STATE USED BY");
    let row = |server: &Upstream, health: &str| {
        format!(
            "gloo-system/web 127.0.0.1:{} {health} consul now complete VirtualService gloo-system/all",
            server.port()
        )
    };
    let mut rows: Vec<_> = shown[1..].iter().map(|row| row.join(" ")).collect();
    rows.sort();
    let mut expected = [row(&one, "healthy"), row(&two, "unhealthy")];
    expected.sort();
    assert_eq!(rows, expected);

    world.link.cut();
    let away = until_entry(&world, &["endpoints", "web"], is_away).await;
    assert_eq!(away["state"], "failed");
    assert_eq!((&away["endpoints"], &away["users"]), (&known["endpoints"], &known["users"]));
    assert!(away["hint"].as_str().is_some_and(|hint| hint.contains("CONSUL_HTTP_ADDR")), "{away:#}");
    let away = until_entry(&world, &["services", name], is_away).await;
    for field in ["instances", "healthy", "hosts", "users"] {
        assert_eq!(away[field], service[field], "{field}");
    }
    let wide = get(&world, &["services", name, "-o", "wide"]).await;
    assert!(wide.contains("its source fails") && wide.contains("cannot be reached"), "{wide}");
    world.link.heal();
    until_entry(&world, &["services", name], |it| it["lastError"].is_null() && it["ageSeconds"] == 0).await;

    let unknown = run(&world, &["services", "nothing"]).await;
    assert!(unknown.code == 6 && unknown.stderr.contains("no such service"), "{unknown:?}");
}
