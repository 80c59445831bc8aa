//! The example whose commands are clicks: Consul's own web UI in a real browser, and Biplane's page beside it.

use std::time::{Duration, Instant};

use biplane_testkit::{Browser, Consul, TempDir};

use super::terminal::Terminal;

/// What everybody who presses Save expects.
const A_SECOND: Duration = Duration::from_secs(1);

const SAVE: &str = "//form//button[@type='submit']";
const SAVED: &str = "Your key has been saved";
const TYPO: &str = "did you mean \"routeAction\"?";

/// A person at the UI of a Consul.
struct Editor {
    browser: Browser,
    key: String,
}

impl Editor {
    /// Opens a key, puts a word in the place of another one in a text of its value, and saves it.
    async fn edits(&self, text: &str, word: &str, by: &str) {
        self.browser.open(&self.key).await;
        self.browser.replace_word(text, word, by).await;
        self.browser.click(SAVE).await;
        self.browser.shows(SAVED).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consul_ui_readme_is_true() {
    let directory = TempDir::new("example-consul-ui");
    let consul = Consul::start(&directory).await;
    let browser = Browser::start(&directory).await;
    let beside = TempDir::new("example-consul-ui-page");
    let page = Browser::start(&beside).await;
    let mut readme = Terminal::open("consul-ui", ("127.0.0.1:8500", consul.address()), directory);
    let key =
        format!("http://{}/ui/dc1/kv/biplane/config/VirtualService/default/pets/edit", consul.address());
    let editor = Editor { browser, key };
    readme.export("CONSUL_HTTP_ADDR", &consul.address().to_string());
    readme.passes("consul agent -dev");
    readme.starts("python3 examples/upstream.py");
    readme.starts("python3 examples/upstream.py");
    readme.runs("biplane init", 0);
    readme.runs("biplane apply", 0);
    readme.starts("biplane serve");
    readme.starts("biplane envoy bootstrap");
    readme.all_run().await;
    let (stable, canary) = (readme.upstream(0), readme.upstream(1));
    readme.shows("curl", &["200 OK", &stable]).await;
    page.open(&readme.web_page()).await;
    page.shows("Nothing is wrong with any object").await;

    editor.edits("\"pets-stable\"", "stable", "canary").await;
    let saved = Instant::now();
    readme.shows("curl", &["200 OK", &canary]).await;
    assert!(saved.elapsed() < A_SECOND, "it took {:?}", saved.elapsed());

    editor.edits("\"routeAction\"", "routeAction", "routeActoin").await;
    let told = ["biplane/config/VirtualService/default/pets@", "routes[0].routeActoin", "line 14", TYPO];
    readme.shows("biplane status", &told).await;
    page.shows(TYPO).await;
    readme.shows("curl", &["200 OK", &canary]).await;

    editor.edits("\"routeActoin\"", "routeActoin", "routeAction").await;
    page.hides(TYPO).await;
    readme.shows_not("biplane status", "complete", "routeActoin").await;
    readme.is_done();
}
