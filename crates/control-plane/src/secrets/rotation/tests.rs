//! The order of roots and certificates.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of this authority, verified by these roots.
    fn issue(&self, roots: &[&Self]) -> TlsSecret {
        let params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        TlsSecret {
            cert_chain: Some(params.signed_by(&key, &self.0).unwrap().pem()),
            root_ca: Some(roots.iter().map(|root| root.pem()).collect()),
            ..TlsSecret::default()
        }
    }
}

fn root_count(tls: &TlsSecret) -> usize {
    roots(tls).len()
}

fn issuers(tls: &TlsSecret) -> BTreeSet<Issuer> {
    Issuer::all_of(tls.cert_chain.as_deref().unwrap()).into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn new_certificate_waits_until_its_roots_are_confirmed() {
    let now = Instant::now();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (before, after) = (old.issue(&[&old]), new.issue(&[&new]));
    let mut rotation = Rotation::between(&before, &after, None, now).unwrap();
    let served = rotation.serve(&after);
    assert_eq!((served.cert_chain.as_ref(), root_count(&served)), (before.cert_chain.as_ref(), 2));
    assert!(!rotation.follow(true, now), "others of the same source get their time");
    assert_eq!(rotation.deadline(now), now + SETTLE);
    assert!(!rotation.follow(false, now + SETTLE));
    assert!(rotation.follow(true, now + SETTLE));
    let served = rotation.serve(&after);
    assert_eq!((served.cert_chain.as_ref(), root_count(&served)), (after.cert_chain.as_ref(), 2));
}

#[tokio::test(start_paused = true)]
async fn envoy_that_confirms_nothing_holds_a_certificate_up_for_a_bounded_time() {
    let now = Instant::now();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let mut rotation = Rotation::between(&old.issue(&[&old]), &new.issue(&[&new]), None, now).unwrap();
    let until = rotation.deadline(now + SETTLE);
    assert!(!rotation.follow(false, until - Duration::from_millis(1)));
    assert!(rotation.follow(false, until));
}

#[tokio::test(start_paused = true)]
async fn old_root_stays_until_the_certificate_is_confirmed_and_nothing_that_it_signed_is_served() {
    let now = Instant::now();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (before, after) = (old.issue(&[&old]), new.issue(&[&new]));
    let mut rotation = Rotation::between(&before, &after, None, now).unwrap();
    let now = now + SETTLE;
    assert!(rotation.follow(true, now));
    assert!(!rotation.is_over(&after, &issuers(&after), true, now), "others get their time");
    let now = rotation.deadline(now);
    assert!(!rotation.is_over(&after, &issuers(&after), false, now), "not confirmed");
    let now = rotation.deadline(now);
    assert!(!rotation.is_over(&after, &issuers(&before), true, now), "in use");
    let now = rotation.deadline(now);
    assert!(rotation.clone().is_over(&after, &issuers(&after), true, now));
    assert!(rotation.is_over(&after, &issuers(&after), false, now + CONFIRMING), "nobody waits for ever");
}

#[tokio::test(start_paused = true)]
async fn certificate_of_known_roots_is_served_at_once() {
    let now = Instant::now();
    let old = Authority::new("old");
    let (before, after) = (old.issue(&[&old]), old.issue(&[&old]));
    assert!(Rotation::between(&before, &after, None, now).is_none());
}

#[tokio::test(start_paused = true)]
async fn root_that_is_only_taken_away_goes_at_once_unless_it_has_signed_what_is_served() {
    let now = Instant::now();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (before, after) = (old.issue(&[&old, &new]), new.issue(&[&new]));
    let mut rotation = Rotation::between(&before, &after, None, now).unwrap();
    assert!(!rotation.is_spreading());
    assert_eq!(rotation.serve(&after).cert_chain, after.cert_chain);
    assert_eq!(rotation.deadline(now), now);
    assert!(!rotation.clone().is_over(&after, &issuers(&before), false, now));
    assert!(rotation.is_over(&after, &issuers(&after), false, now));
}

#[tokio::test(start_paused = true)]
async fn newer_certificate_does_not_overtake_roots_that_are_on_their_way() {
    let now = Instant::now();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (before, first, second) = (old.issue(&[&old]), new.issue(&[&new]), new.issue(&[&new]));
    let rotation = Rotation::between(&before, &first, None, now).unwrap();
    let served = rotation.serve(&first);
    let rotation = Rotation::between(&served, &second, Some(&rotation), now).unwrap();
    assert!(rotation.is_spreading());
    assert_eq!(rotation.serve(&second).cert_chain, before.cert_chain);
}

#[tokio::test(start_paused = true)]
async fn who_verified_nobody_waits_for_nothing() {
    let now = Instant::now();
    let authority = Authority::new("a");
    let plain = TlsSecret { root_ca: None, ..authority.issue(&[]) };
    assert!(Rotation::between(&plain, &authority.issue(&[&authority]), None, now).is_none());
    assert!(Rotation::between(&authority.issue(&[&authority]), &plain, None, now).is_none());
}

#[test]
fn union_holds_each_certificate_once_and_nothing_else() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let text = format!("a remark\n{}{}", one.pem(), one.pem());
    let union = union(&text, &format!("{}{}", other.pem(), one.pem()));
    assert_eq!(certificates(&union).unwrap().len(), 2);
    assert!(!union.contains("remark"));
}

#[tokio::test(start_paused = true)]
async fn both_roots_written_out_while_they_spread_end_no_waiting() {
    let now = Instant::now();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (before, first, both) = (old.issue(&[&old]), new.issue(&[&new]), new.issue(&[&new, &old]));
    let rotation = Rotation::between(&before, &first, None, now).unwrap();
    let served = rotation.serve(&first);
    let rotation = Rotation::between(&served, &both, Some(&rotation), now).unwrap();
    assert!(rotation.is_spreading());
    assert_eq!(rotation.serve(&both).cert_chain, before.cert_chain);
}
