//! How an Envoy proves who it is: TLS to the control plane, a certificate, a token, each from files that Envoy reads
//! again when they change.
//!
//! Envoy follows files only if they are named in a secret that it gets by SDS, so each proof has a small file of its
//! own that says where the material is.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::exit::Failure;

/// What an Envoy proves, and by which files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The authority of the control plane's certificate: with it there is TLS.
    pub(crate) ca: Option<PathBuf>,
    /// Envoy's certificate and key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    /// The file with Envoy's token.
    pub(crate) token: Option<PathBuf>,
    /// The name that the control plane's certificate must have.
    pub(crate) server_name: String,
    /// The directory of the files that say where the others are.
    pub(crate) directory: PathBuf,
}

/// The files, by what they are of.
const AUTHORITY: &str = "xds-authority";
const CERTIFICATE: &str = "xds-certificate";
const TOKEN: &str = "xds-token";

impl Proof {
    /// The transport socket of the control plane's cluster; none: in the clear.
    pub(crate) fn transport_socket(&self) -> Option<Value> {
        self.ca.as_ref()?;
        let kind = if self.server_name.parse::<IpAddr>().is_ok() { "IP_ADDRESS" } else { "DNS" };
        let mut tls = json!({
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
            "alpn_protocols": ["h2"],
            "combined_validation_context": {
                "default_validation_context": { "match_typed_subject_alt_names": [
                    { "san_type": kind, "matcher": { "exact": self.server_name } },
                ] },
                "validation_context_sds_secret_config": self.secret(AUTHORITY),
            },
        });
        if self.identity.is_some() {
            tls["tls_certificate_sds_secret_configs"] = json!([self.secret(CERTIFICATE)]);
        }
        let mut context = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": tls,
        });
        if kind == "DNS" {
            context["sni"] = json!(self.server_name);
        }
        Some(json!({ "name": "envoy.transport_sockets.tls", "typed_config": context }))
    }

    /// The filters that put the token into the stream to the control plane.
    pub(crate) fn http_filters(&self) -> Option<Value> {
        self.token.as_ref()?;
        let generic = json!({
            "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
            "credential": self.secret(TOKEN),
            "header": "authorization",
            "header_value_prefix": "Bearer ",
        });
        let injector = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
            "overwrite": true,
            "credential": { "name": "envoy.http.injected_credentials.generic", "typed_config": generic },
        });
        let codec = json!({ "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec" });
        Some(json!([
            { "name": "envoy.filters.http.credential_injector", "typed_config": injector },
            { "name": "envoy.filters.http.upstream_codec", "typed_config": codec },
        ]))
    }

    /// Writes the files that say where the material is.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        if self.ca.is_some() || self.identity.is_some() || self.token.is_some() {
            fs::create_dir_all(&self.directory).map_err(|error| cannot_write(&self.directory, &error))?;
        }
        if let Some(ca) = &self.ca {
            let context = json!({ "trusted_ca": file(ca)?, "watched_directory": parent(ca)? });
            self.write_secret(AUTHORITY, "validation_context", &context)?;
        }
        if let Some((certificate, key)) = &self.identity {
            let pair = json!({
                "certificate_chain": file(certificate)?,
                "private_key": file(key)?,
                "watched_directory": parent(certificate)?,
            });
            self.write_secret(CERTIFICATE, "tls_certificate", &pair)?;
        }
        if let Some(token) = &self.token {
            let mut secret = file(token)?;
            secret["watched_directory"] = parent(token)?;
            self.write_secret(TOKEN, "generic_secret", &json!({ "secret": secret }))?;
        }
        Ok(())
    }

    /// By a new file in its place, which is what Envoy watches for.
    fn write_secret(&self, name: &str, field: &str, value: &Value) -> Result<(), Failure> {
        let mut secret = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": name,
        });
        secret[field] = value.clone();
        let text = crate::output::yaml(&json!({ "resources": [secret] }))?;
        let (path, new) = (self.path(name), self.directory.join(format!(".{name}.new")));
        fs::write(&new, text).map_err(|error| cannot_write(&new, &error))?;
        fs::rename(&new, &path).map_err(|error| cannot_write(&path, &error))
    }

    fn secret(&self, name: &str) -> Value {
        json!({
            "name": name,
            "sds_config": {
                "resource_api_version": "V3",
                "path_config_source": {
                    "path": self.path(name),
                    "watched_directory": { "path": self.directory },
                },
            },
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.yaml"))
    }
}

fn file(path: &Path) -> Result<Value, Failure> {
    Ok(json!({ "filename": absolute(path)? }))
}

fn parent(path: &Path) -> Result<Value, Failure> {
    let path = absolute(path)?;
    Ok(json!({ "path": path.parent().unwrap_or(Path::new("/")) }))
}

/// Envoy may be started elsewhere.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::usage(format!("{} is no path: {error}", path.display())))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}
