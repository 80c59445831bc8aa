//! One file that holds a whole secret: its PEM blocks become the values of a certificate. Nothing is decoded here;
//! what does not fit together is found where certificates are understood.

use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

/// Values by name.
pub(super) type Values = BTreeMap<String, Zeroizing<Vec<u8>>>;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The values in the file of this name, or what is wrong with it. Without any PEM block it is one value, named
/// like the file.
pub(super) fn split(name: &str, content: Zeroizing<Vec<u8>>) -> Result<Values, &'static str> {
    let Some(text) = str::from_utf8(&content).ok().filter(|text| text.contains(BEGIN)) else {
        return Ok(Values::from([(name.to_owned(), content)]));
    };
    let (mut certificates, mut keys) = (Vec::new(), Vec::new());
    for (label, block) in blocks(text)? {
        match label {
            "CERTIFICATE" => certificates.push(block),
            label if label.ends_with("PRIVATE KEY") => keys.push(block),
            // Parameters of curves and groups, which tools put in front of keys.
            _ => {}
        }
    }
    let whole = |blocks: &[Range<usize>]| joined(text, blocks);
    match (certificates.is_empty(), keys.len()) {
        (_, 2..) => Err("it holds more than one private key"),
        (true, 0) => Err("it holds neither a certificate nor a private key"),
        (true, _) => Ok(Values::from([("privateKey".to_owned(), whole(&keys))])),
        (false, 0) => Ok(Values::from([("rootCa".to_owned(), whole(&certificates))])),
        (false, _) => Ok(Values::from([
            ("certChain".to_owned(), whole(&certificates)),
            ("privateKey".to_owned(), whole(&keys)),
        ])),
    }
}

/// The blocks of a text with their labels, in order.
fn blocks(text: &str) -> Result<Vec<(&str, Range<usize>)>, &'static str> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find(BEGIN).map(|found| at + found) {
        let rest = &text[begin + BEGIN.len()..];
        let label = rest.split_once(DASHES).map(|(label, _)| label).filter(|label| !label.contains('\n'));
        let label = label.ok_or("a line that begins a block is cut off")?;
        let end = format!("{END}{label}{DASHES}");
        let length = text[begin..].find(&end).ok_or("a block has no end: the file is cut off")? + end.len();
        at = begin + length;
        blocks.push((label, begin..at));
    }
    Ok(blocks)
}

fn joined(text: &str, blocks: &[Range<usize>]) -> Zeroizing<Vec<u8>> {
    let length = blocks.iter().map(|block| block.len() + 1).sum();
    let mut joined = Zeroizing::new(Vec::with_capacity(length));
    for block in blocks {
        joined.extend_from_slice(text[block.clone()].as_bytes());
        joined.push(b'\n');
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(label: &str, content: &str) -> String {
        format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
    }

    fn split_text(text: &str) -> Result<Vec<(String, String)>, &'static str> {
        let text_of = |value: &Zeroizing<Vec<u8>>| String::from_utf8(value.to_vec()).expect("text");
        let values = split("web.pem", Zeroizing::new(text.as_bytes().to_vec()))?;
        Ok(values.iter().map(|(name, value)| (name.clone(), text_of(value))).collect())
    }

    #[test]
    fn a_chain_and_its_key_are_told_apart_in_any_order() {
        let (leaf, issuer) = (block("CERTIFICATE", "leaf"), block("CERTIFICATE", "issuer"));
        for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
            let key = block(label, "key");
            let chain = ("certChain".to_owned(), format!("{leaf}{issuer}"));
            let expected = Ok(vec![chain, ("privateKey".to_owned(), key.clone())]);
            assert_eq!(split_text(&format!("{leaf}{issuer}{key}")), expected);
            assert_eq!(split_text(&format!("{key}subject=web\n{leaf}\r\n{issuer}")), expected);
        }
    }

    #[test]
    fn certificates_alone_are_roots_and_a_key_alone_is_a_key() {
        let roots = block("CERTIFICATE", "1") + &block("CERTIFICATE", "2");
        assert_eq!(split_text(&roots), Ok(vec![("rootCa".to_owned(), roots.clone())]));
        let key = block("EC PRIVATE KEY", "key");
        let with_parameters = block("EC PARAMETERS", "curve") + &key;
        assert_eq!(split_text(&with_parameters), Ok(vec![("privateKey".to_owned(), key)]));
    }

    #[test]
    fn a_last_line_without_its_end_is_whole() {
        let roots = block("CERTIFICATE", "1");
        assert_eq!(split_text(roots.trim_end()), Ok(vec![("rootCa".to_owned(), roots.clone())]));
    }

    #[test]
    fn what_is_no_pem_is_one_value_by_the_name_of_the_file() {
        assert_eq!(split_text("hunter2\n"), Ok(vec![("web.pem".to_owned(), "hunter2\n".to_owned())]));
        let bytes = Zeroizing::new(vec![0xff, 0x00]);
        assert_eq!(split("key", bytes.clone()), Ok(Values::from([("key".to_owned(), bytes)])));
    }

    #[test]
    fn what_is_cut_off_or_ambiguous_is_refused() {
        let (certificate, key) = (block("CERTIFICATE", "leaf"), block("PRIVATE KEY", "key"));
        for (text, why) in [
            (format!("{certificate}{key}{key}"), "more than one private key"),
            (format!("{certificate}{}", &key[..40]), "cut off"),
            ("-----BEGIN CERTIFICATE".to_owned(), "cut off"),
            (block("PUBLIC KEY", "key"), "neither"),
        ] {
            let error = split_text(&text).expect_err(&text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
