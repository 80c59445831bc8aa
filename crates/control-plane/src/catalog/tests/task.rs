//! Rules of the task that asks, with sources in memory.

use futures::StreamExt as _;
use futures::stream::{BoxStream, unfold};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use biplane_source::ServiceSource;

use super::*;
use crate::catalog::Catalog;

/// Services that a test lists.
#[derive(Debug)]
struct Listed {
    name: &'static str,
    services: watch::Sender<usize>,
}

impl Listed {
    fn new(name: &'static str, services: usize) -> Arc<Self> {
        Arc::new(Self { name, services: watch::Sender::new(services) })
    }
}

impl ServiceSource for Listed {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn kind(&self) -> &'static str {
        "consul"
    }

    fn services(&self) -> BoxStream<'static, Listing<Vec<Service>>> {
        let mut listed = self.services.subscribe();
        listed.mark_changed();
        unfold(listed, async |mut listed| {
            listed.changed().await.ok()?;
            let service = |number| Service { name: ServiceName::new(format!("s{number}")), tags: [].into() };
            let services = (0..*listed.borrow_and_update()).map(service).collect();
            Some((Listing::Complete(services), listed))
        })
        .boxed()
    }

    fn instances(&self, _: &ServiceName) -> BoxStream<'static, Listing<Vec<Instance>>> {
        futures::stream::pending().boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_words_of_an_operator_at_once_none_is_lost() {
    let sources = ["a", "b"].map(|name| Listed::new(name, 8));
    let mut settings = CatalogSettings::default();
    settings.upstreams.extend(["a".to_owned(), "b".to_owned()]);
    let ((maker, mut made), (accept, accepted), (_ask, questions)) =
        (mpsc::channel(4), mpsc::channel(4), mpsc::channel(4));
    let sources_of = sources.iter().map(|source| source.clone() as Arc<dyn ServiceSource>).collect();
    let catalog = Catalog { sources: sources_of, settings, made: maker, accepted, questions };
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(catalog.run(shutdown.clone()));
    let mut puts = 0;
    while puts < 16 {
        puts += made.recv().await.expect("the task runs").puts.len();
    }
    for source in &sources {
        source.services.send_replace(0);
    }
    while made.recv().await.expect("the task runs").held.len() < 2 {}
    for name in ["a", "b"] {
        accept.try_send(name.into()).expect("there is room");
    }
    let mut gone = 0;
    while gone < 16 {
        gone += made.recv().await.expect("the task runs").deletions.len();
    }
    shutdown.cancel();
    assert!(task.await.is_ok_and(|ended| ended.is_ok()));
}
