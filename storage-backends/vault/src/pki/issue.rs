//! Having one certificate issued.

use std::time::SystemTime;

use biplane_core::scalars::SecretString;
use biplane_source::SourceError;
use serde::Deserialize;
use vaultrs::api::pki::requests::{GenerateCertificateRequest, SignCertificateRequest};
use zeroize::Zeroizing;

use super::Wanted;
use super::key::{Request, request};
use super::pair::Pair;
use crate::client::{Call, Failure, Kind};
use crate::vault::Vault;

/// What the engine answers with.
#[derive(Deserialize)]
struct Issued {
    certificate: String,
    #[serde(default)]
    issuing_ca: Option<String>,
    #[serde(default)]
    ca_chain: Option<Vec<String>>,
    #[serde(default)]
    private_key: Option<SecretString>,
}

impl Issued {
    /// The certificate and those above it.
    fn chain(&self) -> Vec<u8> {
        let above = self.ca_chain.clone().filter(|chain| !chain.is_empty());
        let above = above.unwrap_or_else(|| self.issuing_ca.iter().cloned().collect());
        let mut chain = self.certificate.clone();
        for certificate in above {
            chain.push('\n');
            chain.push_str(&certificate);
        }
        chain.into_bytes()
    }
}

/// Asks for a certificate when it is our turn, and makes sure that it fits its key and the time.
pub(super) async fn issue(vault: &Vault, wanted: &Wanted) -> Result<Pair, Failure> {
    let (call, key) = match wanted.key {
        Some(kind) => {
            let made = make(wanted.clone(), kind).await.map_err(invalid)?;
            (vault.client.call(wanted.what(), wanted.sign(made.csr)), Some(made.key))
        }
        None => (vault.client.call(wanted.what(), wanted.generate()), None),
    };
    let call = call.map_err(invalid)?.needs("update", wanted.path());
    vault.bucket.turn().await;
    let issued = ask(vault, &call).await?;
    let given = issued.private_key.as_ref().map(|key| Zeroizing::new(key.expose().as_bytes().to_vec()));
    let key = key.or(given).ok_or_else(|| Failure::malformed(&call, &vault.client.address()))?;
    Pair::new(&issued.chain(), key, SystemTime::now()).map_err(|why| unfit(wanted, &why))
}

/// A certificate that is not told.
pub(super) fn unfit(wanted: &Wanted, why: &str) -> Failure {
    let message = format!("{} is not fit for use: {why}", wanted.shown().escape_debug());
    let hint = format!("what bao write {} makes of the same names", wanted.path());
    invalid(SourceError::invalid(message).hint(hint))
}

/// A key may take a second of a processor, which is not this task's.
async fn make(
    wanted: Wanted,
    kind: biplane_core::resources::secret::KeyType,
) -> Result<Request, SourceError> {
    let made = tokio::task::spawn_blocking(move || request(&wanted, kind)).await;
    made.unwrap_or_else(|_| Err(SourceError::new("the making of a key was cut off")))
}

async fn ask(vault: &Vault, call: &Call) -> Result<Issued, Failure> {
    let answer = vault.ask(call).await?;
    let issued = answer.envelope::<Issued>().filter(|_| answer.status != 404);
    issued.and_then(|envelope| envelope.data).ok_or_else(|| match answer.status {
        404 => Failure::missing(call, &vault.client.address()),
        _ => Failure::malformed(call, &vault.client.address()),
    })
}

fn invalid(error: SourceError) -> Failure {
    Failure { kind: Kind::Invalid, error }
}

impl Wanted {
    fn what(&self) -> String {
        format!("get {}", self.shown())
    }

    /// Where an issuer is named, its paths are those of an engine of its own.
    fn place(&self) -> String {
        match &self.issuer {
            Some(issuer) => format!("{}/issuer/{issuer}", self.mount),
            None => self.mount.clone(),
        }
    }

    fn path(&self) -> String {
        let verb = if self.key.is_some() { "sign" } else { "issue" };
        format!("{}/{verb}/{}", self.place(), self.role)
    }

    fn sign(&self, csr: String) -> SignCertificateRequest {
        SignCertificateRequest {
            mount: self.place(),
            role: self.role.clone(),
            csr: Some(csr),
            common_name: self.common_name().map(str::to_owned),
            alt_names: list(&self.names),
            ip_sans: list(&self.addresses),
            uri_sans: list(&self.uris),
            ttl: self.seconds(),
            ..SignCertificateRequest::default()
        }
    }

    fn generate(&self) -> GenerateCertificateRequest {
        GenerateCertificateRequest {
            mount: self.place(),
            role: self.role.clone(),
            common_name: self.common_name().map(str::to_owned),
            alt_names: list(&self.names),
            ip_sans: list(&self.addresses),
            uri_sans: list(&self.uris),
            ttl: self.seconds(),
            private_key_format: Some("pkcs8".to_owned()),
            ..GenerateCertificateRequest::default()
        }
    }

    fn seconds(&self) -> Option<String> {
        self.ttl.map(|ttl| format!("{}s", ttl.as_secs().max(1)))
    }
}

fn list(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(","))
}
