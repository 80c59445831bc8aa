//! Whether key material that is written into an object works.

use biplane_core::key::ObjectKey;
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Secret;

use crate::secrets::faults;

/// The findings about a secret's material.
pub(super) fn check(key: &ObjectKey, secret: &Secret) -> Vec<Report> {
    let Some(tls) = &secret.tls else { return Vec::new() };
    let path = FieldPath::root().field("tls");
    faults(tls).into_iter().map(|(field, why)| Report::error(key, path.field(field), why)).collect()
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;
    use biplane_core::resources::secret::TlsSecret;
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
        let secret = Secret { tls: Some(tls), ..Secret::default() };
        check(&key, &secret).iter().map(ToString::to_string).collect()
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
