//! The testkit's Consul: what every test of the Consul store relies on.

use std::time::Duration;

use biplane_testkit::http::Method;
use biplane_testkit::{Authority, Consul, TempDir, eventually};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_development_agent_takes_writes_and_starts_empty_again() {
    let directory = TempDir::new("consul");
    let mut consul = Consul::start(&directory).await;
    consul.kv_put("a/one two%", "value\n").await.expect("written");
    let many: Vec<_> = (0..100).map(|n| (format!("b/{n:03}"), format!("é{n}"))).collect();
    consul.kv_put_many(&many).await.expect("written");
    assert_eq!(consul.kv_get("a/one two%").await.expect("read").as_deref(), Some("value\n"));
    assert_eq!(consul.kv_get("b/007").await.expect("read").as_deref(), Some("é7"));
    assert_eq!(consul.kv_keys("").await.expect("listed").len(), 101);
    consul.kv_delete("b/007").await.expect("deleted");
    consul.kv_delete_prefix("b/1").await.expect("deleted");
    assert_eq!(consul.kv_get("b/007").await.expect("read"), None);
    let locked = json!([{ "KV": { "Verb": "check-index", "Key": "a/one two%", "Index": 1 } }]);
    assert!(consul.txn(&locked).await.is_err(), "a transaction that was rolled back is an error");

    consul.kill();
    consul.start_again().await;
    assert!(consul.kv_keys("").await.expect("listed").is_empty());
    let session = consul.call(Method::PUT, "/v1/session/create", "{}").await.expect("sessions can be made");
    assert!(session.json().expect("JSON")["ID"].is_string());
}

#[tokio::test]
async fn a_server_with_data_keeps_it_and_goes_back_to_a_snapshot() {
    let directory = TempDir::new("consul");
    let mut consul = Consul::builder().server_with_data(true).unix_socket(true).start(&directory).await;
    consul.kv_put("kept", "1").await.expect("written");
    let snapshot = consul.snapshot_save().await.expect("saved");
    consul.kv_put("lost", "2").await.expect("written");
    consul.restart().await;
    assert_eq!(consul.kv_keys("").await.expect("listed"), ["kept", "lost"]);
    consul.snapshot_restore(&snapshot).await.expect("restored");
    assert_eq!(consul.kv_keys("").await.expect("listed"), ["kept"]);

    let mut socket = UnixStream::connect(consul.socket()).await.expect("it listens");
    let request = b"GET /v1/kv/kept?raw HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    socket.write_all(request).await.expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n1"), "{answer}");
}

#[tokio::test]
async fn a_token_sees_what_its_policy_allows_through_an_agent_over_tls() {
    let directory = TempDir::new("consul");
    let authority = Authority::new("consul authority");
    let builder = Consul::builder().acl(true).client_agent(true).mutual_tls(&authority);
    let mut consul = builder.start(&directory).await;
    assert_ne!(consul.address(), consul.server_address());
    consul.kv_put("ours/a", "1").await.expect("written");
    consul.kv_put("theirs/a", "2").await.expect("written");
    consul.acl_policy("ours", r#"key_prefix "ours/" { policy = "read" }"#).await.expect("made");
    let token = consul.acl_token(&["ours"]).await.expect("made");

    let read = async |prefix: &str| {
        let path = format!("/v1/kv/{prefix}/?recurse");
        consul.call_as(Some(&token.secret), Method::GET, &path).await.expect("an answer").status
    };
    eventually("the policy in force", PATIENCE, async || {
        anyhow::ensure!(read("ours").await == 200, "not yet");
        Ok(())
    })
    .await;
    assert_eq!(read("theirs").await, 404, "what may not be seen is not there");
    consul.acl_policy("ours", r#"key_prefix "theirs/" { policy = "read" }"#).await.expect("changed");
    eventually("the changed policy in force", PATIENCE, async || {
        anyhow::ensure!(read("ours").await == 404 && read("theirs").await == 200, "not yet");
        Ok(())
    })
    .await;
    consul.acl_token_delete(&token).await.expect("deleted");
    eventually("the token's end", PATIENCE, async || {
        let status = read("theirs").await;
        anyhow::ensure!(status == 403, "{status}");
        Ok(())
    })
    .await;
    consul.kill_agent();
    consul.start_agent_again().await;
    consul.agent().pause().await;
    assert_eq!(consul.kv_get("ours/a").await.expect("the hand goes to the server").as_deref(), Some("1"));
}

#[tokio::test]
async fn two_datacenters_answer_for_each_other() {
    let directory = TempDir::new("consul");
    let one = Consul::start(&directory).await;
    let builder = Consul::builder().named("other").datacenter("dc2").joined_to(&one);
    let two = builder.start(&directory).await;
    two.kv_put("key", "in dc2").await.expect("written");
    eventually("the other datacenter's key", PATIENCE, async || {
        let answer = one.get("/v1/kv/key?raw&dc=dc2").await?;
        anyhow::ensure!(answer.text() == "in dc2", "{}", answer.text());
        Ok(())
    })
    .await;
    assert_eq!(one.kv_get("key").await.expect("read"), None, "each has keys of its own");
}

#[tokio::test]
async fn a_rate_limit_is_told_with_429() {
    let directory = TempDir::new("consul");
    let consul = Consul::builder().rate_limit(5, 1_000).start(&directory).await;
    consul.kv_put("key", "value").await.expect("written");
    eventually("the limit", PATIENCE, async || {
        let answer = consul.call_as(None, Method::GET, "/v1/kv/key").await?;
        anyhow::ensure!(answer.status == 429, "{}", answer.status);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_independent_client_writes_what_is_read_and_reads_what_is_written() {
    let directory = TempDir::new("consul");
    let consul = Consul::start(&directory).await;
    consul.consulrs("put", &["theirs", "-"], "their value\n").await.success().expect("written");
    assert_eq!(consul.kv_get("theirs").await.expect("read").as_deref(), Some("their value\n"));
    consul.kv_put("ours", "our value").await.expect("written");
    let lines = consul.consulrs("get", &["ours"], "").await.json_lines().expect("JSON");
    assert_eq!(lines[1]["value"], "our value", "{lines:?}");
}
