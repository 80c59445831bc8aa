//! A small certificate authority: one key, one name, and what it signs.

use biplane_core::scalars::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use crate::exit::Failure;

/// How long the authority lasts.
const TEN_YEARS: u16 = 3650;

/// Clocks differ: what is made now is good from yesterday on.
const DAY: i64 = 86_400;

/// A certificate and its key, both in PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Who gets a certificate.
pub(super) enum Holder {
    /// The server, by these names.
    Server(Vec<String>),
    /// The nodes of a fleet.
    Fleet(String),
}

/// An authority.
pub(super) struct Authority {
    trust_domain: String,
    params: CertificateParams,
    key: KeyPair,
}

impl Holder {
    /// What its files are called.
    pub(super) fn file(&self) -> String {
        match self {
            Self::Server(_) => "server".to_owned(),
            Self::Fleet(fleet) => format!("fleet-{fleet}"),
        }
    }
}

impl Authority {
    /// A new authority.
    pub(super) fn new(trust_domain: &str) -> Result<Self, Failure> {
        Ok(Self::with(trust_domain, KeyPair::generate().map_err(|error| failed(&error))?))
    }

    /// The authority of this key. Its name is always the same, so that the key says everything.
    pub(super) fn open(trust_domain: &str, key: &str) -> Result<Self, rcgen::Error> {
        Ok(Self::with(trust_domain, KeyPair::from_pem(key)?))
    }

    fn with(trust_domain: &str, key: KeyPair) -> Self {
        let mut params = lasting(TEN_YEARS);
        params.distinguished_name.push(DnType::CommonName, "Biplane authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self { trust_domain: trust_domain.to_owned(), params, key }
    }

    /// Its own certificate and key.
    pub(super) fn pair(&self) -> Pair {
        let certificate = self.params.self_signed(&self.key).expect("a key that was made or read signs");
        Pair { certificate: certificate.pem(), key: self.key.serialize_pem() }
    }

    /// A certificate for a holder.
    pub(super) fn issue(&self, holder: &Holder, days: u16) -> Result<Pair, Failure> {
        let mut params = lasting(days);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        match holder {
            Holder::Server(names) => {
                let with_names = CertificateParams::new(names.clone());
                let with_names =
                    with_names.map_err(|_| Failure::usage(format!("{names:?} are not names of hosts")))?;
                params.subject_alt_names = with_names.subject_alt_names;
                params.distinguished_name.push(DnType::CommonName, "Biplane");
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
            Holder::Fleet(fleet) => {
                let id = format!("spiffe://{}/fleet/{fleet}", self.trust_domain);
                let id = id.try_into().map_err(|error| failed(&error))?;
                params.subject_alt_names = vec![SanType::URI(id)];
                params.distinguished_name.push(DnType::CommonName, fleet);
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
        }
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).map_err(|error| failed(&error))?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn lasting(days: u16) -> CertificateParams {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or_default();
    let mut params = CertificateParams::default();
    let ((from_year, from_month, from_day), (year, month, day)) =
        (date(now - DAY), date(now + i64::from(days) * DAY));
    params.not_before = date_time_ymd(from_year, from_month, from_day);
    params.not_after = date_time_ymd(year, month, day);
    params
}

/// The day of a moment.
fn date(seconds: i64) -> (i32, u8, u8) {
    let text = Timestamp(seconds).to_string();
    let part = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<i32>().ok());
    let small = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok());
    let day = || Some((part(0, 4)?, small(part(5, 7))?, small(part(8, 10))?));
    day().expect("a timestamp begins with its day")
}

fn failed(error: &rcgen::Error) -> Failure {
    Failure::failed(format!("a certificate cannot be made: {error}"))
}
