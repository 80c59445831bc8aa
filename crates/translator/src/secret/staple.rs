//! The shell of an OCSP response, as DER. Envoy refuses a certificate together with a staple that it
//! cannot read.

/// `ENUMERATED successful(0)`, with which the response starts; all others are errors of the responder.
const SUCCESSFUL: [u8; 3] = [0x0a, 0x01, 0x00];
/// The tag of a SEQUENCE.
const SEQUENCE: u8 = 0x30;

/// Whether this is one successful response and nothing else; else what it lacks. RFC 6960, 4.2.1.
pub(super) fn check(der: &[u8]) -> Result<(), &'static str> {
    let content = sequence(der).ok_or("not one whole DER sequence")?;
    if content.starts_with(&SUCCESSFUL) { Ok(()) } else { Err("not a successful OCSP response") }
}

/// What is inside a SEQUENCE that takes up all of `der`.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    let (&[tag, first], rest) = der.split_first_chunk::<2>()?;
    let (length, content) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => long_length(rest, usize::from(first & 0x7f))?,
        // Without a length of its own, or longer than any response.
        _ => return None,
    };
    (tag == SEQUENCE && content.len() == length).then_some(content)
}

/// A length of several bytes: the shortest form that can tell it.
fn long_length(rest: &[u8], bytes: usize) -> Option<(usize, &[u8])> {
    let (digits, content) = rest.split_at_checked(bytes)?;
    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    (length > 0x7f && digits[0] != 0).then_some((length, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(header: &[u8], content: usize) -> Vec<u8> {
        let mut der = header.to_vec();
        der.extend(SUCCESSFUL);
        der.resize(header.len() + content, 0);
        der
    }

    #[test]
    fn staple_is_one_whole_successful_response() {
        for der in [
            response(&[0x30, 0x03], 3),
            response(&[0x30, 0x7f], 127),
            response(&[0x30, 0x81, 0x80], 128),
            response(&[0x30, 0x82, 0x01, 0x00], 256),
        ] {
            assert_eq!(check(&der), Ok(()), "{:?}", &der[..4]);
        }
        for der in [
            b"placeholder".to_vec(),
            Vec::new(),
            vec![0x30],
            vec![0x30, 0x03, 0x0a, 0x01, 0x06],
            response(&[0x31, 0x03], 3),
            response(&[0x30, 0x03], 4),
            response(&[0x30, 0x04], 3),
            response(&[0x30, 0x80], 3),
            response(&[0x30, 0x81, 0x03], 3),
            response(&[0x30, 0x82, 0x00, 0x80], 128),
            vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(check(&der).is_err(), "{:?}", &der[..der.len().min(4)]);
        }
    }
}
