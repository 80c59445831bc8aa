//! Access logs to files.

use anyhow::{Context, ensure};
use biplane_testkit::{Request, Upstream, eventually};
use serde_json::Value;

use crate::harness::resources::{gateway_with, service_to, upstream};
use crate::harness::{HOST, PATIENCE, Tree};

#[tokio::test]
async fn requests_are_logged_to_files_as_text_and_as_json() {
    let one = Upstream::start("one");
    let tree = Tree::with(&[upstream("one", &one), service_to("one")]);
    let (text, json) = (tree.directory.join("access.log"), tree.directory.join("access.json"));
    let options = format!(
        r#"
httpGateway: {{}}
options:
  accessLoggingService:
    accessLog:
    - fileSink: {{ path: {}, stringFormat: "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%" }}
    - fileSink: {{ path: {}, jsonFormat: {{ path: "%REQ(:PATH)%", cluster: "%UPSTREAM_CLUSTER%" }} }}
"#,
        text.display(),
        json.display()
    );
    tree.files.write("gateway.yaml", &gateway_with("web", tree.port, &options));
    let site = tree.site().await;
    site.get("/one").await;
    site.ask(&Request::post(HOST, "/two", "body")).await;
    let lines = eventually("two lines", PATIENCE, async || {
        let lines = std::fs::read_to_string(&text)?;
        ensure!(lines.lines().count() == 2, "{lines:?}");
        Ok(lines)
    });
    assert_eq!(lines.await, "GET /one 200\nPOST /two 200\n");
    let line: Value = eventually("a line of JSON", PATIENCE, async || {
        let lines = std::fs::read_to_string(&json)?;
        Ok(serde_json::from_str(lines.lines().next().context("nothing")?)?)
    })
    .await;
    assert_eq!((line["path"].as_str(), line["cluster"].as_str()), (Some("/one"), Some("one_gloo-system")));
}
