//! From the values that a source has, under whichever names, to a secret in one of the forms that objects have.
//! Faults name values and never quote them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_core::decode::decode;
use biplane_core::key::{Kind, ResourceRef};
use biplane_core::location::Location;
use biplane_core::report::Severity;
use biplane_core::resources::secret::{
    ApiKeySecret, AwsSecret, AzureSecret, CredentialsSecret, EncryptionSecret, GenericSecret, HeaderSecret,
    OauthSecret, SecretForm, TlsSecret,
};
use biplane_core::resources::{Secret, Spec};
use biplane_core::scalars::SecretString;
use biplane_source as source;
use serde_json::{Map, Value};

use super::place::Place;
use super::rotation::blocks;
use super::wipe::wipe;

/// Why the values are not those of a secret of this form.
pub(super) type Unfit = String;

/// The usual names of values, by the names that they have here.
const USUAL: &[(&str, &[&str])] = &[
    (
        "certChain",
        &["certificate", "tls.crt", "fullchain.pem", "cert.pem", "cert", "crt", "tls_cert", "public_key"],
    ),
    ("privateKey", &["private_key", "tls.key", "privkey.pem", "key.pem", "key", "tls_key"]),
    ("rootCa", &["ca.crt", "ca.pem", "ca", "root_ca", "issuing_ca", "ca_chain"]),
    ("ocspStaple", &["ocsp_staple", "ocsp.der", "tls.ocsp-staple", "ocsp"]),
    ("username", &["user"]),
    ("password", &["pass"]),
    ("apiKey", &["api_key", "api-key", "key"]),
    ("accessKey", &["access_key", "aws_access_key_id"]),
    ("secretKey", &["secret_key", "aws_secret_access_key"]),
    ("sessionToken", &["session_token", "security_token", "aws_session_token"]),
    ("clientSecret", &["client_secret", "client-secret"]),
    ("key", &["value"]),
];

/// The secret that these values are.
pub(super) fn compose(name: &ResourceRef, place: &Place, secret: &source::Secret) -> Result<Secret, Unfit> {
    let values = Values { place, secret };
    let mut out = Secret::default();
    match place.form {
        SecretForm::Tls => out.tls = Some(values.tls()?),
        SecretForm::Header => out.header = Some(HeaderSecret { headers: values.all()? }),
        SecretForm::Credentials => {
            let (username, password) = (values.text("username")?, values.secret("password")?);
            let users = values.beside(&["username", "password"])?;
            out.credentials = Some(CredentialsSecret { username, password, users });
        }
        SecretForm::ApiKey => {
            let api_key = values.secret("apiKey")?;
            let keys = values.beside(&["apiKey"])?;
            out.api_key = Some(ApiKeySecret { api_key, keys, ..ApiKeySecret::default() });
        }
        SecretForm::Aws => {
            out.aws = Some(AwsSecret {
                access_key: Some(values.needed("accessKey")?.expose().to_owned()),
                secret_key: Some(values.needed("secretKey")?),
                session_token: values.secret("sessionToken")?,
            });
        }
        SecretForm::Azure => out.azure = Some(AzureSecret { api_keys: values.all()? }),
        SecretForm::Oauth => {
            out.oauth = Some(OauthSecret { client_secret: Some(values.needed("clientSecret")?) });
        }
        SecretForm::Encryption => {
            out.encryption = Some(EncryptionSecret { key: Some(values.needed("key")?) });
        }
        SecretForm::Generic => out.generic = Some(GenericSecret { values: values.all()? }),
        SecretForm::Gloo => out = values.object(name)?,
    }
    Ok(out)
}

struct Values<'a> {
    place: &'a Place,
    secret: &'a source::Secret,
}

impl Values<'_> {
    fn tls(&self) -> Result<TlsSecret, Unfit> {
        let tls = TlsSecret {
            cert_chain: self.text("certChain")?.map(certificates_only),
            private_key: self.secret("privateKey")?,
            root_ca: self.text("rootCa")?,
            ocsp_staple: self.find("ocspStaple")?.map(base64_of),
        };
        match (&tls.cert_chain, &tls.private_key, &tls.root_ca) {
            (Some(_), None, _) => Err(self.lacks("privateKey")),
            (None, Some(_), _) | (None, None, None) => Err(self.lacks("certChain")),
            _ => Ok(tls),
        }
    }

    /// The value of one of our names; an empty one is none.
    fn find(&self, field: &str) -> Result<Option<&[u8]>, Unfit> {
        let values = &self.secret.fields;
        let value = if let Some(name) = self.place.fields.get(field) {
            // Who names a value expects it to be there.
            Some(values.get(name).ok_or_else(|| self.lacks(field))?)
        } else {
            let usual = USUAL.iter().find(|(known, _)| *known == field).map_or(&[][..], |(_, usual)| usual);
            let mut names = std::iter::once(field).chain(usual.iter().copied());
            names.find_map(|name| values.get(name).filter(|value| !value.is_empty()))
        };
        Ok(value.map(|value| value.as_slice()).filter(|value| !value.is_empty()))
    }

    fn text(&self, field: &str) -> Result<Option<String>, Unfit> {
        let Some(value) = self.find(field)? else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| format!("the value of {field} is not text"))?;
        Ok(Some(text.to_owned()))
    }

    fn secret(&self, field: &str) -> Result<Option<SecretString>, Unfit> {
        Ok(self.text(field)?.map(SecretString::new))
    }

    fn needed(&self, field: &str) -> Result<SecretString, Unfit> {
        self.secret(field)?.ok_or_else(|| self.lacks(field))
    }

    /// All values: those that are named, else every one.
    fn all(&self) -> Result<BTreeMap<String, SecretString>, Unfit> {
        self.beside(&[])
    }

    /// All values but those of these fields. Where some are named, the others beside them are something else: each would
    /// let somebody in.
    fn beside(&self, ours: &[&str]) -> Result<BTreeMap<String, SecretString>, Unfit> {
        if self.place.fields.is_empty() {
            return self.others(ours);
        }
        let named = self.place.fields.keys().filter(|field| !ours.contains(&field.as_str()));
        named.map(|field| Ok((field.clone(), self.needed(field)?))).collect()
    }

    /// The values under all names but the usual ones of these fields.
    fn others(&self, ours: &[&str]) -> Result<BTreeMap<String, SecretString>, Unfit> {
        let usual = USUAL.iter().filter(|(known, _)| ours.contains(known)).flat_map(|(_, usual)| *usual);
        let taken: Vec<&str> = ours.iter().chain(usual).copied().collect();
        let others = self.secret.fields.iter().filter(|(name, _)| !taken.contains(&name.as_str()));
        let text = |(name, value): (&String, &zeroize::Zeroizing<Vec<u8>>)| {
            let text = std::str::from_utf8(value).map_err(|_| format!("the value of {name} is not text"))?;
            Ok((name.clone(), SecretString::new(text)))
        };
        others.map(text).collect()
    }

    /// A whole object, each of its fields as JSON.
    fn object(&self, name: &ResourceRef) -> Result<Secret, Unfit> {
        let value = |bytes: &[u8]| {
            serde_json::from_slice(bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
        };
        let fields = self.secret.fields.iter().map(|(name, bytes)| (name.clone(), value(bytes)));
        let mut fields = Value::Object(fields.collect::<Map<_, _>>());
        let text = serde_json::to_string(&fields).map(zeroize::Zeroizing::new);
        wipe(&mut fields);
        let text = text.map_err(|_| "it is no object")?;
        let key = name.key(Kind::Secret);
        let decoded = decode(&text, &key, &Location::file("-", 1));
        let fault = decoded.reports.iter().find(|report| report.severity == Severity::Error);
        match decoded.object.map(|object| object.spec) {
            Some(Spec::Secret(secret)) if secret.external().is_none() => Ok((*secret).clone()),
            Some(_) => Err("it is a reference to somewhere else".to_owned()),
            None => Err(fault.map_or_else(
                || "it is no secret".to_owned(),
                |report| format!("{}: {}", report.path, report.message),
            )),
        }
    }

    fn lacks(&self, field: &str) -> Unfit {
        let there: Vec<_> = self.secret.fields.keys().map(String::as_str).collect();
        let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
        let wanted = self.place.fields.get(field).map_or(field, String::as_str);
        format!("there is no value {wanted}; there is {there}")
    }
}

/// A chain without the key that stands beside it in the same text: chains are shown, and keys are not.
fn certificates_only(chain: String) -> String {
    if !chain.contains("PRIVATE KEY") {
        return chain;
    }
    let chain = zeroize::Zeroizing::new(chain);
    let certificates = blocks(&chain).filter(|block| !block.contains("PRIVATE KEY"));
    certificates.flat_map(|block| [block, "\n"]).collect()
}

/// A staple as objects have it, whether it is kept as DER or as base64.
fn base64_of(value: &[u8]) -> String {
    let text = std::str::from_utf8(value).ok();
    let encoded =
        text.filter(|text| STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).is_ok());
    encoded.map_or_else(|| STANDARD.encode(value), str::to_owned)
}

#[cfg(test)]
mod tests;
