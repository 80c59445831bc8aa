//! What a client certificate says of its holder: the names that somebody signed.
//!
//! Whether it is genuine was decided in the TLS handshake. The subject is not looked at: what an authority vouches
//! for is in the alternative names.

use biplane_core::scalars::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// The names and the end of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCertificate {
    /// DNS names, in lower case.
    pub dns: Vec<String>,
    /// URIs, such as SPIFFE ids.
    pub uris: Vec<String>,
    /// When its life ends.
    pub not_after: Timestamp,
}

/// The bytes are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client certificate cannot be read")]
pub struct InvalidCertificate;

impl NodeCertificate {
    /// Reads a certificate in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidCertificate> {
        let (rest, certificate) = parse_x509_certificate(der).map_err(|_| InvalidCertificate)?;
        if !rest.is_empty() {
            return Err(InvalidCertificate);
        }
        let names = certificate.subject_alternative_name().map_err(|_| InvalidCertificate)?;
        let not_after = Timestamp(certificate.validity().not_after.timestamp());
        let mut read = Self { dns: Vec::new(), uris: Vec::new(), not_after };
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => read.dns.push(name.to_ascii_lowercase()),
                GeneralName::URI(name) => read.uris.push((*name).to_owned()),
                _ => {}
            }
        }
        Ok(read)
    }

    /// How logs call its holder.
    pub(crate) fn who(&self) -> String {
        let name = self.uris.first().or_else(|| self.dns.first());
        name.map_or_else(|| "a certificate without names".to_owned(), |name| crate::refusal::shown(name))
    }
}
