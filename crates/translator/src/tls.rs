//! What TLS towards clients and TLS towards upstreams share: where key material comes from and what
//! a handshake may use.
//!
//! Key material always goes by SDS. A certificate that changes is then a change of one small `Secret`, never of
//! a listener or a cluster, which would drain connections.

use biplane_core::key::ResourceRef;
use biplane_core::resources::tls::{ProtocolVersion, SslConfig, SslFiles, SslParameters};
use envoy_types::pb::envoy::config::core::v3::TransportSocket;
use envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::{
    CombinedCertificateValidationContext, ValidationContextType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::subject_alt_name_matcher::SanType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, SdsSecretConfig, SubjectAltNameMatcher, TlsParameters,
};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher};
use prost::{Message, Name};

use crate::resource::{EnvoyName, EnvoyType};
use crate::{Lookup, encode, names, proto, secret};

/// Where the key material of one side of a connection comes from, by the names of its Envoy secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyMaterial {
    /// The certificates to show, of which a peer gets the first that it can check.
    pub(crate) certificates: Vec<String>,
    /// The roots to verify the peer by.
    pub(crate) validation: Option<String>,
}

/// What is known of a `Secret` object with a certificate or a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no such object.
    Absent,
    /// It is kept elsewhere, and its source has not answered yet.
    Unknown,
    /// It has these parts.
    Parts(SecretParts),
}

/// The two parts that a `Secret` object can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SecretParts {
    /// A certificate with its key.
    pub(crate) certificate: bool,
    /// A root.
    pub(crate) root: bool,
    /// Something to staple.
    pub(crate) staple: bool,
}

/// What the `Secret` object `name` holds.
pub(crate) fn find(name: &ResourceRef, lookup: &dyn Lookup) -> Found {
    let Some(secret) = lookup.secret(name) else { return Found::Absent };
    if !secret.is_known() {
        return Found::Unknown;
    }
    let tls = secret.tls.as_ref();
    Found::Parts(SecretParts {
        certificate: tls.is_some_and(secret::has_certificate),
        root: tls.is_some_and(secret::has_root),
        staple: tls.is_some_and(secret::has_staple),
    })
}

/// Whether a service lets in only clients that show a certificate. Where that cannot be known, because
/// the secret is missing or not known yet, it does.
pub(crate) fn verifies_clients(ssl: &SslConfig, lookup: &dyn Lookup) -> bool {
    let files = ssl.ssl_files.as_ref().is_some_and(|files| secret::root_file_name(files).is_some());
    let may_have_root = |name| match find(name, lookup) {
        Found::Absent | Found::Unknown => true,
        Found::Parts(parts) => parts.root,
    };
    let root = files || ssl.secret_ref.as_ref().is_some_and(may_have_root);
    !ssl.verify_subject_alt_name.is_empty() || root && ssl.one_way_tls != Some(true)
}

/// The key material of a service that is not known yet.
pub(crate) fn unknown_material(
    ssl: &SslConfig,
    lookup: &dyn Lookup,
) -> impl Iterator<Item = EnvoyName> + use<> {
    let unknown = ssl.secret_ref.as_ref().filter(|name| find(name, lookup) == Found::Unknown);
    unknown.map(secret::key_material).into_iter().flatten()
}

impl KeyMaterial {
    /// The parts of a `Secret` object.
    pub(crate) fn of_secret(name: &ResourceRef, parts: SecretParts) -> Self {
        Self {
            certificates: parts.certificate.then(|| names::secret_certificate(name)).into_iter().collect(),
            validation: parts.root.then(|| names::secret_validation(name)),
        }
    }

    /// Files on Envoy's machine.
    pub(crate) fn of_files(files: &SslFiles) -> Self {
        Self {
            certificates: secret::certificate_file_name(files).into_iter().collect(),
            validation: secret::root_file_name(files),
        }
    }

    /// The Envoy secrets that are named here.
    pub(crate) fn references(&self) -> impl Iterator<Item = EnvoyName> + '_ {
        let names = self.certificates.iter().chain(&self.validation);
        names.map(|name| EnvoyName::new(EnvoyType::Secret, name.as_str()))
    }

    /// The part of the TLS settings that holds for either side. `subject_alt_names` are verified only
    /// together with a root: without one Envoy refuses the listener or cluster.
    pub(crate) fn context(
        &self,
        parameters: Option<&SslParameters>,
        alpn_protocols: Vec<String>,
        subject_alt_names: &[String],
    ) -> CommonTlsContext {
        CommonTlsContext {
            tls_params: parameters.map(tls_parameters),
            tls_certificate_sds_secret_configs: self.certificates.iter().map(|name| sds(name)).collect(),
            validation_context_type: self
                .validation
                .as_deref()
                .map(|name| validation(name, subject_alt_names)),
            alpn_protocols,
            ..CommonTlsContext::default()
        }
    }
}

/// A transport socket of TLS.
pub(crate) fn transport_socket<M: Message + Name>(context: &M) -> TransportSocket {
    TransportSocket {
        name: "envoy.transport_sockets.tls".into(),
        config_type: Some(ConfigType::TypedConfig(encode::any(context))),
    }
}

/// "Ask for this secret."
pub(crate) fn sds(name: &str) -> SdsSecretConfig {
    SdsSecretConfig { name: name.to_owned(), sds_config: Some(proto::ads()) }
}

fn validation(name: &str, subject_alt_names: &[String]) -> ValidationContextType {
    if subject_alt_names.is_empty() {
        return ValidationContextType::ValidationContextSdsSecretConfig(sds(name));
    }
    combined(name, subject_alt_names.iter().flat_map(|name| matchers(name)).collect())
}

fn combined(name: &str, matchers: Vec<SubjectAltNameMatcher>) -> ValidationContextType {
    ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
        default_validation_context: Some(CertificateValidationContext {
            match_typed_subject_alt_names: matchers,
            ..CertificateValidationContext::default()
        }),
        validation_context_sds_secret_config: Some(sds(name)),
        ..CombinedCertificateValidationContext::default()
    })
}

/// Verifies a peer by these roots, and by a URI that all of it must match, such as a SPIFFE id.
pub(crate) fn verified_by_uri(roots: &str, pattern: &str) -> ValidationContextType {
    let regex = RegexMatcher { regex: pattern.to_owned(), ..RegexMatcher::default() };
    let matcher = SubjectAltNameMatcher {
        san_type: SanType::Uri.into(),
        matcher: Some(StringMatcher {
            match_pattern: Some(MatchPattern::SafeRegex(regex)),
            ..StringMatcher::default()
        }),
        ..SubjectAltNameMatcher::default()
    };
    combined(roots, vec![matcher])
}

/// Users do not say of which type a name is; it may be any of those that a name's text can be told in.
fn matchers(name: &str) -> impl Iterator<Item = SubjectAltNameMatcher> + '_ {
    [SanType::Dns, SanType::Uri, SanType::IpAddress, SanType::Email].into_iter().map(|san_type| {
        SubjectAltNameMatcher {
            san_type: san_type.into(),
            matcher: Some(StringMatcher {
                match_pattern: Some(MatchPattern::Exact(name.to_owned())),
                ..StringMatcher::default()
            }),
            ..SubjectAltNameMatcher::default()
        }
    })
}

fn tls_parameters(parameters: &SslParameters) -> TlsParameters {
    TlsParameters {
        tls_minimum_protocol_version: version(parameters.minimum_protocol_version),
        tls_maximum_protocol_version: version(parameters.maximum_protocol_version),
        cipher_suites: parameters.cipher_suites.clone(),
        ecdh_curves: parameters.ecdh_curves.clone(),
        ..TlsParameters::default()
    }
}

fn version(version: Option<ProtocolVersion>) -> i32 {
    let protocol = match version.unwrap_or_default() {
        ProtocolVersion::TLS_AUTO => TlsProtocol::TlsAuto,
        ProtocolVersion::TLSv1_0 => TlsProtocol::TlSv10,
        ProtocolVersion::TLSv1_1 => TlsProtocol::TlSv11,
        ProtocolVersion::TLSv1_2 => TlsProtocol::TlSv12,
        ProtocolVersion::TLSv1_3 => TlsProtocol::TlSv13,
    };
    protocol.into()
}

/// The protocols to offer by ALPN: the user's, else `default`; the one value `allow_empty`: none.
pub(crate) fn alpn(user: &[String], default: &[&str]) -> Vec<String> {
    match user {
        [] => default.iter().map(|protocol| (*protocol).to_owned()).collect(),
        [only] if only == "allow_empty" => Vec::new(),
        protocols => protocols.to_vec(),
    }
}
