//! A question: what it is for, what right it takes, and the request.

use biplane_core::scalars::SecretString;
use biplane_source::SourceError;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use reqwest::Url;
use rustify::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use vaultrs::api::EndpointMiddleware;
use zeroize::Zeroizing;

/// A request that may be sent several times.
pub(crate) struct Call {
    /// As an infinitive: `read secret/data/web`.
    pub(crate) what: String,
    /// What a policy has to allow for it.
    pub(crate) right: Option<Right>,
    /// What no error may repeat.
    pub(crate) secrets: Vec<SecretString>,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Wiped with its last owner.
    pub(crate) body: Bytes,
}

/// One line of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) path: String,
    pub(crate) capability: &'static str,
}

impl Right {
    /// As it stands in a policy.
    pub(crate) fn policy(&self) -> String {
        format!("path {:?} {{ capabilities = [{:?}] }}", self.path, self.capability)
    }
}

/// A call that vaultrs does not have: a method and a path.
pub(crate) struct Plain {
    pub(crate) method: RequestMethod,
    pub(crate) path: String,
}

impl Plain {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: RequestMethod::GET, path: path.into() }
    }
}

impl Endpoint for Plain {
    type Response = ();
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        self.method.clone()
    }
}

impl Call {
    /// The request of an endpoint.
    pub(super) fn new<E: Endpoint>(
        what: String,
        endpoint: E,
        base: &str,
        middleware: &EndpointMiddleware,
    ) -> Result<Self, SourceError> {
        // vaultrs drops such parts, and asks for something else then.
        let is_odd = |part: &str| matches!(part, "." | "..") || part.contains(char::is_control);
        let path = endpoint.path();
        if path.trim().trim_matches('/').split('/').any(|part| part.is_empty() || is_odd(part)) {
            return Err(SourceError::invalid(format!(
                "cannot {}: no path has such parts",
                what.escape_debug()
            ))
            .hint("a path without empty parts, without . and .. and without control characters"));
        }
        // Its own error may show what was to be sent.
        let request = endpoint.with_middleware(middleware).request(base);
        let request =
            request.map_err(|_| SourceError::invalid(format!("cannot {what}: it makes no request")))?;
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse().expect("the middleware has made a URL");
        let body = Bytes::from_owner(Zeroizing::new(body));
        let (secrets, method, mut headers) = (Vec::new(), parts.method, parts.headers);
        // Vault takes it for granted; what stands in front of it may not.
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Self { what, right: None, secrets, method, url, headers, body })
    }

    /// The same, with the right that it takes.
    pub(crate) fn needs(mut self, capability: &'static str, path: impl Into<String>) -> Self {
        self.right = Some(Right { path: path.into(), capability });
        self
    }

    /// The same, with something in it that no error may repeat.
    pub(crate) fn hides(mut self, secret: SecretString) -> Self {
        self.secrets.push(secret);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Result<String, SourceError> {
        let middleware =
            EndpointMiddleware { token: String::new(), version: "v1".into(), wrap: None, namespace: None };
        let call = Call::new("ask".into(), Plain::get(path), "http://h:1", &middleware);
        call.map(|call| call.url.to_string())
    }

    #[test]
    fn every_character_of_a_path_arrives() {
        for (path, shown) in [
            ("secret/data/a", "a"),
            ("secret/data/b c", "b%20c"),
            ("secret/data/d?e=f&g#h", "d%3Fe=f&g%23h"),
            ("secret/data/100%25", "100%2525"),
            ("secret/data/\u{e4}", "%C3%A4"),
            ("secret/data/a;b,c:d@e", "a;b,c:d@e"),
            ("secret/data/a\\b", "a%5Cb"),
        ] {
            assert_eq!(url(path), Ok(format!("http://h:1/v1/secret/data/{shown}")));
        }
    }
}
