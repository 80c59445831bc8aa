//! Connections to real servers: whom they trust, what they show, where they go, and that they are made anew.

use std::fs;
use std::time::{Duration, SystemTime};

use biplane_agent::{Reach, Tls, Transport, Way, root_cause};
use biplane_testkit::upstream::{Options, ServerTls};
use biplane_testkit::{Authority, TempDir, Upstream, eventually};

fn reach(way: Way, tls: Tls) -> Reach {
    let connect_timeout = Duration::from_secs(5);
    Reach { server: "Test", way, tls, connect_timeout, idle_timeout: None, keepalive: true }
}

/// With a deadline, as every client has one: a connection that is refused after its handshake may leave a request behind.
async fn get(transport: &Transport, url: &str) -> Result<u16, String> {
    let answer = transport.http().get(url).timeout(Duration::from_secs(2)).send().await;
    answer.map(|answer| answer.status().as_u16()).map_err(|error| root_cause(&error))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let [here, there] = ["here", "there"].map(Upstream::start);
    let location = ("location".to_owned(), format!("http://{}", there.address()));
    here.behave(|behaviour| (behaviour.status, behaviour.headers) = (307, vec![location]));
    let transport = Transport::new(reach(Way::Plain, Tls::default())).expect("no files");
    assert_eq!(get(&transport, &format!("http://{}", here.address())).await, Ok(307));
    assert_eq!(there.requests(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_is_asked_whatever_the_request_is_made_for() {
    let directory = TempDir::new("agent-socket");
    let path = directory.join("api.sock");
    let options = Options { socket: Some(path.clone()), ..Options::default() };
    let _server = Upstream::start_with("socket", options);
    let transport = Transport::new(reach(Way::Unix(path), Tls::default())).expect("no files");
    assert_eq!(get(&transport, "http://localhost").await, Ok(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_with_another_name_than_the_address_is_known_by_that_name() {
    let directory = TempDir::new("agent-name");
    let authority = Authority::new("agent");
    let server = Upstream::start_tls("named", &authority.issue(&["server.global"]));
    let ca_file = directory.join("ca.pem");
    fs::write(&ca_file, authority.certificate()).expect("write");
    let way = Way::Tls { host: "127.0.0.1".into(), port: server.port() };
    let tls = Tls { ca_file: Some(ca_file), server_name: Some("server.global".into()), ..Tls::default() };
    let [by_address, by_name] = ["127.0.0.1", "server.global"].map(|name| {
        let url = format!("https://{name}:{}", server.port());
        (url, Transport::new(reach(way.clone(), tls.clone())).expect("good files"))
    });
    assert_eq!(get(&by_name.1, &by_name.0).await, Ok(200));
    get(&by_address.1, &by_address.0).await.expect_err("the certificate is for another name");
    let unverified = Tls { verify: false, ..Tls::default() };
    let blind = Transport::new(reach(way, unverified)).expect("no files");
    assert_eq!(get(&blind, &by_address.0).await, Ok(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_replaced_is_shown_by_the_next_connection() {
    let directory = TempDir::new("agent-renewal");
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let tls = ServerTls {
        identity: ours.issue(&["localhost"]),
        client_authority: Some(ours.certificate().to_owned()),
    };
    let server = Upstream::start_with("mutual", Options { tls: Some(tls), ..Options::default() });
    let (ca_file, both) = (directory.join("ca.pem"), directory.join("client.pem"));
    let show = |authority: &Authority| {
        let client = authority.issue(&["biplane"]);
        fs::write(&both, format!("{}\n{}", client.certificate, client.key)).expect("write");
    };
    fs::write(&ca_file, ours.certificate()).expect("write");
    show(&theirs);
    let tls = Tls { ca_file: Some(ca_file), cert_file: Some(both.clone()), ..Tls::default() };
    let way = Way::Tls { host: "localhost".into(), port: server.port() };
    let transport = Transport::new(reach(way, tls)).expect("good files");
    let url = format!("https://localhost:{}", server.port());
    get(&transport, &url).await.expect_err("a stranger's certificate");
    show(&ours);
    // Two writes may fall into one tick of the file system's clock, which nobody could tell apart.
    let replaced = fs::File::options().append(true).open(&both).expect("it was written");
    replaced.set_modified(SystemTime::now() + Duration::from_secs(1)).expect("a time");
    eventually("the new certificate", Duration::from_secs(20), async || {
        get(&transport, &url).await.map_err(anyhow::Error::msg)
    })
    .await;
}
