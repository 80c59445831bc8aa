//! Private keys that never travel, and the requests that Vault signs for them.

use std::net::IpAddr;

use biplane_core::resources::secret::KeyType;
use biplane_source::SourceError;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use zeroize::Zeroizing;

use super::Wanted;

/// A key and a request to sign it.
pub(super) struct Request {
    /// PKCS#8 in PEM.
    pub(super) key: Zeroizing<Vec<u8>>,
    /// PKCS#10 in PEM.
    pub(super) csr: String,
}

/// Makes both. An RSA key takes a second or more of a processor.
pub(super) fn request(wanted: &Wanted, kind: KeyType) -> Result<Request, SourceError> {
    let unfit = |what: &str| {
        SourceError::invalid(format!("cannot ask for {}: {what}", wanted.shown().escape_debug()))
            .hint("commonName, altNames, ipSans and uriSans of the secret")
    };
    let key = generate(kind).map_err(|_| unfit("no key of this kind can be made"))?;
    let params = params(wanted).map_err(|name| unfit(&format!("{name:?} is no name for a certificate")))?;
    let csr = params.serialize_request(&key).and_then(|csr| csr.pem());
    let csr = csr.map_err(|_| unfit("its names make no request"))?;
    Ok(Request { key: Zeroizing::new(key.serialize_pem().into_bytes()), csr })
}

fn generate(kind: KeyType) -> Result<KeyPair, rcgen::Error> {
    match kind {
        KeyType::Ec256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyType::Ec384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        KeyType::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeyType::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
    }
}

/// The names, of which roles take those of the request by default. The error is the name that is none.
fn params(wanted: &Wanted) -> Result<CertificateParams, String> {
    let mut names = wanted.names.clone();
    // As Vault does where it makes the key itself.
    if is_hostname(&wanted.common_name) && !names.contains(&wanted.common_name) {
        names.insert(0, wanted.common_name.clone());
    }
    let names = names.iter().map(|name| name_of(name));
    let addresses = wanted
        .addresses
        .iter()
        .map(|text| text.trim().parse::<IpAddr>().map(SanType::IpAddress).map_err(|_| text.clone()));
    let uris = wanted.uris.iter().map(|uri| ascii(uri).map(SanType::URI));
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.chain(addresses).chain(uris).collect::<Result<_, _>>()?;
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = wanted.common_name() {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    Ok(params)
}

fn name_of(name: &str) -> Result<SanType, String> {
    let text = ascii(name)?;
    Ok(if name.contains('@') { SanType::Rfc822Name(text) } else { SanType::DnsName(text) })
}

fn ascii(text: &str) -> Result<rcgen::string::Ia5String, String> {
    text.try_into().map_err(|_| text.to_owned())
}

/// Labels of letters, digits and hyphens, the first of which may be a star.
fn is_hostname(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    name.parse::<IpAddr>().is_err() && name.strip_prefix("*.").unwrap_or(name).split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            mount: "pki".into(),
            role: "edge".into(),
            common_name: "api.example.com".into(),
            names: vec!["www.example.com".into(), "ops@example.com".into()],
            addresses: vec!["10.0.0.1".into(), "::1".into()],
            uris: vec!["spiffe://example.com/api".into()],
            ttl: None,
            issuer: None,
            key: None,
        }
    }

    #[test]
    fn every_kind_of_key_makes_a_request() {
        for kind in [KeyType::Ec256, KeyType::Ec384, KeyType::Rsa2048] {
            let request = request(&wanted(), kind).expect("a request");
            assert!(request.csr.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
            assert!(request.key.starts_with(b"-----BEGIN PRIVATE KEY-----"));
        }
    }

    #[test]
    fn the_common_name_is_among_the_names_if_it_is_one_of_a_host() {
        let names = |common_name: &str| {
            let wanted = Wanted { common_name: common_name.into(), ..wanted() };
            params(&wanted).expect("names").subject_alt_names.len()
        };
        assert_eq!(names("api.example.com"), 6);
        assert_eq!(names("*.example.com"), 6);
        for other in ["www.example.com", "Team A", "10.0.0.1", "a..b", "spiffe://x"] {
            assert_eq!(names(other), 5, "{other}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_named() {
        let cases = [
            Wanted { addresses: vec!["10.0.0".into()], ..wanted() },
            Wanted { names: vec!["b\u{fc}cher.example".into()], ..wanted() },
            Wanted { uris: vec!["\u{e4}:".into()], ..wanted() },
        ];
        for case in cases {
            let error = request(&case, KeyType::Ec256).err().expect("no name");
            assert!(error.message.contains("is no name") && error.hint.is_some(), "{error:?}");
        }
    }
}
