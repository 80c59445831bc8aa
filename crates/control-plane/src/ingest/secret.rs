//! Whether key material works: a pair that Envoy would refuse must never replace one that works.
//! Nothing here ever quotes the material.

use biplane_core::key::ObjectKey;
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Secret;
use biplane_core::resources::secret::TlsSecret;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// The findings about a secret's material.
pub(super) fn check(key: &ObjectKey, secret: &Secret) -> Vec<Report> {
    let Some(tls) = &secret.tls else { return Vec::new() };
    let tls_path = FieldPath::root().field("tls");
    let failed = [check_pair(tls).err(), check_root(tls).err()];
    let report = |(field, why): (&str, &str)| Report::error(key, tls_path.field(field), why);
    failed.into_iter().flatten().map(report).collect()
}

fn check_pair(tls: &TlsSecret) -> Result<(), (&'static str, &'static str)> {
    let (Some(chain), Some(private)) = (&tls.cert_chain, &tls.private_key) else { return Ok(()) };
    let chain = certificates(chain).map_err(|why| ("certChain", why))?;
    let private = PrivateKeyDer::from_pem_slice(private.expose().as_bytes())
        .map_err(|_| ("privateKey", "it holds no private key in PEM"))?;
    let signer = any_supported_type(&private)
        .map_err(|_| ("privateKey", "the key is malformed or of a type that TLS does not use"))?;
    match CertifiedKey::new(chain, signer).keys_match() {
        Ok(()) => Ok(()),
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(("privateKey", "the key does not belong to the certificate"))
        }
        Err(_) => Err(("certChain", "the first certificate is malformed")),
    }
}

fn check_root(tls: &TlsSecret) -> Result<(), (&'static str, &'static str)> {
    tls.root_ca.as_ref().map_or(Ok(()), |root| certificates(root).map(drop).map_err(|why| ("rootCa", why)))
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.map_err(|_| "the PEM is malformed")?;
    if certificates.is_empty() {
        return Err("it holds no certificate in PEM");
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;
    use biplane_core::scalars::SecretString;
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    fn findings(chain: &str, private: &str) -> Vec<String> {
        let tls = TlsSecret {
            cert_chain: Some(chain.to_owned()),
            private_key: Some(SecretString::new(private)),
            ..TlsSecret::default()
        };
        let key = ObjectKey::new(Kind::Secret, "default", "s");
        check(&key, &Secret { tls: Some(tls), ..Secret::default() }).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pair_that_belongs_together_passes() {
        let (chain, private) = pair();
        assert_eq!(findings(&chain, &private), Vec::<String>::new());
    }

    #[test]
    fn key_of_another_certificate_is_refused_and_never_quoted() {
        let ((chain, _), (_, other)) = (pair(), pair());
        let found = findings(&chain, &other);
        assert_eq!(
            found,
            ["error: Secret default/s: tls.privateKey: the key does not belong to the certificate"]
        );
    }

    #[test]
    fn text_that_is_no_pem_is_refused() {
        let (chain, private) = pair();
        assert_eq!(findings("nonsense", &private).len(), 1);
        assert_eq!(findings(&chain, "nonsense").len(), 1);
    }
}
