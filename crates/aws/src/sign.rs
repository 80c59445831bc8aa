//! Signature version 4, in headers.

use std::time::SystemTime;

use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use tracing::Dispatch;
use zeroize::Zeroizing;

use crate::credentials::Credentials;

/// A request, and what it is for.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    /// All of them are signed. The host is taken from the URL.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// The headers that a signature adds, with their names in lower case.
pub(crate) type Signature = Vec<(String, Zeroizing<String>)>;

impl Unsigned<'_> {
    /// Signs it for this moment; AWS takes it for a quarter of an hour. The URL and the headers are checked before, so
    /// that an error is a broken invariant.
    pub(crate) fn sign(&self, credentials: &Credentials, now: SystemTime) -> Signature {
        // The signer traces requests, and with them the token.
        tracing::dispatcher::with_default(&Dispatch::none(), || self.signature(credentials, now))
    }

    fn signature(&self, credentials: &Credentials, now: SystemTime) -> Signature {
        let identity = credentials.inner().clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters are there");
        let headers = self.headers.iter().copied();
        let request = SignableRequest::new(self.method, self.url, headers, SignableBody::Bytes(self.body));
        let signed = request.and_then(|request| http_request::sign(request, &params.into()));
        let (instructions, _) = signed.expect("URL and headers are valid").into_parts();
        let added = instructions.headers();
        added.map(|(name, value)| (name.to_owned(), Zeroizing::new(value.to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// 2015-08-30T12:36:00Z, the moment of AWS's test suite.
    const THEN: u64 = 1_440_938_160;

    fn signature_of(headers: &[(&str, &str)], body: &str, token: Option<&str>) -> Signature {
        let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token);
        let request = Unsigned {
            method: "POST",
            url: "https://example.amazonaws.com/",
            headers,
            body: body.as_bytes(),
            region: "us-east-1",
            service: "service",
        };
        request.sign(&credentials, UNIX_EPOCH + Duration::from_secs(THEN))
    }

    fn header<'a>(signature: &'a Signature, name: &str) -> &'a str {
        signature.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str()).expect(name)
    }

    fn assert_authorization(signature: &Signature, headers: &str, expected: &str) {
        let scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
        let whole =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={headers}, Signature={expected}");
        assert_eq!(header(signature, "authorization"), whole);
        assert_eq!(header(signature, "x-amz-date"), "20150830T123600Z");
    }

    #[test]
    fn aws_test_suite_post_vanilla() {
        assert_authorization(
            &signature_of(&[], "", None),
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        );
    }

    #[test]
    fn aws_test_suite_post_x_www_form_urlencoded() {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        assert_authorization(
            &signature_of(&headers, "Param1=value1", None),
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        );
    }

    #[test]
    fn aws_test_suite_post_sts_header_before() {
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let signature = signature_of(&[], "", Some(token));
        assert_authorization(
            &signature,
            "host;x-amz-date;x-amz-security-token",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        );
        assert_eq!(header(&signature, "x-amz-security-token"), token);
    }
}
