//! The store and consulrs, a client of Consul that is not ours, read what the other one writes. So Biplane's own
//! client never checks itself. docs/adr/0003-consul-client.md tells what else is seen here.

use biplane_store::conformance::{Harness as _, document, key};
use biplane_store::{Precondition, StoreExt as _};
use serde_json::Value;

use crate::harness::Marked;

async fn consulrs(harness: &Marked, command: &str, arguments: &[&str], input: &str) -> Vec<Value> {
    harness.server.consul.consulrs(command, arguments, input).await.json_lines().expect("JSON lines")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_client_writes_changes_and_deletes_is_told() {
    for harness in [Marked::new().await, Marked::in_parts().await] {
        let mut follower = harness.follow().await;
        let raw = harness.raw(&key("a"));
        for note in ["first", "second \u{2603}"] {
            let text = String::from_utf8(document(&key("a"), note).into()).expect("text");
            consulrs(&harness, "put", &[&raw, "-"], &text).await;
            follower.until_note(&key("a"), note).await;
            assert_eq!(follower.objects[&key("a")].value, text);
        }
        consulrs(&harness, "delete", &[&raw], "").await;
        follower.until("the deletion", |seen| seen.objects.is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_writes_another_client_reads_at_the_same_index() {
    let harness = Marked::new().await;
    let value = document(&key("a"), "1");
    let revision = harness.store().put(key("a"), value.clone(), Precondition::Absent).await.expect("a write");
    let lines = consulrs(&harness, "get", &[&harness.raw(&key("a"))], "").await;
    assert_eq!(lines[1]["value"].as_str().map(str::as_bytes), Some(&value[..]));
    assert_eq!(lines[1]["modify_index"], revision.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_client_loses_the_index_of_an_empty_prefix_and_ours_does_not() {
    let harness = Marked::new().await;
    let path = format!("{}/none/", harness.root);
    let lines = consulrs(&harness, "recurse", &[&path], "").await;
    assert_eq!((&lines[0]["status"], &lines[0]["index"]), (&Value::from(404), &Value::Null));
    let settings = biplane_consul_client::Settings {
        address: biplane_consul_client::Address::parse(&harness.server.consul.address().to_string(), false)
            .expect("an address"),
        ..Default::default()
    };
    let client = biplane_consul_client::Client::new(settings).expect("good settings");
    let answer = client.kv_recurse(&path, &biplane_consul_client::Query::default()).await.expect("an answer");
    assert!(answer.value.is_none() && answer.meta.index > 1, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_client_stores_an_odd_key_under_another_name() {
    let harness = Marked::new().await;
    let odd = format!("{}/odd/a b?c#d", harness.root);
    consulrs(&harness, "put", &[&odd, "x"], "").await;
    let keys = harness.server.consul.kv_keys(&format!("{}/odd/", harness.root)).await.expect("keys");
    assert_eq!(keys, [format!("{}/odd/a%20b%3Fc%23d", harness.root)]);
}
