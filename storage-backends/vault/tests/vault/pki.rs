//! Certificates: with a key made here or in Vault, renewed in the middle of their life, kept over a restart.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use biplane_core::resources::secret::{KeyPlace, KeyType, VaultPki};
use biplane_core::scalars;
use biplane_source::{Cause, Listing, Secret, SecretRequest, SecretSource as _};
use biplane_testkit::bao::Pki;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::time::timeout;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::harness::{Reader, World, shown, token, told, unique};
use crate::policies::{bare_token, shipped, without};

/// An engine with a root and a role of Biplane's.
pub(crate) async fn engine(world: &World) -> (String, Pki) {
    let mount = unique("pki");
    let pki = world.root().pki(&mount);
    pki.mount().await.expect("an engine");
    pki.root("first root").await.expect("a root");
    pki.role("biplane", &json!({ "key_type": "any" })).await.expect("a role");
    (mount, pki)
}

pub(crate) fn wanted(mount: &str, common_name: &str, seconds: u64) -> VaultPki {
    VaultPki {
        mount: Some(mount.into()),
        role: "biplane".into(),
        common_name: common_name.into(),
        ttl: Some(scalars::Duration(Duration::from_secs(seconds))),
        ..VaultPki::default()
    }
}

pub(crate) fn certificate(mount: &str, common_name: &str, seconds: u64) -> SecretRequest {
    SecretRequest::Pki(wanted(mount, common_name, seconds))
}

/// The certificates of a field.
pub(crate) fn certificates(secret: &Secret, field: &str) -> Vec<CertificateDer<'static>> {
    let certificates = CertificateDer::pem_slice_iter(&secret.fields[field]);
    certificates.collect::<Result<_, _>>().expect("certificates in PEM")
}

/// Who is above the certificate that is served.
pub(crate) fn issuer(secret: &Secret) -> String {
    let chain = certificates(secret, "certChain");
    X509Certificate::from_der(&chain[0]).expect("a certificate").1.issuer().to_string()
}

/// The names of the roots that go with it.
pub(crate) fn roots(secret: &Secret) -> Vec<String> {
    let name = |root: &CertificateDer<'_>| {
        X509Certificate::from_der(root).expect("a certificate").1.subject().to_string()
    };
    let mut names: Vec<_> = certificates(secret, "rootCa").iter().map(name).collect();
    names.sort();
    names
}

fn names(secret: &Secret) -> Vec<String> {
    let chain = certificates(secret, "certChain");
    let (_, leaf) = X509Certificate::from_der(&chain[0]).expect("a certificate");
    let names = leaf.subject_alternative_name().expect("it parses").expect("there are names");
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            (*name).to_owned()
        }
        GeneralName::IPAddress(bytes) => format!("{bytes:?}"),
        other => panic!("nobody asked for {other:?}"),
    };
    names.value.general_names.iter().map(name).collect()
}

#[tokio::test]
async fn a_key_of_every_kind_is_made_here_and_only_its_request_travels() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let source = world.source();
    for kind in [KeyType::Ec256, KeyType::Ec384, KeyType::Rsa2048] {
        let wanted = VaultPki { key_type: Some(kind), ..wanted(&mount, "a.example.com", 60) };
        let secret = source.read(&SecretRequest::Pki(wanted)).await.expect("issued").expect("there");
        let values = shown(&secret);
        assert!(values["privateKey"].starts_with("-----BEGIN PRIVATE KEY-----"), "{kind:?}");
        assert_eq!(certificates(&secret, "certChain").len(), 1, "the root is not sent along");
        assert_eq!(roots(&secret), ["CN=first root"]);
        assert!(secret.expires.expect("it ends") > SystemTime::now());
    }
    assert_eq!((world.requests("/sign/biplane"), world.requests("/issue/")), (3, 0));
    assert_eq!(source.counters().issued, 3);
}

#[tokio::test]
async fn vault_makes_the_key_where_that_is_wanted() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    let source = world.source();
    for kind in ["ec", "rsa"] {
        pki.role("biplane", &json!({ "key_type": kind })).await.expect("a role");
        let wanted = VaultPki { key: Some(KeyPlace::Vault), ..wanted(&mount, "a.example.com", 60) };
        let secret = source.read(&SecretRequest::Pki(wanted)).await.expect("issued").expect("there");
        assert!(shown(&secret)["privateKey"].starts_with("-----BEGIN PRIVATE KEY-----"), "{kind}");
    }
    let both = VaultPki {
        key: Some(KeyPlace::Vault),
        key_type: Some(KeyType::Ec256),
        ..wanted(&mount, "a.example.com", 60)
    };
    let error = source.read(&SecretRequest::Pki(both)).await.expect_err("whose key is it");
    assert!(error.cause == Cause::Invalid && told(&error).contains("key: local"), "{error:?}");
}

#[tokio::test]
async fn all_names_are_in_the_certificate_wherever_the_key_is_made() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    pki.role("biplane", &json!({ "key_type": "ec" })).await.expect("a role");
    for key in [KeyPlace::Local, KeyPlace::Vault] {
        let wanted = VaultPki {
            key: Some(key),
            alt_names: vec!["b.example.com".into(), "*.c.example.com".into(), "ops@example.com".into()],
            ip_sans: vec!["10.0.0.1".into()],
            uri_sans: vec!["spiffe://example.com/a".into(), "spiffe://example.com/b".into()],
            ..wanted(&mount, "a.example.com", 60)
        };
        let secret = world.source().read(&SecretRequest::Pki(wanted)).await.expect("issued").expect("there");
        let mut names = names(&secret);
        names.sort();
        let expected = [
            "*.c.example.com",
            "[10, 0, 0, 1]",
            "a.example.com",
            "b.example.com",
            "ops@example.com",
            "spiffe://example.com/a",
            "spiffe://example.com/b",
        ];
        assert_eq!(names, expected, "{key:?}");
    }
}

#[tokio::test]
async fn a_certificate_needs_no_common_name_where_the_role_wants_none() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    pki.role("biplane", &json!({ "key_type": "ec", "require_cn": false })).await.expect("a role");
    for key in [KeyPlace::Local, KeyPlace::Vault] {
        let uri_sans = vec!["spiffe://example.com/a".into()];
        let wanted = VaultPki { key: Some(key), uri_sans, ..wanted(&mount, "", 60) };
        let secret = world.source().read(&SecretRequest::Pki(wanted)).await.expect("issued").expect("there");
        assert_eq!(names(&secret), ["spiffe://example.com/a"], "{key:?}");
    }
}

#[tokio::test]
async fn the_chain_has_intermediates_and_the_roots_all_that_is_above() {
    let world = World::new().await;
    let (_, root) = engine(&world).await;
    let mount = unique("pki");
    let pki = world.root().pki(&mount);
    pki.mount().await.expect("an engine");
    pki.intermediate(&root, "intermediate").await.expect("an intermediate");
    pki.role("biplane", &json!({ "key_type": "any" })).await.expect("a role");
    let secret = world.source().read(&certificate(&mount, "a.example.com", 60)).await;
    let secret = secret.expect("issued").expect("there");
    assert_eq!(certificates(&secret, "certChain").len(), 2);
    assert_eq!(
        (issuer(&secret).as_str(), roots(&secret)),
        ("CN=intermediate", vec!["CN=first root".into(), "CN=intermediate".into()])
    );
}

#[tokio::test]
async fn an_issuer_may_be_named() {
    let world = World::new().await;
    let (mount, pki) = engine(&world).await;
    let first = pki.issuer().await.expect("the first one");
    pki.root("second root").await.expect("another root");
    let wanted = VaultPki { issuer: Some(first), ..wanted(&mount, "a.example.com", 60) };
    let secret = world.source().read(&SecretRequest::Pki(wanted)).await.expect("issued").expect("there");
    assert_eq!(issuer(&secret), "CN=first root");
    assert_eq!(roots(&secret), ["CN=first root", "CN=second root"]);
}

#[tokio::test]
async fn a_certificate_is_renewed_in_the_middle_of_its_life_for_ever() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let source = world.source();
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 8));
    let mut last = reader.secret().await;
    for _ in 0..3 {
        let next = reader.secret().await;
        let age = next.obtained.duration_since(last.obtained).expect("later").as_secs_f64();
        assert!((3.5..=6.0).contains(&age), "renewed after {age} s of 8");
        assert!(!next.same_values(&last) && next.expires > last.expires);
        assert!(SystemTime::now() < last.expires.expect("it ends"), "the one before is good until then");
        assert_eq!(shown(&next)["rootCa"], shown(&last)["rootCa"]);
        last = next;
    }
    assert_eq!(source.counters().issued, 4);
    assert!(world.requests("/issuers") <= 30, "roots are read once a period for all");
}

#[tokio::test]
async fn a_certificate_of_an_earlier_run_is_used_up_to_its_renewal() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let request = certificate(&mount, "a.example.com", 10);
    let known = Reader::new(&world.source(), &request).secret().await;
    let source = world.source();
    let mut reader = Reader::knowing(&source, &request, known.clone());
    let again = reader.secret().await;
    assert!(again.same_values(&known) && again.renews == known.renews && again.obtained == known.obtained);
    assert_eq!(source.counters().issued, 0);
    let renewed = reader.secret().await;
    assert!(renewed.obtained >= known.renews.expect("it is renewed") && !renewed.same_values(&known));
    // One whose time has come is told, and renewed at once.
    let due = Secret { renews: Some(SystemTime::now()), ..renewed };
    let mut reader = Reader::knowing(&source, &request, due.clone());
    assert!(reader.secret().await.same_values(&due));
    assert!(!reader.secret().await.same_values(&due));
}

#[tokio::test]
async fn a_certificate_of_an_earlier_run_is_told_while_vault_is_away() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let request = certificate(&mount, "a.example.com", 60);
    let known = Reader::new(&world.source(), &request).secret().await;
    world.link.cut();
    let mut reader = Reader::knowing(&world.source(), &request, known.clone());
    assert!(reader.secret().await.same_values(&known));
    assert!(reader.failure().await.message.contains("is good until"));
    world.link.heal();
    assert!(reader.secret().await.same_values(&known));
    let unfit = Secret {
        renews: Some(SystemTime::now() + Duration::from_secs(9)),
        ..Secret::new(BTreeMap::default())
    };
    let mut reader = Reader::knowing(&world.source(), &request, unfit);
    assert!(!reader.secret().await.fields.is_empty());
}

#[tokio::test]
async fn many_certificates_are_issued_no_faster_than_is_allowed() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let mut options = world.options();
    options.max_rate = 4.try_into().expect("four");
    let source = crate::harness::connect(options);
    let started = Instant::now();
    let readers = (0..12).map(|n| {
        let request = certificate(&mount, &format!("a{n}.example.com"), 60);
        let mut reader = Reader::new(&source, &request);
        async move { reader.secret().await }
    });
    futures::future::join_all(readers).await;
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!((source.counters().issued, world.requests("/sign/biplane")), (12, 12));
    assert!(world.requests("/issuers") <= 10, "twelve watches share one reader of roots");
}

#[tokio::test]
async fn the_policy_that_is_shipped_is_enough_and_one_right_less_is_named() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let whole = format!("{}{}", shipped("pki.hcl", "pki/", &mount), shipped("renew-self.hcl", "", ""));
    let source = world.source_with(token(&bare_token(&world, &whole, "1h").await));
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 60));
    assert_eq!(issuer(&reader.secret().await), "CN=first root");
    let less = without(&whole, &format!("{mount}/sign/biplane"));
    let source = world.source_with(token(&bare_token(&world, &less, "1h").await));
    let error = Reader::new(&source, &certificate(&mount, "a.example.com", 60)).failure().await;
    assert_eq!(error.cause, Cause::Denied);
    let line = format!(r#"path "{mount}/sign/biplane" {{ capabilities = ["update"] }}"#);
    assert!(told(&error).contains(&line), "{error:?}");
}

#[tokio::test]
async fn a_watch_that_is_dropped_issues_nothing_and_reads_no_roots() {
    let world = World::new().await;
    let (mount, _) = engine(&world).await;
    let source = world.source();
    let mut reader = Reader::new(&source, &certificate(&mount, "a.example.com", 2));
    reader.secret().await;
    drop(reader);
    let before = world.requests(&mount);
    source.refresh();
    let silence = biplane_testkit::throughout("silence", Duration::from_secs(3), async || {
        anyhow::ensure!(world.requests(&mount) == before, "somebody asks");
        Ok(())
    });
    timeout(Duration::from_secs(10), silence).await.expect("three seconds");
    let told = Reader::new(&source, &certificate(&mount, "a.example.com", 60)).next().await;
    assert!(matches!(told, Listing::Complete(Some(_))), "{told:?}");
}
