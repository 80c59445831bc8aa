//! What every endpoint source must do, one named rule each. Use [`endpoint_conformance_tests!`](crate::endpoint_conformance_tests).
//! Sources that know of health add [`endpoint_health_conformance_tests!`](crate::endpoint_health_conformance_tests).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{PATIENCE, next};
use crate::{Cause, Endpoint, EndpointRequest, EndpointSource, Listing, Phase, SourceState, Watch};

/// A source under test and the hands of those who run services in the world that it reads.
///
/// At first no service has instances and the source can be read.
#[async_trait]
pub trait EndpointHarness: Send + Sync {
    /// The source under test: always the same instance.
    fn source(&self) -> Arc<dyn EndpointSource>;

    /// How the endpoints of a service are asked for.
    fn request(&self, service: &str) -> EndpointRequest;

    /// Something that the source cannot answer: a query of another kind of source.
    fn foreign_request(&self) -> EndpointRequest;

    /// Makes the service have exactly this many instances, and says where they listen. Those that were there
    /// before and still are keep their places. Works while the source is taken away too: at once, or just before it
    /// is given back.
    async fn scale(&self, service: &str, instances: usize) -> BTreeSet<SocketAddr>;

    /// Makes the source unreadable.
    async fn take_away(&self);

    /// Makes it readable again.
    async fn give_back(&self);
}

/// What a harness can do besides, where the source knows of health.
#[async_trait]
pub trait EndpointHealthHarness: EndpointHarness {
    /// Makes one instance of the service pass its checks or not; it stays registered.
    async fn set_healthy(&self, service: &str, at: SocketAddr, healthy: bool);
}

/// Makes one `#[tokio::test]` per rule; the argument is an async function that makes a fresh harness.
#[macro_export]
macro_rules! endpoint_conformance_tests {
    ($harness:path) => {
        $crate::endpoint_conformance_tests!(@rules $harness:
            an_unknown_service_is_known_to_have_no_endpoints
            every_listing_is_whole_and_sorted
            a_service_without_endpoints_is_known_empty
            failed_is_never_empty
            a_source_that_comes_back_tells_what_it_missed
            a_change_of_one_service_is_no_news_for_another
            two_watches_of_one_request_agree
            a_late_watch_begins_with_what_is_known
            a_query_of_another_kind_is_refused_and_costs_only_itself
            the_state_follows_failure_and_return
        );
    };
    (@rules $harness:path: $($rule:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::conformance::endpoint::$rule($harness().await).await;
            }
        )*
    };
}

/// The same for the rules about health.
#[macro_export]
macro_rules! endpoint_health_conformance_tests {
    ($harness:path) => {
        $crate::endpoint_conformance_tests!(@rules $harness:
            an_instance_that_fails_its_check_is_told_as_unhealthy_and_stays_listed
            a_service_whose_instances_are_all_unhealthy_is_not_known_empty
        );
    };
}

/// Nobody waits for ever for a service that is not there.
pub async fn an_unknown_service_is_known_to_have_no_endpoints(harness: impl EndpointHarness) {
    let mut watch = watch(&harness, "unknown");
    assert_eq!(next(&mut watch).await, Listing::Complete(Vec::new()));
}

/// A listing replaces the one before it.
pub async fn every_listing_is_whole_and_sorted(harness: impl EndpointHarness) {
    let mut watch = watch(&harness, "a");
    for instances in [2, 3, 1] {
        let places = harness.scale("a", instances).await;
        assert_eq!(places.len(), instances, "the harness scales");
        let told = until(&mut watch, &places).await;
        assert!(told.is_sorted(), "{told:?}");
    }
}

/// Scaling to nothing is told as such.
pub async fn a_service_without_endpoints_is_known_empty(harness: impl EndpointHarness) {
    let places = harness.scale("a", 1).await;
    let mut watch = watch(&harness, "a");
    until(&mut watch, &places).await;
    harness.scale("a", 0).await;
    until(&mut watch, &BTreeSet::new()).await;
}

/// The one rule that everything rests on.
pub async fn failed_is_never_empty(harness: impl EndpointHarness) {
    let places = harness.scale("a", 1).await;
    let mut watch = watch(&harness, "a");
    until(&mut watch, &places).await;
    harness.take_away().await;
    // What was under way when it went may still be told.
    loop {
        match next(&mut watch).await {
            Listing::Failed(_) => return,
            Listing::Complete(told) => assert_eq!(places_of(&told), places),
        }
    }
}

/// A watch outlives the failure of its source.
pub async fn a_source_that_comes_back_tells_what_it_missed(harness: impl EndpointHarness) {
    harness.take_away().await;
    let mut watch = watch(&harness, "a");
    let told = next(&mut watch).await;
    assert!(matches!(told, Listing::Failed(_)), "{told:?}");
    let places = harness.scale("a", 2).await;
    harness.give_back().await;
    until(&mut watch, &places).await;
}

/// What happens elsewhere wakes nobody: what follows is told without anything in between.
pub async fn a_change_of_one_service_is_no_news_for_another(harness: impl EndpointHarness) {
    let places = harness.scale("a", 1).await;
    let (mut quiet, mut busy) = (watch(&harness, "a"), watch(&harness, "b"));
    until(&mut quiet, &places).await;
    for instances in [1, 2] {
        let places = harness.scale("b", instances).await;
        until(&mut busy, &places).await;
    }
    let more = harness.scale("a", 2).await;
    let told = next_but(&mut quiet, &places).await;
    assert_eq!(places_of(&told), more);
}

/// Upstreams that ask for the same see the same.
pub async fn two_watches_of_one_request_agree(harness: impl EndpointHarness) {
    let (mut one, mut other) = (watch(&harness, "a"), watch(&harness, "a"));
    let places = harness.scale("a", 2).await;
    let (one, other) = (until(&mut one, &places).await, until(&mut other, &places).await);
    let where_from = |told: Vec<Endpoint>| told.into_iter().map(|at| (at.address, at.id)).collect::<Vec<_>>();
    assert_eq!(where_from(one), where_from(other));
}

/// Whoever comes later need not wait for a change.
pub async fn a_late_watch_begins_with_what_is_known(harness: impl EndpointHarness) {
    let places = harness.scale("a", 1).await;
    let mut early = watch(&harness, "a");
    until(&mut early, &places).await;
    let mut late = watch(&harness, "a");
    until(&mut late, &places).await;
    drop(early);
    let places = harness.scale("a", 2).await;
    until(&mut late, &places).await;
}

/// A source says what it cannot answer, and goes on answering what it can.
pub async fn a_query_of_another_kind_is_refused_and_costs_only_itself(harness: impl EndpointHarness) {
    let mut foreign = harness.source().watch(&harness.foreign_request());
    let told = next(&mut foreign).await;
    assert!(matches!(&told, Listing::Failed(error) if error.cause == Cause::Invalid), "{told:?}");
    let places = harness.scale("a", 1).await;
    until(&mut watch(&harness, "a"), &places).await;
}

/// Status and alarms see what happens.
pub async fn the_state_follows_failure_and_return(harness: impl EndpointHarness) {
    let mut state = harness.source().state();
    let mut watch = watch(&harness, "a");
    let places = harness.scale("a", 1).await;
    until(&mut watch, &places).await;
    until_phase(&mut state, &mut watch, Phase::Complete).await;
    harness.take_away().await;
    let failed = until_phase(&mut state, &mut watch, Phase::Failed).await;
    assert!(failed.last_error.is_some(), "{failed:?}");
    harness.give_back().await;
    until_phase(&mut state, &mut watch, Phase::Complete).await;
}

/// Waits for the state while the watch is polled, as it is in use.
async fn until_phase(
    state: &mut watch::Receiver<SourceState>,
    watch: &mut Watch<Vec<Endpoint>>,
    phase: Phase,
) -> SourceState {
    let poll = async { while watch.next().await.is_some() {} };
    let reached = timeout(PATIENCE, state.wait_for(|state| state.phase == phase));
    tokio::select! {
        reached = reached => reached.expect("the state follows in time").expect("a source outlives its watches").clone(),
        () = poll => panic!("a watch does not end"),
    }
}

/// Who takes endpoints out decides what health means; a source tells it.
pub async fn an_instance_that_fails_its_check_is_told_as_unhealthy_and_stays_listed(
    harness: impl EndpointHealthHarness,
) {
    let places = harness.scale("a", 2).await;
    let mut watch = watch(&harness, "a");
    until_usable(&mut watch, &places).await;
    let sick = *places.first().expect("two places");
    harness.set_healthy("a", sick, false).await;
    let well: BTreeSet<_> = places.iter().copied().filter(|place| *place != sick).collect();
    let told = until_usable(&mut watch, &well).await;
    assert_eq!(places_of(&told), places);
    harness.set_healthy("a", sick, true).await;
    until_usable(&mut watch, &places).await;
}

/// Nobody there and nobody well are different things.
pub async fn a_service_whose_instances_are_all_unhealthy_is_not_known_empty(
    harness: impl EndpointHealthHarness,
) {
    let places = harness.scale("a", 1).await;
    let mut watch = watch(&harness, "a");
    until_usable(&mut watch, &places).await;
    harness.set_healthy("a", *places.first().expect("one place"), false).await;
    let told = until_usable(&mut watch, &BTreeSet::new()).await;
    assert_eq!(places_of(&told), places);
}

fn watch(harness: &impl EndpointHarness, service: &str) -> Watch<Vec<Endpoint>> {
    harness.source().watch(&harness.request(service))
}

fn places_of(told: &[Endpoint]) -> BTreeSet<SocketAddr> {
    told.iter().map(Endpoint::place).collect()
}

fn usable_of(told: &[Endpoint]) -> BTreeSet<SocketAddr> {
    let usable = told.iter().filter(|at| at.health.is_usable());
    usable.map(Endpoint::place).collect()
}

async fn until(watch: &mut Watch<Vec<Endpoint>>, places: &BTreeSet<SocketAddr>) -> Vec<Endpoint> {
    until_by(watch, places, places_of).await
}

async fn until_usable(watch: &mut Watch<Vec<Endpoint>>, places: &BTreeSet<SocketAddr>) -> Vec<Endpoint> {
    until_by(watch, places, usable_of).await
}

/// Waits for a listing of these places; fails with what was seen last.
async fn until_by(
    watch: &mut Watch<Vec<Endpoint>>,
    places: &BTreeSet<SocketAddr>,
    of: fn(&[Endpoint]) -> BTreeSet<SocketAddr>,
) -> Vec<Endpoint> {
    let mut last = None;
    let found = timeout(PATIENCE, async {
        loop {
            match next(watch).await {
                Listing::Complete(told) if of(&told) == *places => return told,
                told => last = Some(told),
            }
        }
    });
    let told = found.await;
    told.unwrap_or_else(|_| panic!("{places:?} were not told in time; last: {last:?}"))
}

/// The next complete listing of other places than these. Health may have moved in between; places may not.
async fn next_but(watch: &mut Watch<Vec<Endpoint>>, places: &BTreeSet<SocketAddr>) -> Vec<Endpoint> {
    loop {
        match next(watch).await {
            Listing::Complete(told) if places_of(&told) == *places => {}
            Listing::Complete(told) => return told,
            Listing::Failed(error) => panic!("{error}"),
        }
    }
}
