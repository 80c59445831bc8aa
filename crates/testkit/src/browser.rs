//! A real browser without a window, for what people do on web pages: they look for words, double-click them, type.
//!
//! It is found as people find it: Chromium's driver on the `PATH`, or `BIPLANE_CHROMEDRIVER`. The driver speaks W3C
//! WebDriver, which is JSON over HTTP; of its commands these are the few that the above takes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use hyper::Method;
use serde_json::{Value, json};

use crate::directory::TempDir;
use crate::eventually::eventually;
use crate::http::Request;
use crate::ports::free_port;
use crate::process::Process;

/// The member of WebDriver's JSON that holds an element's id (W3C WebDriver, section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long the browser may take to start, and a page to show something.
const PATIENCE: Duration = Duration::from_secs(30);

/// A page in a browser of its own, which ends with this value.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    directory: PathBuf,
    /// Ends the browser when it ends itself.
    _driver: Process,
}

/// A session of the driver.
#[derive(Debug)]
struct Session {
    port: u16,
    path: String,
}

impl Browser {
    /// A browser with a fresh profile.
    pub async fn start(directory: &TempDir) -> Self {
        let port = free_port();
        let program = std::env::var_os("BIPLANE_CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let mut command = Command::new(program);
        command.arg(format!("--port={port}"));
        let mut driver = Process::spawn("chromedriver", command, directory.path());
        let options = options(&directory.folder("browser").display().to_string());
        let session = driver.until("a session", PATIENCE, async || Session::open(port, &options).await).await;
        Self { session, directory: directory.path().to_owned(), _driver: driver }
    }

    /// Opens a page, and waits until it has loaded.
    pub async fn open(&self, url: &str) {
        let opened = self.session.command("url", &json!({ "url": url })).await;
        opened.unwrap_or_else(|error| panic!("cannot open {url}: {error:#}"));
    }

    /// Waits until the page shows a text.
    pub async fn shows(&self, text: &str) {
        self.page(text, |page| page.contains(text)).await;
    }

    /// Waits until the page does not show a text any more.
    pub async fn hides(&self, text: &str) {
        self.page(&format!("the end of {text}"), |page| !page.contains(text)).await;
    }

    /// Clicks the first element that an XPath finds, as soon as it can be clicked.
    pub async fn click(&self, path: &str) {
        self.eventually(&format!("a click on {path}"), async || {
            let element = self.session.find(path).await?;
            self.session.command(&format!("element/{element}/click"), &json!({})).await.map(drop)
        })
        .await;
    }

    /// Double-clicks a word of a text in a fixed-width font, which marks it, and types another one in its place.
    pub async fn replace_word(&self, text: &str, word: &str, by: &str) {
        let path = format!("//span[not(*) and normalize-space()='{text}']");
        self.eventually(&format!("{word} of {text}"), async || {
            let element = self.session.find(&path).await?;
            let rectangle = self.session.ask(&format!("element/{element}/rect")).await?;
            let width = rectangle["width"].as_f64().context("an element has a width")?;
            let double_click = double_click(&element, width * middle(text, word));
            self.session.command("actions", &json!({ "actions": [double_click] })).await.map(drop)
        })
        .await;
        let typing = json!({ "actions": [typing(by)] });
        self.session.command("actions", &typing).await.expect("the keyboard works");
    }

    async fn page(&self, what: &str, holds: impl Fn(&str) -> bool) {
        self.eventually(what, async || {
            let body = self.session.find("//body").await?;
            let page = self.session.ask(&format!("element/{body}/text")).await?;
            ensure!(page.as_str().is_some_and(&holds), "the page shows {page}");
            Ok(())
        })
        .await;
    }

    /// As [`eventually`], with a picture of the page beside the logs when that ends.
    async fn eventually(&self, what: &str, mut probe: impl AsyncFnMut() -> Result<()>) {
        let picture = self.directory.join("page.png");
        eventually(what, PATIENCE, async || {
            let answer = probe().await;
            if answer.is_err() {
                std::fs::write(&picture, self.session.picture().await?)?;
            }
            answer.with_context(|| format!("{} is how it looks", picture.display()))
        })
        .await;
    }
}

impl Session {
    async fn open(port: u16, options: &Value) -> Result<Self> {
        let driver = Self { port, path: "/session".to_owned() };
        let answer = driver.send(Method::POST, "", Some(options)).await?;
        let id = answer["sessionId"].as_str().context("a session has an id")?;
        Ok(Self { port, path: format!("/session/{id}/") })
    }

    /// The id of the first element that an XPath finds.
    async fn find(&self, path: &str) -> Result<String> {
        let found = self.command("element", &json!({ "using": "xpath", "value": path })).await?;
        Ok(found[ELEMENT].as_str().context("an element has an id")?.to_owned())
    }

    /// PNG.
    async fn picture(&self) -> Result<Vec<u8>> {
        let picture = self.ask("screenshot").await?;
        Ok(base64::prelude::BASE64_STANDARD.decode(picture.as_str().context("a picture is a text")?)?)
    }

    async fn ask(&self, what: &str) -> Result<Value> {
        self.send(Method::GET, what, None).await
    }

    async fn command(&self, what: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, what, Some(body)).await
    }

    async fn send(&self, method: Method, what: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = Request::new(method, "localhost", &format!("{}{what}", self.path)).within(PATIENCE);
        if let Some(body) = body {
            request.body = body.to_string().into();
        }
        let answer = request.send(self.port).await?;
        let mut value = answer.json()?["value"].take();
        ensure!(answer.status == 200, "{what}: {}", value["message"].take());
        Ok(value)
    }
}

fn options(profile: &str) -> Value {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--disable-sync",
        "--no-first-run",
        // A browser whose driver has ended sees its pipe close, and ends as well.
        "--remote-debugging-pipe",
        "--window-size=1400,1000",
        &format!("--user-data-dir={profile}"),
    ];
    json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } })
}

/// Where the middle of a word is, as a share of the text's width to the right of the text's own middle.
#[expect(clippy::cast_precision_loss, reason = "a line is short")]
fn middle(text: &str, word: &str) -> f64 {
    let at = text.find(word).expect("the word is in the text");
    (at as f64 + word.len() as f64 / 2.0) / text.len() as f64 - 0.5
}

/// So far from an element's middle to the right, in pixels.
fn double_click(element: &str, right: f64) -> Value {
    let to =
        json!({ "type": "pointerMove", "duration": 0, "x": right, "y": 0, "origin": { ELEMENT: element } });
    let press = ["pointerDown", "pointerUp"].map(|kind| json!({ "type": kind, "button": 0 }));
    let actions: Vec<_> = [to].into_iter().chain(press.iter().cycle().take(4).cloned()).collect();
    json!({ "type": "pointer", "id": "mouse", "actions": actions })
}

fn typing(text: &str) -> Value {
    let key = |value: char| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": value }));
    json!({ "type": "key", "id": "keyboard", "actions": text.chars().flat_map(key).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_double_clicked_in_its_middle() {
        assert!((middle("pets-stable", "pets-stable")).abs() < 1e-9);
        assert!((middle("ab-cd", "cd") - 0.3).abs() < 1e-9);
        let clicks = double_click("e1", 7.5);
        assert_eq!(clicks["actions"].as_array().map(Vec::len), Some(5));
        assert_eq!(
            (clicks["actions"][0]["x"].as_f64(), clicks["actions"][4]["type"].as_str()),
            (Some(7.5), Some("pointerUp"))
        );
    }
}
