//! The fixed source of secrets, and what it can do besides for tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use biplane_core::key::ResourceRef;
use biplane_core::resources::secret::{VaultAws, VaultKv, VaultPki};
use biplane_source::conformance::SecretHarness;
use biplane_source::{
    FixedSecrets, Listing, Phase, Secret, SecretOptions, SecretRequest, SecretSource, SourceError,
};
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;
use zeroize::Zeroizing;

struct Fixed(FixedSecrets);

#[async_trait]
impl SecretHarness for Fixed {
    fn source(&self) -> Arc<dyn SecretSource> {
        Arc::new(self.0.clone())
    }

    fn request(&self) -> SecretRequest {
        request("web")
    }

    fn foreign_request(&self) -> Option<SecretRequest> {
        None
    }

    async fn set(&self, fields: &[(&str, &str)]) {
        self.0.set(self.request(), secret(fields));
    }

    async fn delete(&self) {
        self.0.delete(&self.request());
    }

    async fn take_away(&self) {
        self.0.fail(Some(SourceError::new("taken away")));
    }

    async fn give_back(&self) {
        self.0.fail(None);
    }

    fn requests(&self) -> Option<usize> {
        Some(self.0.watches_ever(&self.request()))
    }
}

async fn harness() -> Fixed {
    Fixed(FixedSecrets::new())
}

biplane_source::secret_conformance_tests!(harness);

fn request(path: &str) -> SecretRequest {
    SecretRequest::Path(path.to_owned())
}

fn secret(fields: &[(&str, &str)]) -> Secret {
    let field =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Zeroizing::new(value.as_bytes().to_vec()));
    Secret::new(fields.iter().map(field).collect())
}

#[tokio::test]
async fn requests_of_every_kind_are_answered_each_with_its_own() {
    let source = FixedSecrets::new();
    let requests = [
        SecretRequest::Kv(VaultKv::default()),
        SecretRequest::Pki(VaultPki::default()),
        SecretRequest::Aws(VaultAws::default()),
        request(""),
        SecretRequest::Object(ResourceRef::new("default", "web")),
    ];
    let secrets: BTreeMap<_, _> = requests.into_iter().zip(["1", "2", "3", "4", "5"]).collect();
    for (request, value) in &secrets {
        source.set(request.clone(), secret(&[("a", value)]));
    }
    for (request, value) in &secrets {
        let read = source.read(request).await.expect("it can be read").expect("it is there");
        assert!(read.same_values(&secret(&[("a", value)])), "{request:?}: {read:?}");
    }
}

#[tokio::test]
async fn one_secret_may_be_refused_while_the_source_answers_for_others() {
    let source = FixedSecrets::new();
    let denied = SourceError::denied("no right to read it");
    source.refuse(request("a"), denied.clone());
    assert_eq!(source.read(&request("a")).await, Err(denied));
    assert_eq!(source.read(&request("b")).await, Ok(None));
    assert_eq!(source.state().borrow().phase, Phase::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_silent_source_tells_nothing_until_it_speaks() {
    let source = FixedSecrets::new();
    source.fall_silent(true);
    let mut watch = source.watch(&request("a"), SecretOptions::default());
    assert_eq!(watch.next().now_or_never(), None);
    let started = Instant::now();
    source.read(&request("a")).await.expect_err("a read ends at its deadline");
    assert!(started.elapsed() < Duration::from_mins(1));
    assert_eq!(source.state().borrow().phase, Phase::Waiting);
    source.fall_silent(false);
    assert_eq!(watch.next().await, Some(Listing::Complete(None)));
    assert_eq!(source.state().borrow().phase, Phase::Complete);
}

#[tokio::test]
async fn a_later_end_is_news_and_a_later_reading_is_not() {
    let source = FixedSecrets::new();
    let mut watch = source.watch(&request("a"), SecretOptions::default());
    assert_eq!(watch.next().await, Some(Listing::Complete(None)));
    let first = secret(&[("a", "1")]);
    source.set(request("a"), first.clone());
    assert_eq!(watch.next().await, Some(Listing::Complete(Some(first.clone()))));
    let later = SystemTime::now() + Duration::from_secs(1);
    source.set(request("a"), Secret { obtained: later, ..first.clone() });
    assert_eq!(watch.next().now_or_never(), None);
    let longer = Secret { expires: Some(later), ..first };
    source.set(request("a"), longer.clone());
    assert_eq!(watch.next().await, Some(Listing::Complete(Some(longer))));
}

#[tokio::test]
async fn watches_and_refreshes_are_counted() {
    let source = FixedSecrets::new();
    let one = source.watch(&request("a"), SecretOptions::default());
    let other = source.watch(&request("a"), SecretOptions::default());
    drop(one);
    assert_eq!((source.watches(&request("a")), source.watches_ever(&request("a"))), (1, 2));
    drop(other);
    assert_eq!((source.watches(&request("a")), source.watches(&request("b"))), (0, 0));
    source.refresh();
    assert_eq!(source.refreshes(), 1);
}

#[tokio::test]
async fn a_watch_outlives_the_handle_that_made_it() {
    let source = FixedSecrets::new().named("vault").as_required();
    assert_eq!((source.name(), source.required(), source.has_objects()), ("vault".to_owned(), true, false));
    let mut watch = source.watch(&request("a"), SecretOptions::default());
    drop(source);
    assert_eq!(watch.next().await, Some(Listing::Complete(None)));
    assert_eq!(watch.next().now_or_never(), None);
}
