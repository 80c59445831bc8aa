//! Secrets: exactly one form, or one place where the values are kept. Nothing here quotes a value.

mod external;
mod forms;
mod tls;
mod vault;

use super::Validator;
use crate::path::Trail;
use crate::resources::Secret;

pub(super) fn secret(v: &mut Validator<'_, '_>, secret: &Secret, at: &Trail<'_>) {
    v.exactly_one(at, "what the secret holds", &choices(secret));
    if let Some(form) = &secret.tls {
        tls::tls(v, form, &at.field("tls"));
    }
    if let Some(form) = &secret.header {
        forms::header(v, form, &at.field("header"));
    }
    if let Some(form) = &secret.credentials {
        forms::credentials(v, form, &at.field("credentials"));
    }
    if let Some(form) = &secret.api_key {
        forms::api_key(v, form, &at.field("apiKey"));
    }
    if let Some(form) = &secret.aws {
        forms::aws(v, form, &at.field("aws"));
    }
    if let Some(form) = &secret.azure {
        forms::named(v, &form.api_keys, &at.field("azure").field("apiKeys"));
    }
    if let Some(form) = &secret.oauth {
        forms::given(v, form.client_secret.as_ref(), "clientSecret", &at.field("oauth"));
    }
    if let Some(form) = &secret.encryption {
        forms::given(v, form.key.as_ref(), "key", &at.field("encryption"));
    }
    if let Some(form) = &secret.generic {
        forms::named(v, &form.values, &at.field("generic").field("values"));
    }
    if let Some(place) = &secret.vault {
        vault::vault(v, place, &at.field("vault"));
    }
    if let Some(place) = &secret.file {
        external::file(v, place, &at.field("file"));
    }
}

const fn choices(secret: &Secret) -> [(&'static str, bool); 11] {
    [
        ("tls", secret.tls.is_some()),
        ("header", secret.header.is_some()),
        ("credentials", secret.credentials.is_some()),
        ("apiKey", secret.api_key.is_some()),
        ("aws", secret.aws.is_some()),
        ("azure", secret.azure.is_some()),
        ("oauth", secret.oauth.is_some()),
        ("encryption", secret.encryption.is_some()),
        ("generic", secret.generic.is_some()),
        ("vault", secret.vault.is_some()),
        ("file", secret.file.is_some()),
    ]
}
