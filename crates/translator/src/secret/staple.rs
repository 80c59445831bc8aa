//! OCSP responses as DER, as far as Envoy looks into them. It refuses a certificate together with a staple that it
//! cannot read or that is for another certificate: a new certificate would not be served for the old one's staple.

mod der;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use der::{Element, elements, only};

/// Tags of DER.
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;
/// `[0]`, with something inside it.
const FIRST: u8 = 0xa0;
/// `id-pkix-ocsp-basic`, the one kind of response that there is.
const BASIC: [u8; 9] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

/// Whether `der` is one successful response for the first certificate of `chain`; else what it lacks. RFC 6960, 4.2.1.
/// Of a chain that cannot be read the response is not compared with.
pub(super) fn check(der: &[u8], chain: &str) -> Result<(), &'static str> {
    let response = only(der, SEQUENCE).ok_or("not one whole DER sequence")?;
    let parts = elements(response).ok_or("not an OCSP response")?;
    match parts.first() {
        Some(Element { tag: ENUMERATED, content: [0] }) => {}
        _ => return Err("not a successful OCSP response"),
    }
    let serial =
        parts.get(1).and_then(serial_in_response).ok_or("not an OCSP response for one certificate")?;
    match serial_of_certificate(chain) {
        Some(own) if own != serial => Err("an OCSP response for another certificate"),
        _ => Ok(()),
    }
}

/// The serial number of the certificate that a response (`[0]` of it) is about, if it is about one only.
fn serial_in_response<'a>(bytes: &Element<'a>) -> Option<&'a [u8]> {
    let bytes = elements(only(bytes.inside(FIRST)?, SEQUENCE)?)?;
    let [kind, response] = bytes.as_slice() else { return None };
    if kind.inside(OBJECT_IDENTIFIER)? != BASIC {
        return None;
    }
    let basic = elements(only(response.inside(OCTET_STRING)?, SEQUENCE)?)?;
    let data = elements(basic.first()?.inside(SEQUENCE)?)?;
    // The responses are the one sequence in it: names and times before them, extensions behind them have other tags.
    let responses = elements(data.iter().find_map(|part| part.inside(SEQUENCE))?)?;
    let [single] = responses.as_slice() else { return None };
    let certificate = elements(single.inside(SEQUENCE)?)?;
    elements(certificate.first()?.inside(SEQUENCE)?)?.last()?.inside(INTEGER)
}

/// The serial number of the first certificate of a chain in PEM.
fn serial_of_certificate(chain: &str) -> Option<Vec<u8>> {
    let (_, behind) = chain.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = behind.split_once("-----END")?;
    let der = STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()?;
    let certificate = elements(only(&der, SEQUENCE)?)?;
    let signed = elements(certificate.first()?.inside(SEQUENCE)?)?;
    // Behind the version, where that is written.
    signed.iter().find_map(|part| part.inside(INTEGER)).map(<[u8]>::to_vec)
}

#[cfg(test)]
pub(super) mod tests;
