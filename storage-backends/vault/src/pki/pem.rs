//! Certificates as text and as bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// As long as a line of PEM is.
const LINE: usize = 64;

/// All certificates of a text; `None` if one of them cannot be read.
pub(super) fn certificates(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().ok()
}

/// Certificates as one text, the same for the same certificates.
pub(super) fn encode<'a>(certificates: impl IntoIterator<Item = &'a CertificateDer<'static>>) -> Vec<u8> {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(certificate);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(LINE));
            text.push_str(line);
            text.push('\n');
            rest = tail;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_can_be_read_again() {
        let all: Vec<_> = [1_usize, 48, 49, 500].map(|length| CertificateDer::from(vec![7; length])).to_vec();
        let text = encode(&all);
        assert_eq!(certificates(&text), Some(all));
        let longest = std::str::from_utf8(&text).expect("text").lines().map(str::len).max();
        assert_eq!(longest, Some(LINE));
    }

    #[test]
    fn a_text_with_something_broken_in_it_is_nothing() {
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n"), None);
        assert_eq!(certificates(b"nothing"), Some(Vec::new()));
    }
}
