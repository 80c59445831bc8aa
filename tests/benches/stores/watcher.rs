//! What the server alone takes from a put to a watch: a client that watches the folder that Biplane watches, by the
//! means that the server offers to everybody, and does nothing with what it hears.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use biplane_testkit::{Request, Response};
use etcd_client::{Client, WatchOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::world::CONFIG;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a blocking query of Consul waits: longer than any pause between two changes.
const WAIT: &str = "50s";

/// A running watch.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// When a change was there as a whole.
    seen: mpsc::UnboundedReceiver<Instant>,
    task: JoinHandle<Result<()>>,
}

impl Watcher {
    /// etcd's watch of a prefix.
    pub(crate) async fn etcd(address: SocketAddr) -> Result<Self> {
        let mut client = Client::connect([format!("http://{address}")], None).await?;
        let mut stream = client.watch(CONFIG, Some(WatchOptions::new().with_prefix())).await?;
        ensure!(stream.message().await?.is_some_and(|first| first.created()), "a watch");
        let (told, seen) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            // The client goes along, or its connection would end.
            let _client = client;
            while let Some(message) = stream.message().await? {
                if !message.events().is_empty() && told.send(Instant::now()).is_err() {
                    break;
                }
            }
            Ok(())
        });
        Ok(Self { seen, task })
    }

    /// Consul's blocking queries of a prefix, one after the other.
    pub(crate) async fn consul(address: SocketAddr) -> Result<Self> {
        let mut index = ask(address, 0).await?;
        let (told, seen) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let before = index;
                index = ask(address, before).await?;
                if index > before && told.send(Instant::now()).is_err() {
                    return Ok(());
                }
            }
        });
        Ok(Self { seen, task })
    }

    /// Forgets what was seen until now.
    pub(crate) fn forget(&mut self) {
        while self.seen.try_recv().is_ok() {}
    }

    /// When the next change was seen.
    pub(crate) async fn next(&mut self) -> Result<Instant> {
        let seen = timeout(PATIENCE, self.seen.recv()).await.context("the watcher sees nothing")?;
        seen.context("the watch has ended")
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The index behind `after`; 0 does not wait.
async fn ask(address: SocketAddr, after: u64) -> Result<u64> {
    let path = format!("/v1/kv/{CONFIG}?recurse&index={after}&wait={WAIT}");
    let answer = Request::get("localhost", &path).within(PATIENCE).send_to(address).await?;
    index(&answer)
}

fn index(answer: &Response) -> Result<u64> {
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    answer.header("x-consul-index").context("an index")?.parse().context("a number")
}
