//! What the log says of changes: who, what, from where to where, how it ended, and never a value.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use biplane_admin_api::ProblemKind;
use biplane_core::key::Kind;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Duration;

use crate::plane::{Plane, SOURCE};
use crate::raw;
use crate::server::{Server, Tokens, bearer, eventually};
use crate::shelf::document;

thread_local! {
    /// What was logged on this thread, if its test asked for it: a test's runtime has no other.
    static LOGGED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// The log of this test. One subscriber serves all tests: those that come and go race for what is of interest.
struct Log;

impl Log {
    fn keep() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .without_time()
                .with_writer(|| Writer)
                .init();
        });
        LOGGED.set(Some(Vec::new()));
    }

    fn text() -> String {
        LOGGED.with_borrow(|bytes| String::from_utf8(bytes.clone().unwrap_or_default()).expect("text"))
    }

    /// The lines of the audit, without level and target.
    fn audit() -> Vec<String> {
        let lines = Self::text();
        lines
            .lines()
            .filter_map(|line| line.split_once(" audit: "))
            .map(|(_, line)| line.trim().to_owned())
            .collect()
    }
}

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.as_mut().map(|logged| logged.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_change_and_every_attempt_leaves_a_line_without_a_value() {
    Log::keep();
    let tokens = Tokens::new();
    let server = Server::start(Plane::default(), &tokens.access()).await;
    let (reader, writer) = (bearer(&tokens.reader), bearer(&tokens.writer));
    let path = "/v1/resources/secret/default/s";
    let text = document(Kind::Secret, "s", "canary");
    let by = |token| [("Authorization", token)];
    server.ask("PUT", path, &by(writer.as_str()), &text).await;
    server.ask("PUT", path, &by(writer.as_str()), &text).await;
    server.ask("PUT", &format!("{path}?dryRun=true"), &by(writer.as_str()), &text).await;
    server.ask("PUT", path, &[("Authorization", &writer), ("If-None-Match", "*")], &text).await;
    server.ask("PUT", path, &by(reader.as_str()), &text).await;
    server.ask("DELETE", path, &[], "").await;
    let body = r#"{"changes":[{"operation":"put","text":"canary"}]}"#;
    server.ask("POST", "/v1/apply", &by(writer.as_str()), body).await;
    server.ask("POST", &format!("{path}/rollback"), &by(writer.as_str()), r#"{"revision":1}"#).await;
    server.ask("DELETE", path, &by(writer.as_str()), "").await;
    server.ask("POST", "/v1/init", &by(writer.as_str()), "").await;
    let accept = format!("/v1/sources/{}/accept", SOURCE.replace('/', "%2F").replace(' ', "%20"));
    server.ask("POST", &accept, &by(writer.as_str()), "").await;
    let expected = [
        r#"who="ci" what="Secret default/s" after=1 outcome="created""#,
        r#"who="ci" what="Secret default/s" before=1 after=2 outcome="changed""#,
        r#"who="ci" what="put Secret default/s" object="Secret default/s" found=2 outcome="conflict""#,
        r#"who="viewer" what="put Secret default/s" outcome="forbidden""#,
        r#"who="127.0.0.1" what="DELETE /v1/resources/secret/default/s" outcome="unauthenticated""#,
        r#"who="ci" what="apply 1 changes" outcome="invalid""#,
        r#"who="ci" what="Secret default/s" before=2 after=3 outcome="changed""#,
        r#"who="ci" what="Secret default/s" before=3 after=4 outcome="deleted""#,
        r#"who="ci" what="init" identity="identity-1" outcome="done""#,
        &format!("who=\"ci\" what=\"accept \\\"{SOURCE}\\\"\" removals=1 outcome=\"done\""),
    ];
    assert_eq!(Log::audit(), expected);
    let text = Log::text();
    for secret in ["canary", tokens.writer.as_str(), tokens.reader.as_str()] {
        assert!(!text.contains(secret), "the log holds {secret}: {text}");
    }
}

#[tokio::test]
async fn what_a_caller_says_of_itself_makes_no_line_of_its_own() {
    Log::keep();
    let server = Server::open().await;
    let body = r#"{"author":"x\nINFO audit: who=\"root\"","changes":[]}"#;
    server.ask("POST", "/v1/apply", &[], body).await;
    assert_eq!(Log::audit(), [r#"who="127.0.0.1" what="apply 0 changes" after=1 outcome="nothing to do""#]);
    assert_eq!(server.shelf.author(), "");
    let problem = server.client().accept("a\nb", None, "x\ny").await.expect_err("no such source");
    assert_eq!(problem.kind, ProblemKind::NotFound);
    assert_eq!(Log::audit().len(), 2, "{:?}", Log::audit());
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_and_is_told_also_when_its_caller_has_gone_and_the_server_stops() {
    Log::keep();
    let server = Server::open().await;
    let shelf = server.shelf.clone();
    let pace = shelf.pace.lock().await;
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    let text = document(Kind::Upstream, "a", "1");
    let request = raw::request("PUT", "/v1/resources/us/default/a", &[], &text);
    stream.write_all(request.as_bytes()).await.expect("sent");
    eventually("the change waits for the store", || shelf.waiting()).await;
    drop(stream);
    server.shutdown.cancel();
    // Longer than a connection is waited for: this one is given up before the store goes on.
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(pace);
    server.task.await.expect("no panic").expect("no error");
    assert_eq!(Log::audit(), [r#"who="127.0.0.1" what="Upstream default/a" after=1 outcome="created""#]);
}
