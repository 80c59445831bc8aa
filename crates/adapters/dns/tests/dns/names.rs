//! Addresses behind names: when they are looked at again, and which answers count.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::ensure;
use biplane_core::resources::upstream::discovery::DnsRecord;
use biplane_dns::{DnsOptions, DnsSource};
use biplane_source::{Cause, EndpointSource as _, Listing, Phase};
use biplane_testkit::dns::{DnsServer, Mood, RecordType, ResponseCode};
use biplane_testkit::{eventually, throughout};

use crate::harness::{Harness, complete, next, places, request};

const PATIENCE: Duration = Duration::from_secs(20);

fn addresses(last: impl IntoIterator<Item = u8>) -> Vec<IpAddr> {
    last.into_iter().map(|last| IpAddr::from([127, 0, 0, last])).collect()
}

#[tokio::test]
async fn addresses_of_both_families_are_one_listing() {
    let harness = Harness::quick().await;
    harness.server.addresses("web.test", &["127.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()]);
    let any = complete(&mut harness.watch("web.test", DnsRecord::Any)).await;
    assert_eq!(places(&any), ["127.0.0.1:8080", "[fd00::1]:8080"]);
    let v6 = complete(&mut harness.watch("web.test", DnsRecord::Aaaa)).await;
    assert_eq!(places(&v6), ["[fd00::1]:8080"]);
    let none = complete(&mut harness.watch("web.test", DnsRecord::Srv)).await;
    assert_eq!(places(&none), [""; 0], "the name is there, and has no services");
}

#[tokio::test]
async fn if_one_family_cannot_be_looked_up_nothing_is_told_but_that() {
    let harness = Harness::quick().await;
    harness.server.alias("web.test", "target.test");
    harness.server.mood_about("target.test", Mood::Error(ResponseCode::ServFail));
    let told = next(&mut harness.watch("web.test", DnsRecord::Any)).await;
    let Listing::Failed(error) = told else { panic!("{told:?}") };
    assert!(error.message.contains("target.test") && error.message.contains("SERVFAIL"), "{error}");
}

#[tokio::test]
async fn aliases_are_followed_over_several_answers() {
    let harness = Harness::quick().await;
    harness.server.alias("web.test", "a.test");
    harness.server.alias("a.test", "b.test");
    harness.server.addresses("b.test", &addresses([1]));
    assert_eq!(places(&complete(&mut harness.watch("web.test", DnsRecord::A)).await), ["127.0.0.1:8080"]);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_by_tcp() {
    let harness = Harness::quick().await;
    harness.server.addresses("web.test", &addresses(1..=200));
    let told = complete(&mut harness.watch("web.test", DnsRecord::A)).await;
    assert_eq!(told.len(), 200);
    assert!(harness.server.by_tcp() > 0, "it came by UDP");
}

#[tokio::test]
async fn a_question_is_asked_once_however_many_watch_it() {
    let harness = Harness::new("", DnsRecord::A).await;
    harness.server.ttl(60);
    harness.server.addresses("web.test", &addresses([1, 2]));
    let mut watches: Vec<_> = (0..50).map(|_| harness.watch("web.test", DnsRecord::A)).collect();
    watches.push(harness.watch("WEB.test", DnsRecord::A));
    for watch in &mut watches {
        assert_eq!(complete(watch).await.len(), 2);
    }
    assert_eq!(harness.server.asked("web.test", RecordType::A), 1);
    assert_eq!(harness.source.counters()["queries"], 1);
}

#[tokio::test]
async fn records_are_looked_at_again_when_they_are_old_and_not_before() {
    let harness = Harness::new("minRefresh=100ms", DnsRecord::A).await;
    harness.server.ttl(2);
    harness.server.addresses("web.test", &addresses([1]));
    let mut watch = harness.watch("web.test", DnsRecord::A);
    assert_eq!(complete(&mut watch).await.len(), 1);
    harness.server.addresses("web.test", &addresses([1, 2]));
    throughout("records that are fresh are not asked for", Duration::from_secs(1), async || {
        ensure!(harness.server.asked("web.test", RecordType::A) == 1);
        Ok(())
    })
    .await;
    assert_eq!(complete(&mut watch).await.len(), 2);
}

#[tokio::test]
async fn a_refresh_looks_at_once() {
    let harness = Harness::new("", DnsRecord::A).await;
    harness.server.ttl(3600);
    harness.server.addresses("web.test", &addresses([1]));
    let mut watch = harness.watch("web.test", DnsRecord::A);
    assert_eq!(complete(&mut watch).await.len(), 1);
    harness.server.addresses("web.test", &addresses([1, 2]));
    harness.source.refresh();
    assert_eq!(complete(&mut watch).await.len(), 2);
}

#[tokio::test]
async fn nothing_is_asked_for_when_nobody_watches() {
    let harness = Harness::quick().await;
    harness.server.addresses("web.test", &addresses([1]));
    let mut watch = harness.watch("web.test", DnsRecord::A);
    complete(&mut watch).await;
    drop(watch);
    let asked = || harness.server.asked("web.test", RecordType::A);
    // One may be under way.
    let most = asked() + 1;
    throughout("nobody asks", Duration::from_secs(1), async || {
        ensure!(asked() <= most, "{} questions", asked());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn silence_a_refusal_and_a_referral_are_failures_that_say_what_to_do() {
    let harness = Harness::quick().await;
    for (name, mood, says, cause) in [
        ("silent.test", Mood::Silent, "gives no answer in time", Cause::Unavailable),
        ("refused.test", Mood::Error(ResponseCode::Refused), "answers REFUSED", Cause::Denied),
        ("referred.test", Mood::Referring, "refers to other servers", Cause::Invalid),
    ] {
        harness.server.mood_about(name, mood);
        let told = next(&mut harness.watch(name, DnsRecord::A)).await;
        let Listing::Failed(error) = told else { panic!("{name}: {told:?}") };
        assert!(error.message.contains(says) && error.message.contains(name), "{error}");
        assert!(error.hint.is_some() && error.cause == cause, "{error:?}");
    }
}

#[tokio::test]
async fn a_name_that_fails_costs_no_other_name_and_is_named_in_the_state() {
    let harness = Harness::quick().await;
    harness.server.addresses("web.test", &addresses([1]));
    harness.server.mood_about("bad.test", Mood::Error(ResponseCode::ServFail));
    let (mut good, mut bad) =
        (harness.watch("web.test", DnsRecord::A), harness.watch("bad.test", DnsRecord::A));
    assert_eq!(complete(&mut good).await.len(), 1);
    assert!(matches!(next(&mut bad).await, Listing::Failed(_)));
    let state = harness.source.state();
    eventually("the failing name in the state", PATIENCE, async || {
        let state = state.borrow();
        let failing = state.details.get("failing").map(String::as_str);
        ensure!(state.phase == Phase::Failed && failing == Some("1 of 2: bad.test"), "{state:?}");
        Ok(())
    })
    .await;
    harness.server.addresses("web.test", &addresses([1, 2]));
    assert_eq!(complete(&mut good).await.len(), 2);
}

#[tokio::test]
async fn a_server_that_fails_is_passed_over_and_the_one_that_answered_is_asked_first_from_then_on() {
    let (sick, well) = (DnsServer::start().await, DnsServer::start().await);
    sick.mood(Mood::Error(ResponseCode::ServFail));
    well.addresses("web.test", &addresses([1]));
    let url = format!("dns://{},{}?minRefresh=50ms&maxRefresh=50ms", sick.address(), well.address());
    let source = DnsSource::new(DnsOptions::from_url(&url).expect("a good URL"));
    let mut watch = source.watch(&request("web.test", DnsRecord::A));
    assert_eq!(complete(&mut watch).await.len(), 1);
    well.addresses("web.test", &addresses([1, 2]));
    assert_eq!(complete(&mut watch).await.len(), 2);
    assert_eq!(sick.asked("web.test", RecordType::A), 1);
}
