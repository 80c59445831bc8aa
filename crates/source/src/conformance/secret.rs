//! What every source of stored secrets must do, one named rule each. Use
//! [`secret_conformance_tests!`](crate::secret_conformance_tests).

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::{PATIENCE, next};
use crate::{
    Cause, Listing, Phase, Secret, SecretOptions, SecretRequest, SecretSource, SourceError, SourceState,
    Watch,
};

/// The refresh period that rules ask for where changes are to be found without a word.
pub const REFRESH: Duration = Duration::from_secs(1);

/// A refresh period that no test lives to see.
const NEVER: Duration = Duration::from_hours(1);

/// As long as a rule looks at a watch that has to be silent.
const QUIET: Duration = Duration::from_secs(3);

/// Values that no output may hold, at first and later.
const CANARIES: [&str; 2] = ["canary-8c1f2e", "canary-b7d903"];

/// A source under test, one secret in the world that it reads, and the hands of those who keep it.
///
/// At first the secret is absent and the source can be read.
#[async_trait]
pub trait SecretHarness: Send + Sync {
    /// The source under test: always the same instance.
    fn source(&self) -> Arc<dyn SecretSource>;

    /// How the secret is asked for.
    fn request(&self) -> SecretRequest;

    /// Something that the source cannot answer, if there is any such thing: a request of another kind of source.
    fn foreign_request(&self) -> Option<SecretRequest>;

    /// Stores exactly these values. Works while the source is taken away too: at once, or just before it is
    /// given back.
    async fn set(&self, fields: &[(&str, &str)]);

    /// Removes the secret.
    async fn delete(&self);

    /// Makes the whole source unreadable.
    async fn take_away(&self);

    /// Makes it readable again.
    async fn give_back(&self);

    /// How often the secret was asked for so far, where that can be counted.
    fn requests(&self) -> Option<usize> {
        None
    }
}

/// Makes one `#[tokio::test]` per rule; the argument is an async function that makes a fresh harness.
#[macro_export]
macro_rules! secret_conformance_tests {
    ($harness:path) => {
        $crate::secret_conformance_tests!(@rules $harness:
            an_absent_secret_is_known_to_be_absent
            a_read_gives_exactly_the_stored_values
            a_watch_tells_the_first_listing_at_once
            a_change_is_told_after_a_refresh
            a_change_is_told_without_a_word_within_the_refresh_period
            a_listing_that_is_the_same_is_not_told_again
            a_secret_that_comes_to_be_is_told
            a_deletion_is_told_as_known_absent
            failed_is_never_absent
            what_an_earlier_run_knew_is_no_answer
            a_source_that_comes_back_tells_what_it_missed
            a_source_that_comes_back_says_so_even_if_nothing_has_changed
            two_watches_of_one_secret_both_hear
            a_dropped_watch_asks_for_nothing_any_more
            a_request_for_something_else_is_refused_with_a_hint
            values_never_show
            the_state_follows_the_source
        );
    };
    (@rules $harness:path: $($rule:ident)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                $crate::conformance::secret::$rule($harness().await).await;
            }
        )*
    };
}

/// Nobody waits for ever for a secret that is not there.
pub async fn an_absent_secret_is_known_to_be_absent(harness: impl SecretHarness) {
    assert_eq!(harness.source().read(&harness.request()).await, Ok(None));
    let mut watch = watch(&harness, NEVER);
    assert_eq!(next(&mut watch).await, Listing::Complete(None));
}

/// Nothing is trimmed, added or left out.
pub async fn a_read_gives_exactly_the_stored_values(harness: impl SecretHarness) {
    let stored = [("tls.crt", "one\ntwo\n"), ("password", " bl\u{e4}nk "), ("c", "3")];
    harness.set(&stored).await;
    let read = harness.source().read(&harness.request()).await.expect("the source can be read");
    assert_eq!(shown(&read.expect("the secret is there")), owned(&stored));
}

/// What is there is told before anything changes.
pub async fn a_watch_tells_the_first_listing_at_once(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, NEVER);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
}

/// A refresh counts for every watch, also for one that nobody polls in that moment.
pub async fn a_change_is_told_after_a_refresh(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, NEVER);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    harness.set(&[("a", "2"), ("b", "1")]).await;
    harness.source().refresh();
    assert_values(&next(&mut watch).await, &[("a", "2"), ("b", "1")]);
}

/// Nobody has to say that something has changed.
pub async fn a_change_is_told_without_a_word_within_the_refresh_period(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, REFRESH);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    harness.set(&[("a", "2")]).await;
    assert_values(&next(&mut watch).await, &[("a", "2")]);
}

/// Reading again is no news.
pub async fn a_listing_that_is_the_same_is_not_told_again(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, REFRESH);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    harness.source().refresh();
    let told = timeout(QUIET, watch.next()).await;
    assert!(told.is_err(), "nothing has changed, and this was told: {told:?}");
    harness.set(&[("a", "2")]).await;
    assert_values(&next(&mut watch).await, &[("a", "2")]);
}

/// Absent is no end.
pub async fn a_secret_that_comes_to_be_is_told(harness: impl SecretHarness) {
    let mut watch = watch(&harness, REFRESH);
    assert_eq!(next(&mut watch).await, Listing::Complete(None));
    harness.set(&[("a", "1")]).await;
    assert_values(&next(&mut watch).await, &[("a", "1")]);
}

/// Deleted is known, and is not for ever.
pub async fn a_deletion_is_told_as_known_absent(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, REFRESH);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    harness.delete().await;
    assert_eq!(next(&mut watch).await, Listing::Complete(None));
    harness.set(&[("a", "1")]).await;
    assert_values(&next(&mut watch).await, &[("a", "1")]);
}

/// The one rule that everything rests on.
pub async fn failed_is_never_absent(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, REFRESH);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    harness.take_away().await;
    assert_failed(&next(&mut watch).await);
    let read = harness.source().read(&harness.request()).await;
    assert!(read.is_err(), "a source that is away said {read:?}");
}

/// Stored values are read anew: what was known may be old, and is what stands while the source fails.
pub async fn what_an_earlier_run_knew_is_no_answer(harness: impl SecretHarness) {
    let known = Some(Secret::new(BTreeMap::from([("a".to_owned(), Zeroizing::new(b"0".to_vec()))])));
    let options = SecretOptions { refresh: Some(REFRESH), known };
    harness.set(&[("a", "1")]).await;
    harness.take_away().await;
    let mut watch = harness.source().watch(&harness.request(), options);
    assert_failed(&next(&mut watch).await);
    harness.give_back().await;
    until_values(&mut watch, &[("a", "1")]).await;
}

/// A watch outlives the failure of its source.
pub async fn a_source_that_comes_back_tells_what_it_missed(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, REFRESH);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    harness.take_away().await;
    assert_failed(&next(&mut watch).await);
    harness.set(&[("a", "2")]).await;
    harness.give_back().await;
    until_values(&mut watch, &[("a", "2")]).await;
}

/// Whoever was told of a failure is told of its end.
pub async fn a_source_that_comes_back_says_so_even_if_nothing_has_changed(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, REFRESH);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    harness.take_away().await;
    assert_failed(&next(&mut watch).await);
    harness.give_back().await;
    until_values(&mut watch, &[("a", "1")]).await;
}

/// What one watch has heard is still news for the other.
pub async fn two_watches_of_one_secret_both_hear(harness: impl SecretHarness) {
    harness.set(&[("a", "1")]).await;
    let (mut one, mut other) = (watch(&harness, REFRESH), watch(&harness, REFRESH));
    assert_values(&next(&mut one).await, &[("a", "1")]);
    assert_values(&next(&mut other).await, &[("a", "1")]);
    harness.set(&[("a", "2")]).await;
    assert_values(&next(&mut one).await, &[("a", "2")]);
    assert_values(&next(&mut other).await, &[("a", "2")]);
    drop(one);
    harness.delete().await;
    assert_eq!(next(&mut other).await, Listing::Complete(None));
}

/// Where requests can be counted, they end with the watch that made them.
pub async fn a_dropped_watch_asks_for_nothing_any_more(harness: impl SecretHarness) {
    let Some(before) = harness.requests() else { return };
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, REFRESH);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    let asked = || harness.requests().expect("a harness that counts goes on counting");
    assert!(asked() > before, "a watch asks, or the harness does not count");
    drop(watch);
    // A request that was under way may still arrive.
    sleep(REFRESH).await;
    let after = asked();
    harness.source().refresh();
    sleep(QUIET).await;
    assert_eq!(asked(), after, "nobody watches, and the secret is asked for");
}

/// No time mends this, so somebody has to be told what would.
pub async fn a_request_for_something_else_is_refused_with_a_hint(harness: impl SecretHarness) {
    let Some(foreign) = harness.foreign_request() else { return };
    let is_refusal = |error: &SourceError| error.cause == Cause::Invalid && error.hint.is_some();
    let read = harness.source().read(&foreign).await;
    assert!(read.as_ref().is_err_and(is_refusal), "{read:?}");
    let mut watch = harness.source().watch(&foreign, SecretOptions::default());
    let told = next(&mut watch).await;
    assert!(matches!(&told, Listing::Failed(error) if is_refusal(error)), "{told:?}");
}

/// Whatever is printed of a source, of what it tells and of how it fails holds no value.
pub async fn values_never_show(harness: impl SecretHarness) {
    let source = harness.source();
    let mut watch = watch(&harness, REFRESH);
    assert_eq!(next(&mut watch).await, Listing::Complete(None));
    for canary in CANARIES {
        harness.set(&[("password", canary), ("user", canary)]).await;
        let told = next(&mut watch).await;
        assert_values(&told, &[("password", canary), ("user", canary)]);
        assert_silent(&told);
        assert_silent(&source.read(&harness.request()).await);
        assert_silent(&source);
    }
    harness.take_away().await;
    let told = next(&mut watch).await;
    assert_failed(&told);
    assert_silent(&told);
    assert_silent(&source.read(&harness.request()).await);
    assert_silent(&source.state().borrow().clone());
    assert_silent(&source);
    assert_silent(&source.name());
}

/// Status and readiness see what watches see.
pub async fn the_state_follows_the_source(harness: impl SecretHarness) {
    let mut state = harness.source().state();
    harness.set(&[("a", "1")]).await;
    let mut watch = watch(&harness, REFRESH);
    assert_values(&next(&mut watch).await, &[("a", "1")]);
    let complete = until_phase(&mut state, Phase::Complete).await;
    assert!(complete.known, "{complete:?}");
    harness.take_away().await;
    assert_failed(&next(&mut watch).await);
    let failed = until_phase(&mut state, Phase::Failed).await;
    assert!(failed.known && failed.last_error.is_some(), "{failed:?}");
    harness.give_back().await;
    until_values(&mut watch, &[("a", "1")]).await;
    until_phase(&mut state, Phase::Complete).await;
    assert_eq!((failed.name, failed.required), (harness.source().name(), harness.source().required()));
}

fn watch(harness: &impl SecretHarness, refresh: Duration) -> Watch<Option<Secret>> {
    let options = SecretOptions { refresh: Some(refresh), known: None };
    harness.source().watch(&harness.request(), options)
}

/// While a source comes back it may fail in further ways; absent is not one of them.
async fn until_values(watch: &mut Watch<Option<Secret>>, expected: &[(&str, &str)]) {
    loop {
        match next(watch).await {
            Listing::Failed(_) => {}
            told @ Listing::Complete(_) => return assert_values(&told, expected),
        }
    }
}

async fn until_phase(state: &mut tokio::sync::watch::Receiver<SourceState>, phase: Phase) -> SourceState {
    let found = timeout(PATIENCE, state.wait_for(|state| state.phase == phase)).await;
    let found = found.map(|state| state.expect("a source keeps its state").clone());
    found.unwrap_or_else(|_| panic!("the state does not become {phase:?}: {:?}", state.borrow()))
}

#[track_caller]
fn assert_values(told: &Listing<Option<Secret>>, expected: &[(&str, &str)]) {
    let Listing::Complete(Some(secret)) = told else {
        panic!("{expected:?} is there, and this was told: {told:?}")
    };
    assert_eq!(shown(secret), owned(expected));
}

#[track_caller]
fn assert_failed(told: &Listing<Option<Secret>>) {
    assert!(matches!(told, Listing::Failed(_)), "the source is away, and this was told: {told:?}");
}

#[track_caller]
fn assert_silent(printed: &impl Debug) {
    for text in [format!("{printed:?}"), format!("{printed:#?}")] {
        assert!(!CANARIES.iter().any(|canary| text.contains(canary)), "a value shows: {text}");
    }
}

fn shown(secret: &Secret) -> BTreeMap<String, String> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    secret.fields.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn owned(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
