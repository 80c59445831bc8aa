//! What is told of certificates, and which of them are refused.

use std::time::Duration;

use biplane_core::scalars::SecretString;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd,
};

use super::*;

/// A root of this name.
fn root(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A leaf signed by `root` and its key, for the year that begins so.
fn leaf(root: &CertifiedIssuer<'static, KeyPair>, year: i32) -> (String, String) {
    let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::IpAddress("10.0.0.1".parse().unwrap()));
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (date_time_ymd(year, 1, 1), date_time_ymd(year + 1, 1, 1));
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, root).unwrap().pem(), key.serialize_pem())
}

fn tls(chain: &str, key: &str) -> TlsSecret {
    TlsSecret {
        cert_chain: Some(chain.to_owned()),
        private_key: Some(SecretString::new(key)),
        ..TlsSecret::default()
    }
}

#[test]
fn facts_are_those_of_the_leaf() {
    let root = root("Test root");
    let (chain, _) = leaf(&root, 2020);
    let facts = Facts::of(&format!("{chain}{}", root.pem())).unwrap();
    assert!(facts.subject.contains("CN=leaf") && facts.issuer.contains("CN=Test root"), "{facts:?}");
    assert_eq!(facts.names, ["a.example", "10.0.0.1"]);
    assert_eq!(facts.not_after, facts.at_percent(100));
    assert_eq!(facts.life_used(facts.at_percent(80)), 80);
}

#[test]
fn chain_in_the_wrong_order_is_refused() {
    let root = root("Test root");
    let (chain, key) = leaf(&root, 2020);
    let (ordered, reversed) = (format!("{chain}{}", root.pem()), format!("{chain}{chain}"));
    assert_eq!(faults(&tls(&ordered, &key)), []);
    let [(field, why)] = &faults(&tls(&reversed, &key))[..] else { panic!("one fault") };
    assert!(*field == "certChain" && why.contains("not the issuer"), "{why}");
}

#[test]
fn certificate_is_good_within_its_life_with_some_minutes_for_clocks_that_differ() {
    let (chain, key) = leaf(&root("Test root"), 2020);
    let tls = tls(&chain, &key);
    let facts = Facts::of(&chain).unwrap();
    let at = |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap());
    assert_eq!(check_time(&tls, at(facts.not_before.0 - 200)), Ok(()));
    let early = check_time(&tls, at(facts.not_before.0 - 400)).unwrap_err();
    assert!(early.fault.1.contains("not valid before"), "{early:?}");
    assert_eq!(early.from, Some(Timestamp(facts.not_before.0 - 300)));
    assert_eq!(check_time(&tls, at(facts.not_after.0 - 1)), Ok(()));
    let late = check_time(&tls, at(facts.not_after.0)).unwrap_err();
    assert!(late.fault.1.contains("expired") && late.from.is_none(), "{late:?}");
}

#[test]
fn issuer_is_told_by_its_name_and_its_key() {
    let (one, other, namesake) = (root("Test root"), root("Another"), root("Test root"));
    let (chain, _) = leaf(&one, 2020);
    let issuers = Issuer::all_of(&chain);
    let is = |root: &CertifiedIssuer<'static, KeyPair>| issuers.iter().any(|issuer| issuer.is(root.der()));
    assert!(is(&one) && !is(&other) && !is(&namesake));
}
