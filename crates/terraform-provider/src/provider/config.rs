//! The `provider` block: where Biplane's API is and who asks, with the variables that the command line reads too.

use std::path::PathBuf;

use biplane_admin_api::client::{Address, Identity, Token};
use biplane_admin_api::{ClientOptions, DEFAULT_ADDRESS};

use crate::diagnostics;
use crate::schema::{Attribute, Mode, Shape};
use crate::value::Value;
use crate::wire::{AttributePath, Diagnostic};

/// What the provider is for.
pub(crate) const DESCRIPTION: &str = "Gateways, virtual services, route tables, upstreams and the other objects of \
                                      Biplane, the control plane for Envoy without Kubernetes.";

const ADDRESS: &str = "address";
const TOKEN: &str = "token";

/// The attributes that name files, and their variables.
const FILES: [(&str, &str); 4] = [
    ("token_file", "BIPLANE_API_TOKEN_FILE"),
    ("ca_file", "BIPLANE_API_CA_FILE"),
    ("cert_file", "BIPLANE_API_CERT_FILE"),
    ("key_file", "BIPLANE_API_KEY_FILE"),
];

/// The attributes of the block.
pub(crate) fn attributes() -> Vec<Attribute> {
    let own = |name, description: &str| Attribute::own(name, Shape::Text, Mode::Optional, description);
    let sensitive = |attribute: Attribute| Attribute { sensitive: true, ..attribute };
    vec![
        own(
            ADDRESS,
            "Where the API is: `http://127.0.0.1:9978`, `https://HOST:9978` or `unix:///run/biplane/admin.sock`. \
             Default: `BIPLANE_API`, or `http://127.0.0.1:9978`.",
        ),
        sensitive(own(
            TOKEN,
            "The token of the API. OpenTofu keeps it in saved plans; `token_file` stays out of them.",
        )),
        own("token_file", "A file with the token, read for each call. Default: `BIPLANE_API_TOKEN_FILE`."),
        own("ca_file", "Whom to trust, in PEM. Default: `BIPLANE_API_CA_FILE`, or whom this machine trusts."),
        own("cert_file", "The certificate to show, in PEM. Default: `BIPLANE_API_CERT_FILE`."),
        own("key_file", "Its key, in PEM. Default: `BIPLANE_API_KEY_FILE`."),
    ]
}

/// What the block says; none: not all of it is known yet.
pub(crate) fn options(config: &Value) -> Result<Option<ClientOptions>, Diagnostic> {
    options_with(config, &|name| std::env::var(name).ok())
}

fn options_with(
    config: &Value,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<ClientOptions>, Diagnostic> {
    if config.fields().is_some_and(|fields| fields.values().any(|value| *value == Value::Unknown)) {
        return Ok(None);
    }
    let word = |name: &str, fallback: &str| {
        let given = config.get(name).text().map(str::to_owned);
        given.or_else(|| variable(fallback)).filter(|word| !word.is_empty())
    };
    let [token_file, ca_file, cert_file, key_file] =
        FILES.map(|(name, fallback)| word(name, fallback).map(PathBuf::from));
    let identity = match (cert_file, key_file) {
        (Some(cert_file), Some(key_file)) => Some(Identity { cert_file, key_file }),
        (None, None) => None,
        _ => {
            return Err(diagnostics::error(
                "cert_file and key_file belong together",
                "hint: give both or none",
            ));
        }
    };
    // What is written in the block comes before what a variable says.
    let token = match config.get(TOKEN).text() {
        Some(_) if config.get("token_file").text().is_some() => {
            return Err(diagnostics::error("token and token_file are both set", "hint: keep token_file"));
        }
        Some(token) => Some(Token::text(token)),
        None => token_file.map(Token::File),
    };
    let address = address(word(ADDRESS, "BIPLANE_API"))?;
    Ok(Some(ClientOptions { token, ca_file, identity, ..ClientOptions::new(address) }))
}

fn address(word: Option<String>) -> Result<Address, Diagnostic> {
    let Some(word) = word else { return Ok(DEFAULT_ADDRESS.into()) };
    let refused = |error: biplane_admin_api::client::InvalidAddress| {
        diagnostics::at(diagnostics::error(error.to_string(), ""), AttributePath::root(ADDRESS))
    };
    word.parse().map_err(refused)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(config: serde_json::Value, variables: &[(&str, &str)]) -> String {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match options_with(&Value::of_json(config), &variable) {
            Ok(Some(ClientOptions { address, token, ca_file, identity })) => {
                format!("{address} {token:?} {ca_file:?} {}", identity.is_some())
            }
            Ok(None) => "unknown".to_owned(),
            Err(diagnostic) => diagnostic.summary,
        }
    }

    #[test]
    fn the_block_comes_before_the_variables_and_these_before_the_defaults() {
        assert_eq!(shown(json!({}), &[]), "http://127.0.0.1:9978 None None false");
        let variables = [("BIPLANE_API", "unix:///a.sock"), ("BIPLANE_API_TOKEN_FILE", "/token")];
        assert_eq!(shown(json!({}), &variables), "unix:///a.sock Some(the file /token) None false");
        let block = json!({ "address": "https://plane.example", "token": "canary", "ca_file": "/ca" });
        assert_eq!(
            shown(block, &variables),
            "https://plane.example:9978 Some([redacted]) Some(\"/ca\") false"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(shown(json!({ "cert_file": "/c" }), &[]), "cert_file and key_file belong together");
        assert_eq!(
            shown(json!({ "token": "a", "token_file": "/b" }), &[]),
            "token and token_file are both set"
        );
        assert!(shown(json!({ "address": "ftp://a" }), &[]).starts_with("\"ftp://a\" is not an address"));
    }

    #[test]
    fn what_is_not_known_yet_is_left_for_later() {
        let config = Value::Map([("address".to_owned(), Value::Unknown)].into());
        assert!(matches!(options_with(&config, &|_| None), Ok(None)));
    }
}
