//! Who may do what.

use std::io::ErrorKind;
use std::sync::Arc;

use biplane_admin::{Access, AccessOptions, Listener, serve};
use biplane_admin_api::client::{ClientOptions, Token};
use biplane_admin_api::resources::{ApplyRequest, Filter};
use biplane_admin_api::{Client, ProblemKind, Resources};
use biplane_core::key::Kind;
use tokio_util::sync::CancellationToken;

use crate::contract::Contract;
use crate::plane::{Plane, SOURCE};
use crate::server::{Server, Tokens, anonymous, bearer};
use crate::shelf::{document, key};

const UPSTREAM: &str = "/v1/resources/Upstream/default/a";

/// All that changes something, with what it takes.
fn changes() -> Vec<(&'static str, String, String)> {
    let text = document(Kind::Upstream, "a", "1");
    vec![
        ("PUT", UPSTREAM.to_owned(), text),
        ("DELETE", UPSTREAM.to_owned(), String::new()),
        ("POST", format!("{UPSTREAM}/rollback"), r#"{"revision":1}"#.to_owned()),
        ("POST", "/v1/apply".to_owned(), r#"{"changes":[]}"#.to_owned()),
        ("POST", "/v1/init".to_owned(), String::new()),
        (
            "POST",
            format!("/v1/sources/{}/accept", SOURCE.replace('/', "%2F").replace(' ', "%20")),
            String::new(),
        ),
    ]
}

const READS: [&str; 4] =
    ["/v1/resources", UPSTREAM, "/v1/resources/Upstream/default/a/history", "/v1/resources?kind=us"];

async fn with_upstream(access: &AccessOptions) -> Server {
    let server = Server::start(Plane::default(), access).await;
    server.shelf.put(Kind::Upstream, "a", "1").await;
    server
}

#[tokio::test]
async fn without_tokens_loopback_reads_and_changes_nothing() {
    let server = with_upstream(&AccessOptions::default()).await;
    for path in READS {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for (method, path, body) in changes() {
        let answer = server.ask(method, &path, &[], &body).await;
        assert_eq!((answer.status, answer.kind().as_str()), (401, "unauthenticated"), "{method} {path}");
        assert!(answer.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
        assert!(answer.json()["hint"].as_str().expect("a hint").contains("adminAnonymousWrite"));
    }
    assert_eq!(server.shelf.revision(), 1);
}

#[tokio::test]
async fn a_setting_for_development_lets_loopback_write() {
    let server = with_upstream(&anonymous()).await;
    for (method, path, body) in changes() {
        let status = server.ask(method, &path, &[], &body).await.status;
        assert_eq!(status, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn with_tokens_the_role_decides_and_without_one_only_the_state_is_shown() {
    let tokens = Tokens::new();
    let server = with_upstream(&tokens.access()).await;
    let (reader, writer) = (bearer(&tokens.reader), bearer(&tokens.writer));
    for path in READS {
        assert_eq!(server.get(path).await.status, 401, "{path}");
        assert_eq!(server.ask("GET", path, &[("Authorization", &reader)], "").await.status, 200, "{path}");
        assert_eq!(server.ask("GET", path, &[("authorization", &writer)], "").await.status, 200, "{path}");
    }
    for path in ["/live", "/ready", "/metrics", "/v1/status", "/v1/openapi.json", "/"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for (method, path, body) in changes() {
        assert_eq!(server.ask(method, &path, &[], &body).await.status, 401, "{method} {path}");
        let answer = server.ask(method, &path, &[("Authorization", &reader)], &body).await;
        assert_eq!((answer.status, answer.kind().as_str()), (403, "forbidden"), "{method} {path}");
    }
    assert_eq!(server.shelf.revision(), 1);
    for (method, path, body) in changes() {
        assert_eq!(
            server.ask(method, &path, &[("Authorization", &writer)], &body).await.status,
            200,
            "{method} {path}"
        );
    }
    assert_eq!(server.shelf.author(), "ci");
}

#[tokio::test]
async fn whoever_may_read_may_try_out() {
    let tokens = Tokens::new();
    let server = with_upstream(&tokens.access()).await;
    let client = server.client_with(&tokens.reader);
    let dry = ApplyRequest { dry_run: true, ..ApplyRequest::default() };
    assert!(client.apply(&dry).await.expect("tried").dry_run);
    assert!(client.rollback(&key(Kind::Upstream, "a"), 1, "", true).await.expect("tried").dry_run);
    let reader = bearer(&tokens.reader);
    let text = document(Kind::Upstream, "a", "2");
    let path = format!("{UPSTREAM}?dryRun=true");
    assert_eq!(server.ask("PUT", &path, &[("Authorization", &reader)], &text).await.status, 200);
    assert_eq!(server.ask("DELETE", &path, &[("Authorization", &reader)], "").await.status, 200);
    let apply =
        server.ask("POST", "/v1/apply?dryRun=true", &[("Authorization", &reader)], r#"{"changes":[]}"#).await;
    assert_eq!((apply.status, &apply.json()["dryRun"]), (200, &true.into()));
    assert_eq!(server.shelf.revision(), 1);
    assert_eq!(
        client.apply(&ApplyRequest::default()).await.expect_err("no dry run").kind,
        ProblemKind::Forbidden
    );
}

#[tokio::test]
async fn a_token_that_is_not_known_is_refused_where_none_would_do() {
    let tokens = Tokens::new();
    let access = AccessOptions { anonymous_write: true, ..tokens.access() };
    let server = with_upstream(&access).await;
    let almost = format!("{}x", tokens.writer);
    for value in [bearer(&almost), bearer(""), tokens.writer.clone(), format!("Basic {}", tokens.writer)] {
        let answer = server.ask("GET", "/v1/resources", &[("Authorization", &value)], "").await;
        assert_eq!(answer.status, 401, "{value}");
        assert!(!answer.body.contains(&tokens.writer), "{}", answer.body);
    }
    assert_eq!(server.get("/v1/resources").await.status, 200);
    // A probe asks with the token that it once was given.
    assert_eq!(server.ask("GET", "/ready", &[("Authorization", &bearer(&almost))], "").await.status, 200);
}

#[tokio::test]
async fn a_token_ends_with_its_line() {
    let tokens = Tokens::new();
    let server = with_upstream(&tokens.access()).await;
    let client = server.client_with(&tokens.writer);
    client.list(&Filter::default()).await.expect("known");
    std::fs::write(tokens.path(), "# nobody\n").expect("written");
    let problem = client.list(&Filter::default()).await.expect_err("not known any more");
    assert_eq!(problem.kind, ProblemKind::Unauthenticated);
}

#[tokio::test]
async fn a_request_for_a_name_of_somebody_else_is_refused_unless_a_token_comes_with_it() {
    let tokens = Tokens::new();
    let server = with_upstream(&tokens.access()).await;
    let lured = ("Host", "evil.example");
    for path in ["/v1/status", "/live", "/nothing", "/"] {
        let answer = server.ask("GET", path, &[lured], "").await;
        assert_eq!(answer.status, 421, "{path}");
        assert!(!answer.body.contains("startedAt"), "{}", answer.body);
    }
    let reader = bearer(&tokens.reader);
    let known = server.ask("GET", "/v1/status", &[lured, ("Authorization", &reader)], "").await;
    assert_eq!(known.status, 200);
    let made_up = server.ask("GET", "/live", &[lured, ("Authorization", "Bearer x")], "").await;
    assert_eq!(made_up.status, 421);
}

#[tokio::test]
async fn a_browser_changes_nothing_without_a_token_and_the_same_origin() {
    let tokens = Tokens::new();
    let access = AccessOptions { anonymous_write: true, ..tokens.access() };
    let server = with_upstream(&access).await;
    let writer = bearer(&tokens.writer);
    let authorization = ("Authorization", writer.as_str());
    let from = |origin: &'static str| [("Host", "localhost:9978"), ("Origin", origin)];
    let body = r#"{"changes":[]}"#;
    for headers in [
        from("http://evil.example").to_vec(),
        from("http://localhost:9978").to_vec(),
        [&from("http://evil.example")[..], &[authorization]].concat(),
        [&from("http://localhost:9978")[..], &[authorization, ("Sec-Fetch-Site", "same-site")]].concat(),
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "same-origin")],
        vec![("Sec-Fetch-Site", "none"), authorization],
    ] {
        let answer = server.ask("POST", "/v1/apply", &headers, body).await;
        assert_eq!((answer.status, answer.kind().as_str()), (403, "forbidden"), "{headers:?}");
    }
    for headers in [
        [&from("http://localhost:9978")[..], &[authorization]].concat(),
        vec![("Sec-Fetch-Site", "same-origin"), authorization],
        Vec::new(),
    ] {
        assert_eq!(server.ask("POST", "/v1/apply", &headers, body).await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn no_page_of_another_origin_may_read() {
    let server = with_upstream(&AccessOptions::default()).await;
    let answer = server.ask("GET", "/v1/resources", &[("Origin", "http://evil.example")], "").await;
    assert!(
        answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")),
        "{:?}",
        answer.headers
    );
    let asked = server
        .send(&crate::raw::request("OPTIONS", "/v1/apply", &[("Origin", "http://evil.example")], ""))
        .await;
    assert_eq!(asked.expect("an answer").status, 403);
}

#[tokio::test]
async fn another_address_than_loopback_takes_tls_and_tokens() {
    let tokens = Tokens::new();
    for options in [AccessOptions::default(), anonymous(), tokens.access()] {
        let listener = Listener::tcp(([0, 0, 0, 0], 0).into()).await.expect("a free port");
        let access = Access::open(&options).expect("readable");
        let served = serve(vec![listener], Arc::new(Plane::default()), access, CancellationToken::new());
        let error = served.await.expect_err("everybody could ask");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("hint: "), "{error}");
    }
}

#[tokio::test]
async fn a_client_sends_no_token_in_the_clear_to_another_machine() {
    let options = ClientOptions::new("http://plane.example:9978".parse().expect("an address"));
    let problem =
        Client::open(ClientOptions { token: Some(Token::text("t")), ..options }).expect_err("in the clear");
    assert_eq!(problem.kind, ProblemKind::BadRequest);
    assert!(problem.hint.is_some_and(|hint| hint.contains("https://")));
}

#[tokio::test]
async fn a_client_reads_its_token_file_for_each_call() {
    let tokens = Tokens::new();
    let server = with_upstream(&tokens.access()).await;
    let file = tokens.directory.path().join("mine");
    let options = ClientOptions::new(server.address.into());
    let client =
        Client::open(ClientOptions { token: Some(Token::File(file.clone())), ..options }).expect("local");
    let problem = client.list(&Filter::default()).await.expect_err("no file");
    assert!(problem.message.contains("mine cannot be read"), "{problem}");
    std::fs::write(&file, format!("{}\n", tokens.reader)).expect("written");
    client.list(&Filter::default()).await.expect("known");
    std::fs::write(&file, "two words\n").expect("written");
    let problem = client.list(&Filter::default()).await.expect_err("no token");
    assert!(!problem.message.contains("two words"), "{problem}");
}

#[tokio::test]
async fn every_route_that_changes_something_is_tried_here() {
    let contract = Contract::of_server();
    let described = contract.paths().iter().flat_map(|(path, operations)| {
        let methods = operations.as_object().expect("an object").keys().filter(|method| *method != "get");
        methods.map(move |method| (method.to_ascii_uppercase(), path.clone()))
    });
    let parts = |path: &str| path.split('/').count();
    for (method, path) in described {
        let tried = changes().into_iter().any(|(m, p, _)| m == method && parts(&p) == parts(&path));
        assert!(tried, "{method} {path}");
    }
}
