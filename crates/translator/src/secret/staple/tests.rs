//! Which responses Envoy would take with which certificate.

use super::*;

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u8::try_from(content.len()).expect("short");
    let header = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [header, content].concat()
}

/// A response about certificates with these serial numbers, as short as it can be.
pub(in crate::secret) fn response(serials: &[u8]) -> Vec<u8> {
    let about = |serial: &u8| {
        let hashes =
            [element(SEQUENCE, &[]), element(OCTET_STRING, &[b"name"]), element(OCTET_STRING, &[b"key"])];
        let id = element(SEQUENCE, &[&hashes.concat(), &element(INTEGER, &[&[*serial]])]);
        element(SEQUENCE, &[&id, &[0x80, 0]])
    };
    let responses: Vec<u8> = serials.iter().flat_map(about).collect();
    let (responder, time) = (element(0xa2, &[&element(OCTET_STRING, &[b"key"])]), element(0x18, &[b"now"]));
    let data = element(SEQUENCE, &[&responder, &time, &element(SEQUENCE, &[&responses])]);
    let basic = element(SEQUENCE, &[&data, &element(SEQUENCE, &[]), &element(0x03, &[&[0]])]);
    let kind = element(OBJECT_IDENTIFIER, &[&BASIC]);
    let bytes = element(SEQUENCE, &[&kind, &element(OCTET_STRING, &[&basic])]);
    element(SEQUENCE, &[&element(ENUMERATED, &[&[0]]), &element(FIRST, &[&bytes])])
}

/// A certificate with this serial number, as short as it can be, in PEM.
fn certificate(serial: u8) -> String {
    let version = element(FIRST, &[&element(INTEGER, &[&[2]])]);
    let signed = element(SEQUENCE, &[&version, &element(INTEGER, &[&[serial]]), &element(SEQUENCE, &[])]);
    let der = element(SEQUENCE, &[&signed, &element(SEQUENCE, &[])]);
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

#[test]
fn staple_is_a_successful_response_for_the_first_certificate() {
    let chain = certificate(7) + &certificate(8);
    assert_eq!(check(&response(&[7]), &chain), Ok(()));
    assert_eq!(check(&response(&[8]), &chain), Err("an OCSP response for another certificate"));
    for serials in [&[][..], &[7, 8]] {
        assert_eq!(check(&response(serials), &chain), Err("not an OCSP response for one certificate"));
    }
    assert_eq!(check(&response(&[7]), "placeholder"), Ok(()), "a chain that is none is not compared with");
}

#[test]
fn staple_that_is_none_is_told_for_what_it_is() {
    for (der, why) in [
        (b"placeholder".to_vec(), "not one whole DER sequence"),
        (Vec::new(), "not one whole DER sequence"),
        ([response(&[7]), vec![0]].concat(), "not one whole DER sequence"),
        (element(SEQUENCE, &[b"x"]), "not an OCSP response"),
        (element(SEQUENCE, &[&element(ENUMERATED, &[&[6]])]), "not a successful OCSP response"),
        (element(SEQUENCE, &[&element(ENUMERATED, &[&[0]])]), "not an OCSP response for one certificate"),
    ] {
        assert_eq!(check(&der, ""), Err(why), "{der:x?}");
    }
}

#[test]
fn every_piece_of_a_response_is_no_response() {
    let whole = response(&[7]);
    for length in 0..whole.len() {
        assert!(check(&whole[..length], "").is_err(), "{length}");
    }
}
