//! `serve`, `status` and `quickstart`: processes, signals, and what is told about them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

use biplane_testkit::{envoy, eventually};
use rustix::process::Signal;
use serde_json::Value;

use crate::server::{PATIENCE, Server};
use crate::support::Place;

const GATEWAY: &str = "kind: Gateway\nmetadata: {name: web}\nspec: {bindPort: 8080, httpGateway: {}}\n";

#[tokio::test]
async fn serve_ends_with_0_on_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::with(&[("resources/gateway.yaml", GATEWAY)]);
        let mut server = Server::start(&place, "resources", &[], &[]).await;
        server.signal(Signal::HUP);
        server.signal(signal);
        let log = || fs::read_to_string(place.path("log")).unwrap_or_default();
        assert_eq!(server.end().await, Some(0), "{}", log());
    }
}

#[tokio::test]
async fn the_service_manager_hears_ready_though_the_store_is_down_and_stopping() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).expect("a socket");
    socket.set_nonblocking(true).expect("a flag");
    let path = place.path("notify");
    let server =
        Server::start(&place, "resources", &[], &[("NOTIFY_SOCKET", path.to_str().expect("text"))]).await;
    until_told(&socket, "READY=1").await;
    server.signal(Signal::TERM);
    until_told(&socket, "STOPPING=1").await;
}

/// Reads what the service manager is told until a message has this in it.
async fn until_told(socket: &UnixDatagram, part: &str) -> String {
    eventually(part, PATIENCE, async || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer)?;
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        anyhow::ensure!(message.contains(part), "{message}");
        Ok(message)
    })
    .await
}

#[tokio::test]
async fn reload_refuses_what_is_wrong_says_so_and_ends_with_1() {
    let place = Place::with(&[
        ("resources/gateway.yaml", GATEWAY),
        ("biplane.yaml", "store: resources\nlog: info\n"),
    ]);
    let socket = UnixDatagram::bind(place.path("notify")).expect("a socket");
    socket.set_nonblocking(true).expect("a flag");
    let path = place.path("notify");
    let server =
        Server::start(&place, "resources", &[], &[("NOTIFY_SOCKET", path.to_str().expect("text"))]).await;
    until_told(&socket, "STATUS=serving ").await;
    let pid = server.pid().as_raw_nonzero().to_string();

    place.write("biplane.yaml", "store: resources\nlog: debug\ndrain: 1s\n");
    let run = place.run(&["reload", "--pid", &pid]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(until_told(&socket, "RELOADING=1").await.contains("MONOTONIC_USEC="));
    let told = until_told(&socket, "READY=1").await;
    assert!(told.contains("changed, takes a restart: drain"), "{told}");

    place.write(
        "resources/bad.yaml",
        "kind: Gateway\nmetadata: {name: bad}\nspec: {bindPort: 0, httpGateway: {}}\n",
    );
    let run = place.run(&["reload", "--pid", &pid]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("bad.yaml:3: error: Gateway gloo-system/bad: bindPort"), "{run:?}");
    let told = until_told(&socket, "reload refused: ").await;
    assert!(told.contains("Gateway gloo-system/bad: bindPort") && told.contains("READY=1"), "{told}");

    place.write("biplane.yaml", "stor: resources\n");
    let run = place.run(&["reload", "--pid", &pid]);
    assert_eq!(run.code, Some(2), "{run:?}");
    until_told(&socket, "there is no setting").await;
}

#[test]
fn reload_of_nobody_says_which_process_it_wants() {
    let run = Place::new().run(&["reload"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    assert!(run.stderr.contains("hint: systemctl reload biplane"), "{}", run.stderr);
}

#[tokio::test]
async fn status_tells_what_is_wrong_and_says_so_by_its_exit_code() {
    let place = Place::with(&[("resources/gateway.yaml", GATEWAY)]);
    let server = Server::start(&place, "resources", &[], &[]).await;
    let admin = server.admin.to_string();
    let well = eventually("the status is good", PATIENCE, async || {
        let run = place.run(&["status", "--admin", &admin]);
        anyhow::ensure!(run.code == Some(0), "{run:?}");
        Ok(run)
    });
    assert!(well.await.stdout.contains(", ready, gate open, "));
    place.write(
        "resources/bad.yaml",
        "kind: Gateway\nmetadata: {name: bad}\nspec: {bindPort: 0, httpGateway: {}}\n",
    );
    let wrong = eventually("the mistake is told", PATIENCE, async || {
        let run = place.run(&["status", "--admin", &admin]);
        anyhow::ensure!(run.code == Some(1), "{run:?}");
        Ok(run)
    })
    .await;
    assert!(wrong.stdout.contains("bad.yaml:3: error: Gateway gloo-system/bad: bindPort: "), "{wrong:?}");
    assert!(wrong.stderr.contains("1 error in the configuration"), "{wrong:?}");
    let machine = place.run(&["status", "--admin", &admin, "-o", "json"]);
    assert_eq!((machine.code, machine.json()["ready"].as_bool()), (Some(1), Some(true)));
}

#[test]
fn status_of_nobody_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").to_string();
    let run = Place::new().run(&["status", "--admin", &free]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{run:?}");
    assert!(run.stderr.contains("hint: start it with `biplane serve`"), "{}", run.stderr);
}

#[test]
fn serve_refuses_what_it_cannot_do_and_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let place = Place::new();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--store", "etcd://root:canary@127.0.0.1:2379"], 2, "must not carry a user's password"),
        (&["--store", "."], 4, &address),
        (&["--store", "."], 4, "hint: another process listens there; choose another address with --xds"),
        (&["--admin", "0.0.0.0:9978"], 2, "not on loopback"),
        (&["--log", "no=such=filter"], 2, "no log filter"),
        (&["--store", "s3://bucket"], 2, "hint: etcd://HOST:2379/ROOT, consul://"),
    ];
    for (flags, code, word) in cases {
        let xds = if flags.contains(&".") { address.as_str() } else { "127.0.0.1:0" };
        let arguments: Vec<_> = ["serve", "--xds", xds].iter().chain(flags).copied().collect();
        let run = place.run_with(&[("BIPLANE_LOG_FORMAT", "json")], &arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{flags:?}: {run:?}");
        assert!(run.stderr.contains(word), "{flags:?}: {}", run.stderr);
        assert!(!run.stderr.contains("canary"), "{}", run.stderr);
    }
}

#[test]
fn quickstart_answers_one_request_through_a_real_envoy() {
    let envoy = envoy::binary();
    let run = Place::new().run(&["quickstart", "--once", "--envoy", envoy.to_str().expect("text")]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let lines: Vec<_> = run.stdout.lines().collect();
    let [request, status, body] = lines[..] else { panic!("{run:?}") };
    assert!(request.starts_with("GET http://127.0.0.1:") && request.ends_with("/hello"), "{request}");
    assert_eq!(status, "200");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&body["upstream"], &body["path"]), (&"demo".into(), &"/hello".into()));
}

#[test]
fn quickstart_without_an_envoy_says_what_to_do() {
    let run = Place::new().run(&["quickstart", "--once", "--envoy", "/nowhere/envoy"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    assert!(run.stderr.starts_with("error: cannot run Envoy (/nowhere/envoy): "), "{}", run.stderr);
    assert!(run.stderr.contains("hint: `cargo xtask quickstart` installs an Envoy"), "{}", run.stderr);
}
