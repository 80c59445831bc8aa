//! What clients and servers of different versions rely on: the JSON of a status, and the client's errors.

use std::net::SocketAddr;

use biplane_admin_api::status::{
    FleetStatus, Gate, GateState, NodeStatus, ObjectReport, Rejection, Severity, SourceState, SourceStatus,
    TypeStatus,
};
use biplane_admin_api::{Client, ClientError, Status};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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

/// A server for one connection that answers whatever is asked with `answer`.
async fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound above");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("one client");
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer.as_bytes()).await;
    });
    address
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
