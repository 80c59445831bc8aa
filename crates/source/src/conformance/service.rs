//! What every source of services must do, one named rule each. Use
//! [`service_conformance_tests!`](crate::service_conformance_tests).

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::timeout;

use super::{PATIENCE, next};
use crate::{Instance, Listing, Service, ServiceName, ServiceSource, Watch};

/// A source under test and the hands of those who run services in the world that it reads.
///
/// At first no service of the names that rules use has instances, and the source can be read.
#[async_trait]
pub trait ServiceHarness: Send + Sync {
    /// The source under test: always the same instance.
    fn source(&self) -> Arc<dyn ServiceSource>;

    /// The name of a service as the source tells it.
    fn name(&self, service: &str) -> ServiceName;

    /// Makes the service have one instance for each list of tags.
    async fn set(&self, service: &str, tags: &[&[&str]]);

    /// Makes the source unreadable.
    async fn take_away(&self);

    /// Makes it readable again.
    async fn give_back(&self);
}

/// Makes one `#[tokio::test]` per rule; the argument is an async function that makes a fresh harness.
#[macro_export]
macro_rules! service_conformance_tests {
    ($harness:path) => {
        $crate::service_conformance_tests!(@rules $harness:
            a_service_is_listed_with_the_tags_of_all_its_instances
            a_service_that_goes_leaves_the_list
            an_instance_carries_its_own_tags_in_their_order
            an_unreadable_source_lists_nothing_and_says_so
            a_source_that_comes_back_lists_what_it_missed
        );
    };
    (@rules $harness:path: $($rule:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::conformance::service::$rule($harness().await).await;
            }
        )*
    };
}

/// Whoever picks services by their tags needs no more than the list.
pub async fn a_service_is_listed_with_the_tags_of_all_its_instances(harness: impl ServiceHarness) {
    let mut services = harness.source().services();
    harness.set("a", &[&["one", "both"], &["two", "both"]]).await;
    until_tags(&harness, &mut services, "a", Some(&["both", "one", "two"])).await;
    harness.set("a", &[&["other"]]).await;
    until_tags(&harness, &mut services, "a", Some(&["other"])).await;
}

/// What is gone is not listed.
pub async fn a_service_that_goes_leaves_the_list(harness: impl ServiceHarness) {
    let mut services = harness.source().services();
    harness.set("a", &[&["one"]]).await;
    until_tags(&harness, &mut services, "a", Some(&["one"])).await;
    harness.set("a", &[]).await;
    until_tags(&harness, &mut services, "a", None).await;
}

/// Readers of tags that have an order see it.
pub async fn an_instance_carries_its_own_tags_in_their_order(harness: impl ServiceHarness) {
    harness.set("a", &[&["z", "a"], &["b"]]).await;
    let mut watch = harness.source().instances(&harness.name("a"));
    let expected = BTreeSet::from([vec!["b".to_owned()], vec!["z".to_owned(), "a".to_owned()]]);
    let mut last = None;
    let found = timeout(PATIENCE, async {
        loop {
            match next(&mut watch).await {
                Listing::Complete(told) if tags(&told) == expected => return told.is_sorted(),
                told => last = Some(told),
            }
        }
    });
    assert!(found.await.unwrap_or_else(|_| panic!("not told in time; last: {last:?}")), "sorted");
}

/// A list that cannot be read is no list.
pub async fn an_unreadable_source_lists_nothing_and_says_so(harness: impl ServiceHarness) {
    harness.set("a", &[&["one"]]).await;
    let mut services = harness.source().services();
    until_tags(&harness, &mut services, "a", Some(&["one"])).await;
    harness.take_away().await;
    loop {
        match next(&mut services).await {
            Listing::Failed(_) => return,
            Listing::Complete(told) => assert!(find(&harness, &told, "a").is_some(), "{told:?}"),
        }
    }
}

/// The list outlives the failure of its source.
pub async fn a_source_that_comes_back_lists_what_it_missed(harness: impl ServiceHarness) {
    harness.take_away().await;
    let mut services = harness.source().services();
    let told = next(&mut services).await;
    assert!(matches!(told, Listing::Failed(_)), "{told:?}");
    harness.give_back().await;
    harness.set("a", &[&["one"]]).await;
    until_tags(&harness, &mut services, "a", Some(&["one"])).await;
}

fn tags(told: &[Instance]) -> BTreeSet<Vec<String>> {
    told.iter().map(|instance| instance.tags.clone()).collect()
}

fn find<'a>(harness: &impl ServiceHarness, told: &'a [Service], service: &str) -> Option<&'a Service> {
    let name = harness.name(service);
    told.iter().find(|service| service.name == name)
}

/// Waits until the service is listed with exactly these tags, or not at all; fails with what was seen last.
async fn until_tags(
    harness: &impl ServiceHarness,
    services: &mut Watch<Vec<Service>>,
    service: &str,
    tags: Option<&[&str]>,
) {
    let expected: Option<BTreeSet<String>> = tags.map(|tags| tags.iter().map(ToString::to_string).collect());
    let mut last = None;
    let found = timeout(PATIENCE, async {
        loop {
            let told = next(services).await;
            if let Listing::Complete(listed) = &told
                && find(harness, listed, service).map(|service| &service.tags) == expected.as_ref()
            {
                return;
            }
            last = Some(told);
        }
    });
    assert!(found.await.is_ok(), "{expected:?} was not told in time; last: {last:?}");
}
