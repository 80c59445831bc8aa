//! The values of a secret as JSON, in the layout of its object. Elsewhere they are never written: a secret prints and
//! serializes as redacted.
//!
//! Invariant: what is read is what was written, whatever its form; a field that is added to a form is missed here by the
//! compiler.

use std::collections::BTreeMap;

use biplane_core::resources::Secret;
use biplane_core::resources::secret::{
    ApiKeySecret, AwsSecret, AzureSecret, CredentialsSecret, EncryptionSecret, GenericSecret, HeaderSecret,
    OauthSecret, TlsSecret,
};
use biplane_core::scalars::SecretString;
use serde_json::{Value, json};

/// The values of every form that the secret has; where values are kept is not among them.
pub(super) fn write(secret: &Secret) -> Value {
    let Secret {
        tls,
        header,
        credentials,
        api_key,
        aws,
        azure,
        oauth,
        encryption,
        generic,
        vault: _,
        file: _,
    } = secret;
    let forms = [
        ("tls", tls.as_ref().map(write_tls)),
        ("header", header.as_ref().map(|HeaderSecret { headers }| json!({ "headers": texts(headers) }))),
        ("credentials", credentials.as_ref().map(write_credentials)),
        ("apiKey", api_key.as_ref().map(write_api_key)),
        ("aws", aws.as_ref().map(write_aws)),
        ("azure", azure.as_ref().map(|AzureSecret { api_keys }| json!({ "apiKeys": texts(api_keys) }))),
        (
            "oauth",
            oauth
                .as_ref()
                .map(|OauthSecret { client_secret }| json!({ "clientSecret": text(client_secret.as_ref()) })),
        ),
        (
            "encryption",
            encryption.as_ref().map(|EncryptionSecret { key }| json!({ "key": text(key.as_ref()) })),
        ),
        ("generic", generic.as_ref().map(|GenericSecret { values }| json!({ "values": texts(values) }))),
    ];
    forms.into_iter().filter_map(|(name, form)| Some((name, form?))).collect()
}

/// The secret that was written so.
pub(super) fn read(value: Value) -> Option<Secret> {
    serde_json::from_value(value).ok()
}

fn write_tls(TlsSecret { cert_chain, private_key, root_ca, ocsp_staple }: &TlsSecret) -> Value {
    json!({
        "certChain": cert_chain,
        "privateKey": text(private_key.as_ref()),
        "rootCa": root_ca,
        "ocspStaple": ocsp_staple,
    })
}

fn write_credentials(CredentialsSecret { username, password, users }: &CredentialsSecret) -> Value {
    json!({ "username": username, "password": text(password.as_ref()), "users": texts(users) })
}

fn write_api_key(ApiKeySecret { api_key, keys, labels, metadata }: &ApiKeySecret) -> Value {
    json!({ "apiKey": text(api_key.as_ref()), "keys": texts(keys), "labels": labels, "metadata": metadata })
}

fn write_aws(AwsSecret { access_key, secret_key, session_token }: &AwsSecret) -> Value {
    json!({ "accessKey": access_key, "secretKey": text(secret_key.as_ref()), "sessionToken": text(session_token.as_ref()) })
}

fn text(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(SecretString::expose)
}

fn texts(secrets: &BTreeMap<String, SecretString>) -> BTreeMap<&str, &str> {
    secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &str) -> BTreeMap<String, SecretString> {
        BTreeMap::from([(name.to_owned(), SecretString::new("value"))])
    }

    #[test]
    fn every_form_reads_back_as_it_was() {
        let secret = Secret {
            tls: Some(TlsSecret {
                cert_chain: Some("chain".to_owned()),
                private_key: Some(SecretString::new("key")),
                root_ca: None,
                ocsp_staple: Some("staple".to_owned()),
            }),
            header: Some(HeaderSecret { headers: map("x-a") }),
            credentials: Some(CredentialsSecret {
                username: Some("ada".to_owned()),
                password: Some(SecretString::new("first")),
                users: map("bob"),
            }),
            api_key: Some(ApiKeySecret {
                api_key: Some(SecretString::new("key")),
                keys: map("client"),
                labels: vec!["label".to_owned()],
                metadata: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            }),
            aws: Some(AwsSecret {
                access_key: Some("id".to_owned()),
                secret_key: Some(SecretString::new("key")),
                session_token: Some(SecretString::new("token")),
            }),
            azure: Some(AzureSecret { api_keys: map("_master") }),
            oauth: Some(OauthSecret { client_secret: Some(SecretString::new("secret")) }),
            encryption: Some(EncryptionSecret { key: Some(SecretString::new("key")) }),
            generic: Some(GenericSecret { values: map("jwk") }),
            vault: None,
            file: None,
        };
        assert_eq!(read(write(&secret)), Some(secret));
        assert_eq!(read(write(&Secret::default())), Some(Secret::default()));
    }
}
