//! What certificates say of themselves, and whether key material works: a pair that Envoy or its clients would
//! refuse must never replace one that works. Nothing here ever quotes key material.

use std::time::SystemTime;

use biplane_core::resources::secret::TlsSecret;
use biplane_core::scalars::Timestamp;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::parse_x509_certificate;

use crate::status::timestamp;

/// How far clocks may differ from one another, in seconds.
const TOLERANCE: i64 = 300;

/// What the first certificate of a chain says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its subject, such as `CN=example.com`.
    pub subject: String,
    /// Its subject alternative names, as people write them.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// When its life begins.
    pub not_before: Timestamp,
    /// When its life ends.
    pub not_after: Timestamp,
}

impl Facts {
    /// The facts of a chain in PEM; none if it is not one.
    pub(crate) fn of(chain: &str) -> Option<Self> {
        let first = certificates(chain).ok()?.into_iter().next()?;
        let (_, certificate) = parse_x509_certificate(&first).ok()?;
        Some(Self {
            subject: certificate.subject().to_string(),
            names: names(&certificate),
            issuer: certificate.issuer().to_string(),
            not_before: Timestamp(certificate.validity().not_before.timestamp()),
            not_after: Timestamp(certificate.validity().not_after.timestamp()),
        })
    }

    /// Which share of its life has passed, in percent.
    pub(crate) fn life_used(&self, now: Timestamp) -> i64 {
        let life = (self.not_after.0 - self.not_before.0).max(1);
        (now.0 - self.not_before.0) * 100 / life
    }

    /// The moment at which this share of its life has passed.
    pub(crate) const fn at_percent(&self, percent: i64) -> Timestamp {
        Timestamp(self.not_before.0 + (self.not_after.0 - self.not_before.0) * percent / 100)
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) | GeneralName::RFC822Name(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string())).ok()
}

/// A field of a TLS secret and what is wrong with it.
pub(crate) type Fault = (&'static str, String);

/// What is wrong with the material, whenever it is looked at.
pub(crate) fn faults(tls: &TlsSecret) -> Vec<Fault> {
    [check_pair(tls).err(), check_root(tls).err()].into_iter().flatten().collect()
}

/// Why a certificate cannot be shown now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untimely {
    pub(crate) fault: Fault,
    /// When it can be; none: never again.
    pub(crate) from: Option<Timestamp>,
}

/// Whether a certificate can be shown now: within its life, by a clock that may be some minutes off.
pub(crate) fn check_time(tls: &TlsSecret, now: SystemTime) -> Result<(), Untimely> {
    let Some(facts) = tls.cert_chain.as_deref().and_then(Facts::of) else { return Ok(()) };
    let untimely = |why, from| Err(Untimely { fault: ("certChain", why), from });
    let now = timestamp(now);
    if facts.not_after <= now {
        return untimely(format!("the certificate has expired at {}", facts.not_after), None);
    }
    let from = Timestamp(facts.not_before.0.saturating_sub(TOLERANCE));
    if from > now {
        let why = format!("the certificate is not valid before {}", facts.not_before);
        return untimely(why, Some(from));
    }
    Ok(())
}

fn check_pair(tls: &TlsSecret) -> Result<(), Fault> {
    let (Some(chain), Some(private)) = (&tls.cert_chain, &tls.private_key) else { return Ok(()) };
    let fault = |field: &'static str, why: &str| (field, why.to_owned());
    let chain = certificates(chain).map_err(|why| fault("certChain", why))?;
    check_order(&chain).map_err(|why| fault("certChain", why))?;
    let private = PrivateKeyDer::from_pem_slice(private.expose().as_bytes())
        .map_err(|_| fault("privateKey", "it holds no private key in PEM"))?;
    let signer = any_supported_type(&private)
        .map_err(|_| fault("privateKey", "the key is malformed or of a type that TLS does not use"))?;
    match CertifiedKey::new(chain, signer).keys_match() {
        Ok(()) => Ok(()),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(fault("privateKey", "the key does not belong to the certificate"))
        }
        Err(_) => Err(fault("certChain", "the first certificate is malformed")),
    }
}

/// Each certificate of a chain is signed by the next one. Names are compared, as clients do that build paths;
/// a certificate that nobody in the chain issued, such as a second root, is no harm.
fn check_order(chain: &[CertificateDer<'_>]) -> Result<(), &'static str> {
    let [first, second, ..] = chain else { return Ok(()) };
    let parse = |der| parse_x509_certificate(der).map(|(_, certificate)| certificate);
    let (Ok(first), Ok(second)) = (parse(first), parse(second)) else {
        return Err("a certificate of the chain is malformed");
    };
    if first.issuer().as_raw() != second.subject().as_raw() {
        return Err(
            "the second certificate is not the issuer of the first: the leaf comes first, then its issuers",
        );
    }
    Ok(())
}

fn check_root(tls: &TlsSecret) -> Result<(), Fault> {
    let Some(root) = &tls.root_ca else { return Ok(()) };
    certificates(root).map(drop).map_err(|why| ("rootCa", why.to_owned()))
}

/// The certificates in a PEM text: at least one.
pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.map_err(|_| "the PEM is malformed")?;
    if certificates.is_empty() {
        return Err("it holds no certificate in PEM");
    }
    Ok(certificates)
}

/// Who issued a certificate, by name and, where the certificate tells, by key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Issuer {
    name: Vec<u8>,
    key: Option<Vec<u8>>,
}

impl Issuer {
    /// The issuers of all certificates of a chain in PEM.
    pub(crate) fn all_of(chain: &str) -> Vec<Self> {
        let chain = certificates(chain).unwrap_or_default();
        let parsed = chain.iter().filter_map(|der| parse_x509_certificate(der).ok());
        let issuer = |(_, certificate): (_, X509Certificate<'_>)| Self {
            name: certificate.issuer().as_raw().to_vec(),
            key: authority(&certificate),
        };
        parsed.map(issuer).collect()
    }

    /// Whether it is `root`.
    pub(crate) fn is(&self, root: &CertificateDer<'_>) -> bool {
        let Ok((_, root)) = parse_x509_certificate(root) else { return false };
        let same_key = match (&self.key, own(&root)) {
            (Some(authority), Some(own)) => *authority == own,
            _ => true,
        };
        self.name == root.subject().as_raw() && same_key
    }
}

/// The key that a certificate says its issuer has.
fn authority(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(key) => Some(key.key_identifier.as_ref()?.0.to_vec()),
        _ => None,
    })
}

/// The key that a certificate says it has itself.
fn own(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(key) => Some(key.0.to_vec()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
