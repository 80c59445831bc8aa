//! PEM, as far as it can be told without reading certificates: armour, labels and base64. Messages
//! never quote the text.

/// Labels of certificates.
pub(super) const CERTIFICATES: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];
/// Labels of private keys without a password.
pub(super) const PRIVATE_KEYS: &[&str] = &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// Checks that `text` holds at least one whole block with one of `labels`. Other blocks, and
/// text between blocks, are read past, as OpenSSL does.
pub(super) fn check(text: &str, labels: &[&str]) -> Result<(), &'static str> {
    let mut lines = text.lines().map(str::trim);
    let mut found = false;
    while let Some(line) = lines.next() {
        let Some(label) = armour(line, "-----BEGIN ") else { continue };
        let mut body = String::new();
        let end = loop {
            let Some(line) = lines.next() else { return Err("a PEM block does not end") };
            if let Some(label) = armour(line, "-----END ") {
                break label;
            }
            body.push_str(line);
        };
        if end != label {
            return Err("a PEM block ends with another label than it starts with");
        }
        if label == "ENCRYPTED PRIVATE KEY" || body.starts_with("Proc-Type:") {
            return Err("the key is encrypted; Envoy has no password for it");
        }
        if labels.contains(&label) {
            found = true;
            if body.is_empty() || !is_base64(&body) {
                return Err("the text inside a PEM block is not base64");
            }
        }
    }
    if found {
        return Ok(());
    }
    Err(if labels == CERTIFICATES { "no certificate in PEM in it" } else { "no private key in PEM in it" })
}

/// The label of `-----BEGIN LABEL-----`.
fn armour<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

/// Whether this is base64 with its padding, white space ignored.
pub(super) fn is_base64(text: &str) -> bool {
    let bytes: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let digits = bytes.iter().rev().skip_while(|b| **b == b'=').count();
    let padding = bytes.len() - digits;
    !bytes.is_empty()
        && bytes.len().is_multiple_of(4)
        && padding <= 2
        && bytes[..digits].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nQUJD\nREVG\n-----END CERTIFICATE-----\n";

    #[test]
    fn pem_blocks_are_whole_and_labelled() {
        assert_eq!(check(BLOCK, CERTIFICATES), Ok(()));
        assert_eq!(check(&format!("subject=x\n{BLOCK}{BLOCK}"), CERTIFICATES), Ok(()));
        for (text, part) in [
            ("", "no certificate"),
            (&BLOCK.replace("QUJD", "QU*D"), "base64"),
            (&BLOCK.replace("REVG", "REV"), "base64"),
            (&BLOCK[..40], "does not end"),
            (&BLOCK.replace("END CERT", "END X509 CERT"), "another label"),
        ] {
            assert!(check(text, CERTIFICATES).unwrap_err().contains(part), "{text}");
        }
        assert!(check(BLOCK, PRIVATE_KEYS).is_err());
    }
}
