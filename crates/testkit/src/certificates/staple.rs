//! OCSP responses: short ones that say that a certificate is good. Envoy checks whom they are for and until when, not who
//! signed them.

use rustls_pki_types::CertificateDer;

use super::Identity;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]` around something, and `[2]`.
const FIRST: u8 = 0xa0;
const THIRD: u8 = 0xa2;

/// `id-pkix-ocsp-basic`, `sha1`, `ecdsa-with-SHA256`.
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const GOOD: &[u8] = &[0x80, 0x00];
/// Some hash of an issuer's name or key: nobody looks.
const HASH: &[u8] = &[0; 20];

impl Identity {
    /// An OCSP response for the certificate, as DER. `until`: the last second of it, such as `20990101000000Z`.
    pub fn staple(&self, until: &str) -> Vec<u8> {
        let since = element(TIME, &[b"20200101000000Z"]);
        let hashes = [algorithm(SHA1), element(OCTET_STRING, &[HASH]), element(OCTET_STRING, &[HASH])];
        let id = element(SEQUENCE, &[&hashes.concat(), &element(INTEGER, &[&serial(&self.der())])]);
        let until = element(FIRST, &[&element(TIME, &[until.as_bytes()])]);
        let single = element(SEQUENCE, &[&id, GOOD, &since, &until]);
        let responder = element(THIRD, &[&element(OCTET_STRING, &[HASH])]);
        let data = element(SEQUENCE, &[&responder, &since, &element(SEQUENCE, &[&single])]);
        let basic = element(SEQUENCE, &[&data, &algorithm(ECDSA), &element(BIT_STRING, &[&[0]])]);
        let kind = element(OBJECT_IDENTIFIER, &[BASIC]);
        let bytes = element(SEQUENCE, &[&kind, &element(OCTET_STRING, &[&basic])]);
        element(SEQUENCE, &[&element(ENUMERATED, &[&[0]]), &element(FIRST, &[&bytes])])
    }
}

fn algorithm(identifier: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[identifier])])
}

/// An element of DER.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).expect("our responses are short").to_be_bytes();
    let header = match length {
        [0, short] if short < 0x80 => vec![tag, short],
        [0, short] => vec![tag, 0x81, short],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [header, content].concat()
}

/// The serial number of a certificate.
fn serial(certificate: &CertificateDer<'_>) -> Vec<u8> {
    let signed = inside(inside(certificate));
    // The version stands before it, in five bytes.
    let serial = signed.strip_prefix(&[FIRST, 3, INTEGER, 1, 2]).expect("a certificate of version 3");
    inside(serial).to_vec()
}

/// What is inside the first element.
fn inside(der: &[u8]) -> &[u8] {
    let (header, length) = match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
    };
    &der[header..header + length]
}
