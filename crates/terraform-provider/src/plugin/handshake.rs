//! The first words: what OpenTofu says in variables, and the line that it waits for on stdout.
//!
//! `1|6|unix|/tmp/biplane-x/socket|grpc|CERTIFICATE`: the version of the handshake, that of the protocol, where to connect,
//! how, and whom to expect there. Nothing else may ever be written to stdout; stderr goes into OpenTofu's log.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A word that tells a start by OpenTofu from one by hand. It is the same for all providers, and no secret.
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// The version of the provider protocol.
const PROTOCOL: &str = "6";

/// What OpenTofu says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Handshake {
    /// The certificate that the other side will show, in PEM; none: it speaks in the clear.
    pub(super) client_certificate: Option<String>,
    /// Where sockets are to be.
    pub(super) socket_folder: Option<PathBuf>,
}

impl Handshake {
    /// Reads the variables.
    pub(super) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        if variable(COOKIE.0).as_deref() != Some(COOKIE.1) {
            bail!(
                "this is Biplane's provider for OpenTofu and Terraform, which start it themselves\n\
                 hint: name it in a configuration (`required_providers`) and run `tofu init`; docs/deploy/terraform.md tells how"
            );
        }
        let versions = variable("PLUGIN_PROTOCOL_VERSIONS").unwrap_or_default();
        if !versions.split(',').any(|version| version == PROTOCOL) {
            bail!(
                "protocol {PROTOCOL} is spoken here, and this OpenTofu or Terraform speaks {versions:?}\n\
                 hint: OpenTofu 1.6 or Terraform 1.0 and newer speak it"
            );
        }
        let word = |name: &str| variable(name).filter(|word| !word.is_empty());
        Ok(Self {
            client_certificate: word("PLUGIN_CLIENT_CERT"),
            socket_folder: word("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
        })
    }

    /// Says where we are, and with which certificate.
    #[expect(clippy::unused_self, reason = "one says hello to somebody")]
    pub(super) fn say_hello(
        &self,
        to: &mut impl Write,
        socket: &Path,
        certificate: Option<&[u8]>,
    ) -> Result<()> {
        let socket = socket.to_str().context("the path of the socket is not UTF-8")?;
        let certificate = certificate.map(|der| format!("|{}", STANDARD_NO_PAD.encode(der)));
        let line = format!("1|{PROTOCOL}|unix|{socket}|grpc{}\n", certificate.unwrap_or_default());
        to.write_all(line.as_bytes()).and_then(|()| to.flush()).context("nobody reads stdout")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Handshake> {
        Handshake::of_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_start_by_hand_is_refused_with_advice() {
        let error = of(&[]).expect_err("no cookie").to_string();
        assert!(error.contains("hint: name it in a configuration"), "{error}");
    }

    #[test]
    fn another_protocol_is_refused_with_advice() {
        let error = of(&[COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "5")]).expect_err("protocol 5").to_string();
        assert!(error.contains("speaks \"5\""), "{error}");
        assert!(of(&[COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "5,6")]).is_ok());
    }

    #[test]
    fn hello_says_where_and_with_which_certificate() {
        let handshake = of(&[COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "6")]).expect("protocol 6");
        let hello = |certificate: Option<&[u8]>| {
            let mut line = Vec::new();
            handshake.say_hello(&mut line, Path::new("/tmp/s"), certificate).expect("memory");
            String::from_utf8(line).expect("text")
        };
        assert_eq!(hello(None), "1|6|unix|/tmp/s|grpc\n");
        assert_eq!(hello(Some(b"abcd")), "1|6|unix|/tmp/s|grpc|YWJjZA\n");
    }
}
