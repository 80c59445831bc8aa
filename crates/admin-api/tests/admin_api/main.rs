//! What clients and servers of different versions rely on: the JSON of a status, and the client's errors.

use std::net::SocketAddr;

use biplane_admin_api::resources::{Change, Expect, Filter, Operation, ResourceEvent};
use biplane_admin_api::status::{
    FleetStatus, Gate, GateState, NodeIdentity, NodeStatus, ObjectReport, Proof, Rejection, Severity,
    SourceState, SourceStatus, TypeStatus,
};
use biplane_admin_api::{Client, ClientError, Problem, ProblemKind, Resources, Status};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use futures::StreamExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant};

fn rejecting_node() -> NodeStatus {
    NodeStatus {
        id: "edge-1".into(),
        types: vec![TypeStatus { r#type: "Listener".into(), sent: 1, ..TypeStatus::default() }],
        rejected: vec![Rejection { resource: "Listener a".into(), ..Rejection::default() }],
        ..NodeStatus::default()
    }
}

#[test]
fn status_speaks_camel_case_and_reads_itself_back() {
    let status = Status {
        gate: Gate { state: GateState::Waiting, waiting_for: vec!["file:///r".into()] },
        nodes: vec![rejecting_node()],
        ..Status::default()
    };
    let value = serde_json::to_value(&status).expect("plain data");
    assert_eq!(value["gate"], json!({ "state": "waiting", "waitingFor": ["file:///r"] }));
    assert_eq!(value["startedAt"], json!("1970-01-01T00:00:00Z"));
    assert_eq!(value["nodes"][0]["types"][0]["type"], json!("Listener"));
    assert_eq!(value["nodes"][0]["inSync"], json!(false));
    assert_eq!(serde_json::from_value::<Status>(value).expect("own JSON"), status);
}

#[test]
fn a_reader_takes_what_it_knows_of_another_version() {
    let text =
        r#"{"version":"9","shards":3,"sources":[{"name":"s","state":"dreaming"}],"gate":{"state":"ajar"}}"#;
    let status: Status = serde_json::from_str(text).expect("unknown fields and words are read past");
    assert_eq!(status.version, "9");
    assert_eq!(status.sources[0].state, SourceState::Unknown);
    assert_eq!(status.gate.state, GateState::Unknown);
    assert_eq!(status.problems(), Vec::<String>::new());
}

#[test]
fn a_node_is_shown_with_what_it_has_proved_and_never_with_more() {
    let written = json!({ "by": "certificate", "who": "spiffe://example.org/fleet/edge", "until": "2027-01-31T00:00:00Z" });
    let identity: NodeIdentity = serde_json::from_value(written.clone()).expect("an identity");
    assert_eq!(identity.shown(), "certificate spiffe://example.org/fleet/edge");
    assert_eq!(serde_json::to_value(&identity).expect("plain data"), written);
    let by = |by| NodeIdentity { by, who: "nomad:job".into(), until: None }.shown();
    let all = [Proof::Token, Proof::Loopback, Proof::Nothing, Proof::Unknown].map(by);
    assert_eq!(all, ["token nomad:job", "loopback", "nothing", "-"]);
}

#[test]
fn problems_name_the_gate_the_source_the_node_and_the_errors() {
    let status = Status {
        gate: Gate { state: GateState::Waiting, waiting_for: vec!["s".into()] },
        sources: vec![SourceStatus {
            name: "s".into(),
            state: SourceState::Failed,
            last_error: Some("no such directory".into()),
            ..SourceStatus::default()
        }],
        nodes: vec![rejecting_node()],
        reports: vec![
            ObjectReport::default(),
            ObjectReport { severity: Severity::Warning, ..ObjectReport::default() },
        ],
        ..Status::default()
    };
    assert_eq!(
        status.problems(),
        [
            "nothing is served yet: waiting for s",
            "source s is failed: no such directory",
            "node edge-1 refused Listener a",
            "1 error in the configuration",
        ]
    );
}

#[test]
fn a_node_whose_fleet_has_no_gateway_is_a_problem_once_the_fleets_are_known() {
    let fleet = |name: &str| FleetStatus { name: name.into(), ..FleetStatus::default() };
    let node =
        |id: &str, fleet: &str| NodeStatus { id: id.into(), fleet: fleet.into(), ..NodeStatus::default() };
    let gate = |state| Gate { state, ..Gate::default() };
    let mut status = Status {
        gate: gate(GateState::Open),
        fleets: vec![fleet("edge"), fleet("inner")],
        nodes: vec![node("a", "edge"), node("b", "egde")],
        ..Status::default()
    };
    let told = "node b has no gateway: none is of its fleet \"egde\"; the fleets are edge, inner";
    assert_eq!(status.problems(), [told]);
    status.fleets.clear();
    assert_eq!(status.problems().len(), 2, "{:?}", status.problems());
    assert!(status.problems()[0].ends_with("; there are no gateways"), "{:?}", status.problems());
    status.gate = gate(GateState::Waiting);
    assert_eq!(status.problems(), ["nothing is served yet: waiting for its sources"]);
}

#[test]
fn a_report_keeps_every_part_of_a_finding() {
    let key = ObjectKey::new(Kind::Upstream, "default", "a");
    let finding = Report::warning(&key, FieldPath::root().field("static"), "no hosts")
        .at(Location::file("a.yaml", 3))
        .hint("add one");
    let report = ObjectReport::from(&finding);
    assert_eq!(report.to_string(), "a.yaml:3: warning: Upstream default/a: static: no hosts");
    assert_eq!(report.hint.as_deref(), Some("add one"));
}

/// A server for one connection that answers whatever is asked with `answer`, and then stays.
async fn answering(answer: impl Into<String>) -> SocketAddr {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound above");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("one client");
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        // Until the client goes.
        let _ = stream.read(&mut request).await;
    });
    address
}

/// An answer that goes on for as long as its connection.
fn endless(status: &str, kind: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}")
}

fn whole(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn the_client_reads_a_status() {
    let address =
        answering("HTTP/1.1 200 OK\r\ncontent-length: 17\r\nconnection: close\r\n\r\n{\"version\":\"1.2\"}")
            .await;
    let status = Client::new(address).status().await.expect("a status");
    assert_eq!(status.version, "1.2");
}

#[tokio::test]
async fn the_client_tells_who_is_not_ready_and_why() {
    let address = answering(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 14\r\nconnection: close\r\n\r\nwaiting for s\n",
    )
    .await;
    assert_eq!(Client::new(address).ready().await.expect("an answer"), Err("waiting for s".to_owned()));
}

#[tokio::test]
async fn another_program_is_not_taken_for_biplane() {
    let address = answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
    let error = Client::new(address).status().await.expect_err("not a status");
    assert!(matches!(error, ClientError::Unexpected { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let free =
        TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound above");
    let error = Client::new(free).status().await.expect_err("nobody listens");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_404_of_another_program_is_not_taken_for_an_object_that_is_not_there() {
    let address = answering(whole("404 Not Found", "text/html", "<h1>nginx</h1>")).await;
    let problem = Client::new(address).list(&Filter::default()).await.expect_err("no list");
    assert_eq!(problem.kind, ProblemKind::Internal);
    assert!(problem.message.contains("404: <h1>nginx</h1>"), "{problem}");
}

#[tokio::test]
async fn a_problem_of_a_later_version_is_told_with_its_own_words() {
    let body = r#"{"kind":"outOfMoney","message":"no credit","price":3,"hint":"pay"}"#;
    let address = answering(whole("402 Payment Required", "application/problem+json", body)).await;
    let problem = Client::new(address).list(&Filter::default()).await.expect_err("no list");
    assert_eq!(problem, Problem::new(ProblemKind::Internal, "no credit").hint("pay"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let began = Instant::now();
    let address = answering("").await;
    let error = Client::new(address).status().await.expect_err("silence");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}

#[tokio::test]
async fn a_watch_reads_past_events_of_a_later_version() {
    let body =
        "{\"event\":\"renamed\",\"from\":1}\n{\"event\":\"alive\",\"load\":0.5}\n{\"event\":\"put\"}\n";
    let address = answering(endless("200 OK", "application/x-ndjson", body)).await;
    let mut events = Client::new(address).watch(&Filter::default()).await.expect("watching");
    assert_eq!(events.next().await, Some(Ok(ResourceEvent::Alive)));
    let problem = events.next().await.expect("said").expect_err("half an event");
    assert_eq!(problem.kind, ProblemKind::Internal);
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_is_given_up() {
    let address = answering(endless("200 OK", "application/x-ndjson", "{\"event\":\"alive\"}\n")).await;
    let mut events = Client::new(address).watch(&Filter::default()).await.expect("watching");
    assert_eq!(events.next().await, Some(Ok(ResourceEvent::Alive)));
    let began = Instant::now();
    let problem = events.next().await.expect("said").expect_err("silence");
    assert_eq!((problem.kind, began.elapsed()), (ProblemKind::Unavailable, Duration::from_secs(45)));
    assert_eq!(events.next().await, None);
}

#[test]
fn a_misspelt_condition_does_not_become_a_change_without_one() {
    let read = |text: &str| serde_json::from_str::<Change>(text);
    let put = Operation::Put { text: "a: 1".into(), origin: String::new(), line: 0, key: None };
    let change = read(r#"{"operation":"put","text":"a: 1","expect":{"revision":3}}"#).expect("a change");
    assert_eq!(change, Change { operation: put, expect: Expect::Revision(3) });
    let key = r#""key":{"kind":"Upstream","namespace":"n","name":"a"}"#;
    for refused in [
        r#"{"operation":"put","text":"a: 1","expct":"absent"}"#.to_owned(),
        r#"{"operation":"put"}"#.to_owned(),
        r#"{"operation":"delete"}"#.to_owned(),
        format!(r#"{{"operation":"delete",{key},"text":"a: 1"}}"#),
        format!(r#"{{"operation":"forget",{key}}}"#),
    ] {
        assert!(read(&refused).is_err(), "{refused}");
    }
}
