//! TLS settings: of a virtual service (towards clients) and of an upstream.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::key::ResourceRef;
use crate::scalars::Duration;

/// TLS towards clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SslConfig {
    /// A `Secret` that holds certificate and key. Exactly one of `secretRef` and `sslFiles`.
    pub secret_ref: Option<ResourceRef>,
    /// Certificate and key as files on the machine that runs Envoy, which follows their changes.
    pub ssl_files: Option<SslFiles>,
    /// Further `Secret`s with certificates for the same names, such as one with an ECDSA key beside one with an RSA
    /// key. Clients get the first that they can check. Roots come from `secretRef` alone.
    pub additional_secret_refs: Vec<ResourceRef>,
    /// Server names (SNI) that get this certificate; none: all that no other chain names.
    pub sni_domains: Vec<String>,
    /// The client's certificate must carry one of these subject alternative names.
    pub verify_subject_alt_name: Vec<String>,
    /// Versions, ciphers and curves.
    pub parameters: Option<SslParameters>,
    /// Protocols offered by ALPN; default `h2`, `http/1.1`. The one value `allow_empty` offers none.
    pub alpn_protocols: Vec<String>,
    /// `true`: do not ask clients for a certificate even when the secret holds a root.
    pub one_way_tls: Option<bool>,
    /// `true`: no session tickets and no session ids.
    pub disable_tls_session_resumption: Option<bool>,
    /// How long a handshake may take.
    pub transport_socket_connect_timeout: Option<Duration>,
    /// What becomes of a handshake without an OCSP response to staple. Default `LENIENT_STAPLING`.
    pub ocsp_staple_policy: Option<OcspStaplePolicy>,
}

/// What becomes of a handshake without an OCSP response that is valid now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OcspStaplePolicy {
    /// It goes on without.
    #[default]
    LenientStapling,
    /// It fails where there is a response, but an old one; without any it goes on.
    StrictStapling,
    /// It fails. A secret without a response serves nothing.
    MustStaple,
}

/// TLS towards an upstream.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UpstreamSslConfig {
    /// A `Secret` with a root to verify by, a client certificate, or both.
    pub secret_ref: Option<ResourceRef>,
    /// The same as files on the machine that runs Envoy.
    pub ssl_files: Option<SslFiles>,
    /// The server name (SNI) to send.
    pub sni: Option<String>,
    /// The server's certificate must carry one of these subject alternative names.
    pub verify_subject_alt_name: Vec<String>,
    /// Versions, ciphers and curves.
    pub parameters: Option<SslParameters>,
    /// Protocols offered by ALPN.
    pub alpn_protocols: Vec<String>,
    /// `true`: the server may ask to renegotiate.
    pub allow_renegotiation: Option<bool>,
    /// `true`: do not verify the server even when the secret holds a root.
    pub one_way_tls: Option<bool>,
}

/// Key material as files on the machine that runs Envoy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SslFiles {
    /// Path of the certificate chain.
    pub tls_cert: Option<String>,
    /// Path of the private key.
    pub tls_key: Option<String>,
    /// Path of the roots to verify peers by.
    pub root_ca: Option<String>,
    /// Path of an OCSP response.
    pub ocsp_staple: Option<String>,
}

/// Versions, ciphers and curves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SslParameters {
    /// The lowest version.
    pub minimum_protocol_version: Option<ProtocolVersion>,
    /// The highest version.
    pub maximum_protocol_version: Option<ProtocolVersion>,
    /// Cipher suites in BoringSSL's names, for TLS 1.2 and below.
    pub cipher_suites: Vec<String>,
    /// Curves in BoringSSL's names.
    pub ecdh_curves: Vec<String>,
}

/// A version of TLS.
#[expect(non_camel_case_types, reason = "Gloo's and Envoy's own spelling in YAML")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
pub enum ProtocolVersion {
    /// Envoy's choice.
    #[default]
    TLS_AUTO,
    /// TLS 1.0
    TLSv1_0,
    /// TLS 1.1
    TLSv1_1,
    /// TLS 1.2
    TLSv1_2,
    /// TLS 1.3
    TLSv1_3,
}
