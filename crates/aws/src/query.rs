//! Calls of the services that have a query API: a form that is posted, signed, and answered in XML. Whoever makes the call
//! sends it.

use std::fmt;
use std::time::SystemTime;

use http::uri::Uri;
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::error::Error;
use crate::sign::Unsigned;

const CONTENT_TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

/// A service with a query API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Virtual machines.
    Ec2,
    /// Groups of them.
    AutoScaling,
    /// Credentials.
    Sts,
}

/// A call that is not signed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryCall<'a> {
    /// Whom it is for.
    pub service: Service,
    /// Where.
    pub region: &'a str,
    /// The URL of another endpoint than the region's own.
    pub endpoint: Option<&'a str>,
    /// What is called.
    pub action: &'a str,
    /// The rest of the form.
    pub parameters: &'a [(String, String)],
}

/// A call that can be sent, for a quarter of an hour. It is as good as the credentials that signed it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedCall {
    /// Where to.
    pub url: String,
    /// All headers, but for the host and the length.
    pub headers: Vec<(String, Zeroizing<String>)>,
    /// The form.
    pub body: String,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ec2, Self::AutoScaling, Self::Sts];

    /// What it is called in signatures and hosts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::AutoScaling => "autoscaling",
            Self::Sts => "sts",
        }
    }

    /// What it is called in variables and profiles.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::AutoScaling => "Auto Scaling",
            Self::Sts => "STS",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Ec2 => "2016-11-15",
            Self::AutoScaling => "2011-01-01",
            Self::Sts => "2011-06-15",
        }
    }

    /// Its own endpoint in a region.
    fn url(self, region: &str) -> Result<String, Error> {
        let names = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || !region.bytes().all(names) {
            return Err(Error::Region(region.to_owned()));
        }
        let domain = match region {
            china if china.starts_with("cn-") => "amazonaws.com.cn",
            secret if secret.starts_with("us-isob-") => "sc2s.sgov.gov",
            secret if secret.starts_with("us-iso-") => "c2s.ic.gov",
            _ => "amazonaws.com",
        };
        Ok(format!("https://{}.{region}.{domain}/", self.name()))
    }
}

impl QueryCall<'_> {
    /// Signs the call for this moment.
    pub fn sign(&self, credentials: &Credentials, now: SystemTime) -> Result<SignedCall, Error> {
        let own = self.service.url(self.region)?;
        let url = match self.endpoint {
            None => own,
            Some(endpoint) => checked(endpoint, self.service)?,
        };
        let body = self.form();
        let request = Unsigned {
            method: "POST",
            url: &url,
            headers: &[CONTENT_TYPE],
            body: body.as_bytes(),
            region: self.region,
            service: self.service.name(),
        };
        let mut headers = request.sign(credentials, now);
        headers.push((CONTENT_TYPE.0.to_owned(), Zeroizing::new(CONTENT_TYPE.1.to_owned())));
        Ok(SignedCall { url, headers, body })
    }

    fn form(&self) -> String {
        let fixed = [("Action", self.action), ("Version", self.service.version())];
        let more = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = fixed.into_iter().chain(more);
        let pairs = pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// An endpoint that somebody has named, as the URL of a call.
fn checked(endpoint: &str, service: Service) -> Result<String, Error> {
    let wrong = || Error::Endpoint(endpoint.to_owned(), service.id());
    let url = format!("{}/", endpoint.trim_end_matches('/'));
    let parsed: Uri = url.parse().map_err(|_| wrong())?;
    let is_web = matches!(parsed.scheme_str(), Some("http" | "https"));
    let authority = parsed.authority().ok_or_else(wrong)?;
    if !is_web || parsed.query().is_some() || authority.as_str().contains('@') {
        return Err(wrong());
    }
    Ok(url)
}

/// As RFC 3986 has it: everything but letters, digits and four marks.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

impl fmt::Debug for SignedCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SignedCall").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn call<'a>(region: &'a str, endpoint: Option<&'a str>) -> QueryCall<'a> {
        let (service, action) = (Service::Ec2, "DescribeInstances");
        QueryCall { service, region, endpoint, action, parameters: &[] }
    }

    fn sign(call: &QueryCall<'_>) -> Result<SignedCall, Error> {
        call.sign(&Credentials::new("AKID", "s3cr3t", Some("t0k3n")), UNIX_EPOCH)
    }

    #[test]
    fn a_call_goes_to_its_region_or_to_the_endpoint_that_is_named() {
        for (region, endpoint, expected) in [
            ("eu-west-1", None, "https://ec2.eu-west-1.amazonaws.com/"),
            ("cn-north-1", None, "https://ec2.cn-north-1.amazonaws.com.cn/"),
            ("us-iso-east-1", None, "https://ec2.us-iso-east-1.c2s.ic.gov/"),
            ("eu-west-1", Some("http://127.0.0.1:5000"), "http://127.0.0.1:5000/"),
            ("eu-west-1", Some("https://vpce-1.example/"), "https://vpce-1.example/"),
        ] {
            assert_eq!(sign(&call(region, endpoint)).expect("signed").url, expected);
        }
    }

    #[test]
    fn a_region_and_an_endpoint_that_are_none_are_refused() {
        for region in ["", "evil.example/#", "EU"] {
            assert_eq!(sign(&call(region, None)), Err(Error::Region(region.into())));
        }
        for endpoint in ["127.0.0.1:5000", "ftp://h", "http://u@h", "http://h/?a=b"] {
            assert_eq!(
                sign(&call("eu-west-1", Some(endpoint))),
                Err(Error::Endpoint(endpoint.into(), "EC2"))
            );
        }
    }

    #[test]
    fn the_form_is_escaped_and_the_signature_has_its_service() {
        let parameters = [("Filter.1.Value.1".to_owned(), "a b/ü*".to_owned())];
        let call = QueryCall { parameters: &parameters, ..call("eu-west-1", None) };
        let signed = sign(&call).expect("signed");
        let expected = "Action=DescribeInstances&Version=2016-11-15&Filter.1.Value.1=a%20b%2F%C3%BC%2A";
        assert_eq!(signed.body, expected);
        let header = |name| signed.headers.iter().find(|(known, _)| known == name).expect(name).1.as_str();
        assert!(header("authorization").contains("/eu-west-1/ec2/aws4_request"));
        assert_eq!(header("x-amz-security-token"), "t0k3n");
        assert!(!format!("{signed:?}").contains("t0k3n"));
    }
}
