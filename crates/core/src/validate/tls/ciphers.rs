//! Cipher suites, by name, by words, and in groups. Envoy refuses a list of which one item picks nothing.

use super::super::Validator;
use super::known;
use crate::path::Trail;

/// Cipher suites of TLS 1.2 and below that Envoy knows.
const SUITES: [&str; 21] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-PSK-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-PSK-AES128-CBC-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-PSK-AES256-CBC-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "PSK-AES128-CBC-SHA",
    "PSK-AES256-CBC-SHA",
    "DES-CBC3-SHA",
];

/// Words for several suites at once; `+` joins them.
#[rustfmt::skip]
const WORDS: [&str; 25] = [
    "ALL", "HIGH", "FIPS", "kRSA", "kECDHE", "kEECDH", "kPSK", "aRSA", "aECDSA", "aPSK", "ECDHE", "EECDH", "ECDSA", "RSA",
    "PSK", "AES", "AES128", "AES256", "AESGCM", "CHACHA20", "3DES", "SHA", "SHA1", "TLSv1", "TLSv1.2",
];

/// The words that key exchanges answer to, and which of [`ENCRYPTIONS`] go with them.
const EXCHANGES: [(&str, &[usize]); 5] = [
    ("kRSA RSA aRSA", &[0, 1, 2, 3, 5]),
    ("kECDHE kEECDH ECDHE EECDH aRSA", &[0, 1, 2, 3, 4]),
    ("kECDHE kEECDH ECDHE EECDH aECDSA ECDSA", &[0, 1, 2, 3, 4]),
    ("kECDHE kEECDH ECDHE EECDH aPSK", &[0, 1, 4]),
    ("kPSK PSK aPSK", &[0, 1]),
];

/// The words that encryptions answer to.
const ENCRYPTIONS: [&str; 6] = [
    "AES AES128 SHA SHA1",
    "AES AES256 SHA SHA1",
    "AES AES128 AESGCM",
    "AES AES256 AESGCM",
    "CHACHA20",
    "3DES SHA SHA1",
];

/// The words that all suites answer to.
const EVERY: &str = "ALL HIGH FIPS";

/// Checks one item: a suite, a word, words joined by `+`; or in brackets, more of them of equal
/// preference: `[A|B]`.
pub(super) fn suite(v: &mut Validator<'_, '_>, suite: &str, at: &Trail<'_>) {
    let group = suite.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    if group.unwrap_or(suite).contains(['[', ']']) || (group.is_none() && suite.contains('|')) {
        let hint = "write suites of equal preference as [A|B], in one pair of brackets";
        return v.error_hint(at, format!("{suite:?}: Envoy does not take this form"), hint);
    }
    for name in group.unwrap_or(suite).split('|') {
        if name.contains('+') && !have_a_suite_in_common(name) {
            v.error_hint(at, format!("{name:?}: these words pick no suite"), "list the suites by name");
        } else if !name.contains('+') && !WORDS.contains(&name) {
            known(v, name, &SUITES, at);
        }
    }
}

/// Whether a suite answers to all of the words. Those for versions of TLS are not among them: Envoy takes
/// them as the last word only.
fn have_a_suite_in_common(words: &str) -> bool {
    let answers = |exchange: &str, encryption: usize| {
        let all = [exchange, ENCRYPTIONS[encryption], EVERY];
        words.split('+').all(|word| all.iter().any(|known| known.split(' ').any(|known| known == word)))
    };
    EXCHANGES.iter().any(|(exchange, encryptions)| encryptions.iter().any(|each| answers(exchange, *each)))
}
