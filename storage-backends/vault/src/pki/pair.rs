//! A certificate with its chain and its key, which fit each other.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use biplane_source::Secret;
use rcgen::{KeyPair, PublicKeyData as _};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

use super::{CERT_CHAIN, PRIVATE_KEY, ROOT_CA, pem};
use crate::pace;
use crate::time::rfc3339;

/// A certificate that may be served.
#[derive(Clone)]
pub(super) struct Pair {
    /// The leaf first, and no root.
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<Vec<u8>>,
    pub(super) obtained: SystemTime,
    pub(super) renews: SystemTime,
    pub(super) expires: SystemTime,
}

impl Pair {
    /// A pair that was just issued, if its parts fit; else why they do not.
    pub(super) fn new(chain: &[u8], key: Zeroizing<Vec<u8>>, now: SystemTime) -> Result<Self, String> {
        let mut pair = Self::check(chain, key, now)?;
        let life = pair.expires.duration_since(now).unwrap_or_default();
        pair.renews = now + pace::between(life, 0.5, 0.6);
        Ok(pair)
    }

    /// A pair of an earlier run, if it is still of use.
    pub(super) fn known(secret: &Secret, now: SystemTime) -> Option<Self> {
        let (chain, key) = (secret.fields.get(CERT_CHAIN)?, secret.fields.get(PRIVATE_KEY)?);
        let pair = Self::check(chain, key.clone(), now).ok()?;
        Some(Self { obtained: secret.obtained, renews: secret.renews?, ..pair })
    }

    fn check(chain: &[u8], key: Zeroizing<Vec<u8>>, now: SystemTime) -> Result<Self, String> {
        let chain = pem::certificates(chain).ok_or("it does not parse")?;
        let leaf = parse(chain.first().ok_or("there is none")?).ok_or("it does not parse")?;
        let (starts, expires) =
            (time(leaf.validity.not_before.timestamp()), time(leaf.validity.not_after.timestamp()));
        if now < starts {
            let starts = rfc3339(starts);
            return Err(format!(
                "it is valid from {starts} on: the clocks of Vault and of this machine differ"
            ));
        }
        if now >= expires {
            return Err(format!("it has ended at {}", rfc3339(expires)));
        }
        let pair = std::str::from_utf8(&key).ok().and_then(|key| KeyPair::from_pem(key).ok());
        let pair = pair.ok_or("its key does not parse")?;
        if pair.subject_public_key_info() != leaf.tbs_certificate.subject_pki.raw {
            return Err("its key is another one's".to_owned());
        }
        let chain = without_roots(&chain);
        Ok(Self { chain, key, obtained: now, renews: now, expires })
    }

    /// Whether the certificate leads to one of these; else why not.
    pub(super) fn chains_to<'a>(
        &self,
        roots: impl IntoIterator<Item = &'a CertificateDer<'static>>,
    ) -> Result<(), String> {
        let anchors: Vec<TrustAnchor<'_>> =
            roots.into_iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
        let leaf = EndEntityCert::try_from(&self.chain[0]).map_err(|error| error.to_string())?;
        let now = UnixTime::now();
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let verified = leaf.verify_for_usage(algorithms, &anchors, &self.chain[1..], now, AnyUse, None, None);
        verified.map(drop).map_err(|error| format!("it does not chain to the engine's issuers ({error})"))
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        now >= self.expires
    }

    /// With the roots that go with it.
    pub(super) fn secret(&self, roots: &[u8]) -> Secret {
        let fields = [
            (CERT_CHAIN, Zeroizing::new(pem::encode(&self.chain))),
            (PRIVATE_KEY, self.key.clone()),
            (ROOT_CA, Zeroizing::new(roots.to_vec())),
        ];
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Secret {
            obtained: self.obtained,
            renews: Some(self.renews),
            expires: Some(self.expires),
            ..Secret::new(fields)
        }
    }
}

/// What a certificate is for is between its role and its users.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// Who checks a chain has its root already.
fn without_roots(chain: &[CertificateDer<'static>]) -> Vec<CertificateDer<'static>> {
    let (leaf, above) = chain.split_at(1);
    let is_root = |der: &&CertificateDer<'static>| {
        parse(der).is_none_or(|certificate| certificate.subject.as_raw() != certificate.issuer.as_raw())
    };
    leaf.iter().chain(above.iter().filter(is_root)).cloned().collect()
}

fn parse<'a>(der: &'a CertificateDer<'static>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

fn time(timestamp: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(timestamp).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use biplane_testkit::{Authority, Identity};

    use super::*;

    fn pair(identity: &Identity, key: &str) -> Result<Pair, String> {
        Pair::new(identity.certificate.as_bytes(), Zeroizing::new(key.as_bytes().to_vec()), SystemTime::now())
    }

    fn why(pair: Result<Pair, String>) -> String {
        pair.err().expect("it does not fit")
    }

    #[test]
    fn a_pair_fits_its_authority_and_no_other() {
        let (authority, other) = (Authority::new("one"), Authority::new("other"));
        let identity = authority.issue(&["a.example.com"]);
        let pair = pair(&identity, &identity.key).expect("it fits");
        let root =
            |authority: &Authority| pem::certificates(authority.certificate().as_bytes()).expect("a root");
        assert_eq!(pair.chains_to(&root(&authority)), Ok(()));
        assert_eq!(pair.chains_to(root(&other).iter().chain(&root(&authority))), Ok(()));
        let error = pair.chains_to(&root(&other)).expect_err("another root");
        assert!(error.contains("does not chain"), "{error}");
        assert!(pair.chains_to(&Vec::new()).is_err());
    }

    #[test]
    fn a_pair_is_renewed_in_the_middle_of_its_life() {
        let identity = Authority::new("one").issue(&["a.example.com"]);
        let pair = pair(&identity, &identity.key).expect("it fits");
        let share = |until: SystemTime| until.duration_since(pair.obtained).expect("later").as_secs_f64();
        let part = share(pair.renews) / share(pair.expires);
        assert!((0.5..=0.6).contains(&part), "{part}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let authority = Authority::new("one");
        let (one, other) = (authority.issue(&["a"]), authority.issue(&["b"]));
        assert_eq!(why(pair(&one, &other.key)), "its key is another one's");
        assert_eq!(why(pair(&one, "no key")), "its key does not parse");
        let broken = Identity { certificate: "nothing".into(), key: one.key.clone() };
        assert_eq!(why(pair(&broken, &one.key)), "there is none");
        let at =
            |when| Pair::new(one.certificate.as_bytes(), Zeroizing::new(one.key.clone().into_bytes()), when);
        assert!(why(at(UNIX_EPOCH)).contains("clocks"));
        let far = UNIX_EPOCH + Duration::from_secs(80_000_000_000);
        assert!(why(at(far)).contains("it has ended at 4096"));
    }

    #[test]
    fn a_pair_of_an_earlier_run_keeps_its_times() {
        let identity = Authority::new("one").issue(&["a"]);
        let pair = pair(&identity, &identity.key).expect("it fits");
        let again = Pair::known(&pair.secret(b"roots"), SystemTime::now()).expect("it is still good");
        assert_eq!((again.obtained, again.renews), (pair.obtained, pair.renews));
        assert_eq!(again.secret(b"roots"), pair.secret(b"roots"));
        assert!(Pair::known(&Secret::new(BTreeMap::default()), SystemTime::now()).is_none());
    }
}
