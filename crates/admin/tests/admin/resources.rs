//! Reading and changing resources: by the real client, and as people do it with curl.

use biplane_admin_api::resources::{
    Action, ApplyRequest, Change, Expect, Filter, Name, Operation, ResourceEvent, ValidationFinding,
};
use biplane_admin_api::status::{ObjectReport, Severity};
use biplane_admin_api::{Problem, ProblemKind, Resources};
use biplane_core::key::Kind;
use futures::StreamExt as _;

use crate::plane::{HELD_TAG, SOURCE};
use crate::server::Server;
use crate::shelf::{document, key};

fn put(kind: Kind, name: &str, value: &str, expect: Expect) -> Change {
    let operation =
        Operation::Put { text: document(kind, name, value), origin: "a.yaml".into(), line: 3, key: None };
    Change { operation, expect }
}

fn request(changes: Vec<Change>) -> ApplyRequest {
    ApplyRequest { changes, author: "ann".into(), message: "why".into(), ..ApplyRequest::default() }
}

#[tokio::test]
async fn the_client_does_over_http_all_that_resources_can() {
    let server = Server::open().await;
    let client = server.client();
    let upstream = key(Kind::Upstream, "a");
    let changes = vec![
        put(Kind::Upstream, "a", "1", Expect::Absent),
        put(Kind::Upstream, "größe & ?=%", "1", Expect::Anything),
    ];
    let applied = client.apply(&request(changes)).await.expect("applied");
    assert_eq!(applied.changes.iter().map(|change| change.action).collect::<Vec<_>>(), [Action::Created; 2]);

    let read = Resources::get(&client, &upstream).await.expect("there");
    assert_eq!((read.revision, read.text), (applied.revision, document(Kind::Upstream, "a", "1")));
    let odd = key(Kind::Upstream, "größe & ?=%");
    assert!(Resources::get(&client, &odd).await.is_err(), "white space is in no name");

    let listed =
        client.list(&Filter { selector: Some("app=a".parse().expect("one")), ..Filter::default() }).await;
    assert_eq!(listed.expect("listed").items.len(), 1);

    let second = request(vec![put(Kind::Upstream, "a", "2", Expect::Revision(read.revision))]);
    let dry = client.apply(&ApplyRequest { dry_run: true, ..second.clone() }).await.expect("tried");
    assert_eq!((dry.dry_run, server.shelf.revision()), (true, applied.revision));
    client.apply(&second).await.expect("applied");
    assert_eq!(server.shelf.author(), "127.0.0.1 (ann)");

    let versions = client.history(&upstream).await.expect("known");
    assert_eq!(versions.iter().map(|version| version.revision).collect::<Vec<_>>(), [2, 1]);
    client.rollback(&upstream, 1, "bob", false).await.expect("rolled back");
    assert_eq!(
        Resources::get(&client, &upstream).await.expect("there").text,
        document(Kind::Upstream, "a", "1")
    );
    assert_eq!(server.shelf.author(), "127.0.0.1 (bob)");

    assert_eq!(client.init().await.expect("marked"), "identity-1");
    let moved = client.accept(SOURCE, Some("another"), "ann").await.expect_err("it has moved");
    assert_eq!(moved.kind, ProblemKind::Conflict);
    let accepted = client.accept(SOURCE, Some(HELD_TAG), "ann").await.expect("accepted");
    assert_eq!((accepted.source.as_str(), accepted.removals), (SOURCE, 1));
    assert_eq!(client.accept("other", None, "ann").await.expect_err("none").kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn a_watch_lists_and_then_tells_what_happens() {
    let server = Server::open().await;
    server.shelf.put(Kind::Upstream, "a", "1").await;
    server.shelf.put(Kind::RouteTable, "a", "1").await;
    let filter = Filter { kind: Some(Kind::Upstream), ..Filter::default() };
    let mut events = server.client().watch(&filter).await.expect("watching");
    let mut next = async || events.next().await.expect("open").expect("no problem");
    assert!(matches!(next().await, ResourceEvent::Put { resource } if resource.name == "a"));
    assert_eq!(next().await, ResourceEvent::Listed { revision: 2 });
    server.shelf.put(Kind::Upstream, "b", "1").await;
    assert!(matches!(next().await, ResourceEvent::Put { resource } if resource.name == "b"));
    let name = Name { kind: Kind::Upstream, namespace: "default".into(), name: "b".into() };
    let delete = Change { operation: Operation::Delete { key: name }, expect: Expect::Anything };
    server.client().apply(&request(vec![delete])).await.expect("deleted");
    assert!(matches!(next().await, ResourceEvent::Deleted { name, revision: 4, .. } if name == "b"));
}

#[tokio::test]
async fn every_kind_of_problem_comes_back_as_it_went_in() {
    for kind in ProblemKind::ALL {
        let server = Server::open().await;
        let report =
            ObjectReport { message: "no hosts".into(), severity: Severity::Error, ..ObjectReport::default() };
        let problem = Problem {
            found: Some(7),
            findings: vec![ValidationFinding { new: true, report }],
            ..Problem::new(kind, "what and why").hint("what to try").of((&key(Kind::Upstream, "a")).into())
        };
        server.shelf.fail(problem.clone());
        let client = server.client();
        assert_eq!(client.list(&Filter::default()).await.expect_err("told to fail"), problem);
        assert_eq!(
            Resources::get(&client, &key(Kind::Upstream, "a")).await.expect_err("told to fail"),
            problem
        );
        assert_eq!(client.apply(&request(Vec::new())).await.expect_err("told to fail"), problem);
        assert_eq!(client.history(&key(Kind::Upstream, "a")).await.expect_err("told to fail"), problem);
        let rollback = client.rollback(&key(Kind::Upstream, "a"), 1, "", true).await;
        assert_eq!(rollback.expect_err("told to fail"), problem);
        assert_eq!(client.watch(&Filter::default()).await.map(|_| ()).expect_err("told to fail"), problem);
        assert_eq!(client.init().await.expect_err("told to fail"), problem);
        assert_eq!(server.get("/v1/resources").await.status, kind.status());
    }
}

#[tokio::test]
async fn a_document_is_put_read_and_deleted_with_curl() {
    let server = Server::open().await;
    let path = "/v1/resources/upstreams/default/a";
    let text = document(Kind::Upstream, "a", "1");
    let created =
        server.ask("PUT", &format!("{path}?message=first%20try"), &[("If-None-Match", "*")], &text).await;
    assert_eq!((created.status, created.header("etag")), (200, Some("\"1\"")));
    let read = server.get("/v1/resources/us/default/a").await;
    assert_eq!(
        (read.status, read.header("etag"), &read.json()["text"]),
        (200, Some("\"1\""), &text.clone().into())
    );
    let tried = server.ask("PUT", &format!("{path}?dryRun=true"), &[], &text).await;
    assert_eq!((tried.status, &tried.json()["dryRun"], tried.header("etag")), (200, &true.into(), None));
    let changed = server.ask("PUT", path, &[("If-Match", "\"1\"")], &text).await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    let history = server.get(&format!("{path}/history")).await;
    assert_eq!(history.json()[1]["message"], "first try");
    let gone = server.ask("DELETE", path, &[], "").await;
    assert_eq!((gone.status, &gone.json()["changes"][0]["action"]), (200, &"deleted".into()));
    assert_eq!(server.get(path).await.status, 404);
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_412_and_one_of_a_body_409() {
    let server = Server::open().await;
    server.shelf.put(Kind::Upstream, "a", "1").await;
    let path = "/v1/resources/Upstream/default/a";
    let text = document(Kind::Upstream, "a", "2");
    for condition in [("If-Match", "\"9\""), ("If-None-Match", "*")] {
        let answer = server.ask("PUT", path, &[condition], &text).await;
        assert_eq!(
            (answer.status, answer.kind().as_str(), &answer.json()["found"]),
            (412, "conflict", &1.into())
        );
    }
    let late = request(vec![put(Kind::Upstream, "a", "2", Expect::Revision(9))]);
    let body = serde_json::to_string(&late).expect("plain data");
    assert_eq!(server.ask("POST", "/v1/apply", &[], &body).await.status, 409);
    let problem = server.client().apply(&late).await.expect_err("late");
    assert_eq!((problem.kind, problem.found), (ProblemKind::Conflict, Some(1)));
    assert_eq!(server.shelf.revision(), 1);
}

#[tokio::test]
async fn what_cannot_be_understood_changes_nothing_and_says_why() {
    let server = Server::open().await;
    let path = "/v1/resources/Upstream/default/a";
    let text = document(Kind::Upstream, "a", "s3cret");
    for (method, path, header, body, status) in [
        ("PUT", path, ("If-Match", "1"), text.as_str(), 400),
        ("PUT", path, ("If-Match", "W/\"1\""), text.as_str(), 400),
        ("PUT", path, ("If-None-Match", "\"1\""), text.as_str(), 400),
        ("PUT", "/v1/resources/Upstream/default/a?dryrun=true", ("X", "y"), text.as_str(), 400),
        ("PUT", "/v1/resources/Upstream/default/a?dryRun=yes", ("X", "y"), text.as_str(), 400),
        ("PUT", "/v1/resources/Upstream/default/a%2Fb", ("X", "y"), text.as_str(), 400),
        ("PUT", "/v1/resources/Upstream/../a", ("X", "y"), text.as_str(), 400),
        ("PUT", "/v1/resources/Upstraem/default/a", ("X", "y"), text.as_str(), 404),
        ("PUT", "/v1/resources/Upstream/default/b", ("X", "y"), text.as_str(), 422),
        ("POST", "/v1/apply", ("X", "y"), "{", 400),
        ("POST", "/v1/apply", ("X", "y"), r#"{"changes":[],"dryrun":true}"#, 400),
        (
            "POST",
            "/v1/apply",
            ("X", "y"),
            r#"{"changes":[{"operation":"put","text":"s3cret","tekst":"s3cret"}]}"#,
            400,
        ),
        (
            "POST",
            "/v1/apply",
            ("X", "y"),
            r#"{"changes":[{"operation":"put","text":"s3cret","expact":"absent"}]}"#,
            400,
        ),
        ("POST", "/v1/apply?force=true", ("X", "y"), r#"{"changes":[]}"#, 400),
        ("POST", "/v1/init?dryRun=true", ("X", "y"), "", 400),
        ("GET", "/v1/resources?kind=pod", ("X", "y"), "", 400),
        ("GET", "/v1/resources?selector=%3Dx", ("X", "y"), "", 400),
        ("GET", "/v1/watch?label=x", ("X", "y"), "", 400),
    ] {
        let answer = server.ask(method, path, &[header], body).await;
        assert_eq!(answer.status, status, "{method} {path} {header:?} {}", answer.body);
        assert!(!answer.body.contains("s3cret"), "{}", answer.body);
    }
    assert!(server.get("/v1/resources?kind=Upstraem").await.body.contains("did you mean Upstream?"));
    assert_eq!(server.shelf.revision(), 0);
}

#[tokio::test]
async fn a_change_reads_what_it_writes() {
    let delete =
        Operation::Delete { key: Name { kind: Kind::Secret, namespace: "n".into(), name: "s".into() } };
    for expect in [Expect::Anything, Expect::Absent, Expect::Revision(3)] {
        let whole = request(vec![
            put(Kind::Upstream, "a", "1", expect),
            Change { operation: delete.clone(), expect },
        ]);
        let text = serde_json::to_string(&whole).expect("plain data");
        assert_eq!(serde_json::from_str::<ApplyRequest>(&text).expect(&text), whole);
    }
}
