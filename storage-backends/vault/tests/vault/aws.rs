//! Credentials of AWS: a user's are renewed and replaced before they or their token end, a role's made anew.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use anyhow::ensure;
use biplane_core::resources::secret::VaultAws;
use biplane_core::scalars;
use biplane_source::{Cause, Listing, Secret, SecretOptions, SecretRequest, SecretSource as _};
use biplane_store_vault::VaultSecrets;
use biplane_testkit::throughout;
use futures::StreamExt as _;

use crate::fake::{Engine, Fake};
use crate::harness::{Reader, World, assert_silent, connect, shown, told};

fn wanted() -> VaultAws {
    VaultAws { role: "biplane".into(), ..VaultAws::default() }
}

fn request() -> SecretRequest {
    SecretRequest::Aws(wanted())
}

async fn fake(engine: Engine) -> (World, Fake, VaultSecrets) {
    let (world, fake) = (World::new().await, Fake::start(engine).await);
    let source = connect(fake.options(&world));
    (world, fake, source)
}

/// Whatever is told last works at every moment, for so long.
async fn always_has_credentials_that_work(fake: &Fake, source: &VaultSecrets, time: Duration) {
    let mut watch = source.watch(&request(), SecretOptions::default());
    let key = Mutex::new(key_of(watch.next().await));
    let follow = async {
        loop {
            let next = key_of(watch.next().await);
            *key.lock().expect("nobody panics with it") = next;
        }
    };
    let check = throughout("credentials that work", time, async || {
        let key = key.lock().expect("nobody panics with it").clone();
        ensure!(fake.work(&key), "{key} has ended");
        Ok(())
    });
    tokio::select! {
        () = follow => {}
        () = check => {}
    }
}

fn key_of(told: Option<Listing<Option<Secret>>>) -> String {
    match told {
        Some(Listing::Complete(Some(secret))) => shown(&secret)["accessKey"].clone(),
        told => panic!("there are credentials, and this was told: {told:?}"),
    }
}

#[tokio::test]
async fn credentials_of_a_user_have_a_key_and_no_token() {
    let (_world, fake, source) = fake(Engine::default()).await;
    let secret = source.read(&request()).await.expect("made").expect("there");
    let values = shown(&secret);
    assert_eq!((&*values["accessKey"], &*values["secretKey"]), ("AKIA1", "secret-canary"));
    assert!(!values.contains_key("sessionToken"), "{values:?}");
    let life = secret.expires.expect("they end").duration_since(secret.obtained).expect("later");
    assert_eq!((life, fake.asked()), (Duration::from_hours(1), vec!["creds/biplane".to_owned()]));
    let share = secret.renews.expect("in time").duration_since(secret.obtained).expect("later").as_secs();
    assert!((2000..=2410).contains(&share), "{share}");
}

#[tokio::test]
async fn a_role_that_is_assumed_gives_a_token_and_takes_parameters() {
    let (_world, fake, source) = fake(Engine { users: false, ..Engine::default() }).await;
    let arn = "arn:aws:iam::1:role/web";
    let wanted = VaultAws {
        role_arn: Some(arn.into()),
        ttl: Some(scalars::Duration(Duration::from_mins(15))),
        ..wanted()
    };
    let secret = source.read(&SecretRequest::Aws(wanted)).await.expect("made").expect("there");
    assert_eq!(shown(&secret)["sessionToken"], "session-canary");
    assert_eq!(fake.asked(), [format!(r#"sts/biplane "{arn}" "900s""#)]);
}

#[tokio::test]
async fn a_lease_is_renewed_and_at_its_maximum_there_are_new_credentials_in_time() {
    let (_world, fake, source) = fake(Engine { lease: 3, max: 7, ..Engine::default() }).await;
    always_has_credentials_that_work(&fake, &source, Duration::from_secs(12)).await;
    let (made, renewed) = fake.counts();
    assert!((2..=4).contains(&made) && renewed >= 2, "{made} made, {renewed} renewed");
}

#[tokio::test]
async fn credentials_are_replaced_before_the_token_that_they_end_with() {
    let (_world, fake, source) = fake(Engine { token: 4, ..Engine::default() }).await;
    always_has_credentials_that_work(&fake, &source, Duration::from_secs(9)).await;
    let (made, _) = fake.counts();
    assert!((3..=6).contains(&made), "{made} made");
}

#[tokio::test]
async fn credentials_of_a_role_outlive_the_token() {
    let (_world, fake, source) = fake(Engine { token: 2, users: false, ..Engine::default() }).await;
    let mut reader = Reader::new(&source, &request());
    reader.secret().await;
    reader.silence(Duration::from_secs(4)).await;
    assert!(source.counters().logins >= 2);
    assert_eq!(fake.counts().0, 1);
}

#[tokio::test]
async fn while_none_can_be_made_those_in_use_stand_and_their_end_is_told() {
    let (_world, fake, source) = fake(Engine { lease: 3, users: false, ..Engine::default() }).await;
    let mut reader = Reader::new(&source, &request());
    reader.secret().await;
    fake.change(|engine| engine.is_down = true);
    let error = reader.failure().await;
    assert!(told(&error).contains("AWS is away") && error.message.contains("are good until"), "{error:?}");
    assert_eq!(error.cause, Cause::Unavailable);
    while !reader.failure().await.message.contains("have ended at") {}
    fake.change(|engine| engine.is_down = false);
    assert_eq!(shown(&reader.secret().await)["accessKey"], "AKIA2");
}

#[tokio::test]
async fn those_of_an_earlier_run_are_used_if_only_time_ends_them() {
    for users in [true, false] {
        let (_world, fake, source) = fake(Engine { users, ..Engine::default() }).await;
        let known = source.read(&request()).await.expect("made").expect("there");
        let again = Reader::knowing(&source, &request(), known.clone()).secret().await;
        assert_eq!(again.same_values(&known), !users);
        assert_eq!(fake.counts().0, if users { 2 } else { 1 });
        assert!(again.renews.expect("in time") > SystemTime::now());
    }
}

#[tokio::test]
async fn what_is_asked_for_in_vain_is_named_and_nothing_shows() {
    let (_world, _fake, source) = fake(Engine::default()).await;
    let secret = source.read(&request()).await.expect("made").expect("there");
    assert_silent(&secret, "secret-canary");
    assert_silent(&(source.state().borrow().clone(), &source), "token-canary");
    let elsewhere = VaultAws { mount: Some("nowhere".into()), ..wanted() };
    let error = source.read(&SecretRequest::Aws(elsewhere)).await.expect_err("no such engine");
    assert!(error.message.contains("nowhere") && error.hint.is_some(), "{error:?}");
    for role in ["", "a/b"] {
        let error = source.read(&SecretRequest::Aws(VaultAws { role: role.into(), ..wanted() })).await;
        assert_eq!(error.expect_err("no role").cause, Cause::Invalid);
    }
}
