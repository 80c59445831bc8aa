//! What Biplane says about itself, as its users read it.

use anyhow::{Result, ensure};
use biplane_testkit::{Biplane, biplane, eventually};
use serde_json::Value;

use super::PATIENCE;

/// One reading of the HTTP API.
pub(crate) async fn fetch(biplane: &Biplane) -> Result<Value> {
    let answer = biplane.get("/v1/status").await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    answer.json()
}

/// One reading by the command that people use. Its exit code says whether all is well; that is another question.
pub(crate) fn command(biplane: &Biplane) -> Value {
    let admin = biplane.admin().to_string();
    let output = biplane::run(["status", "--admin", &admin, "-o", "json"]);
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Waits until the status is as wanted.
pub(crate) async fn until(biplane: &Biplane, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(what, PATIENCE, async || {
        let status = fetch(biplane).await?;
        ensure!(wanted(&status), "the status is {status:#}");
        Ok(status)
    })
    .await
}

/// Waits for a finding about an object, for example `Upstream gloo-system/one`, whose text holds `words`.
pub(crate) async fn until_report(biplane: &Biplane, object: &str, words: &str) -> Value {
    let status = until(biplane, &format!("{words:?} about {object}"), |status| {
        reports(status, object).iter().any(|report| text(report).contains(words))
    })
    .await;
    let reports = reports(&status, object);
    reports.into_iter().find(|report| text(report).contains(words)).expect("found above")
}

/// Waits until there is no finding at all.
pub(crate) async fn until_clean(biplane: &Biplane) {
    until(biplane, "no findings", |status| list(status, "reports").is_empty()).await;
}

/// The findings about an object.
pub(crate) fn reports(status: &Value, object: &str) -> Vec<Value> {
    list(status, "reports").into_iter().filter(|report| report["object"] == object).collect()
}

/// A list of the status.
pub(crate) fn list(status: &Value, name: &str) -> Vec<Value> {
    status[name].as_array().cloned().unwrap_or_default()
}

/// One fleet of the status.
pub(crate) fn fleet(status: &Value, name: &str) -> Value {
    list(status, "fleets").into_iter().find(|fleet| fleet["name"] == name).unwrap_or_default()
}

fn text(report: &Value) -> String {
    ["path", "message", "hint"]
        .into_iter()
        .filter_map(|field| report[field].as_str())
        .collect::<Vec<_>>()
        .join(" ")
}
