//! What a failure means: for whoever reads about it, and for what is done next.

use std::time::Duration;

use biplane_source::{Cause, SourceError};

use crate::xml::Element;

/// As long as a code may be to be repeated.
const CODE_MAX: usize = 64;

const THROTTLED: [&str; 6] = [
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
];

const EXPIRED: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];

const DENIED: [&str; 9] = [
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "OptInRequired",
    "Blocked",
];

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: SourceError,
    pub(crate) kind: Kind,
    /// What the service calls it.
    pub(crate) code: String,
}

/// Kinds of failures, as far as something else follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Too many calls: fewer are made.
    Throttled,
    /// The credentials are too old: others are asked for.
    Expired,
    /// It is tried again later.
    Other,
}

impl Failure {
    /// Anything that needs no other treatment.
    pub(crate) fn of(error: SourceError) -> Self {
        Self { error, kind: Kind::Other, code: String::new() }
    }

    /// A service has refused a call. Of its words only the code is told: the others may repeat what was sent.
    pub(crate) fn refused(call: &str, status: u16, body: Option<&Element>) -> Self {
        let code =
            body.and_then(|body| body.find("Code")).map(Element::own_text).filter(|code| is_code(code));
        let Some(code) = code else {
            return Self::of(SourceError::new(format!("{call} is answered with HTTP status {status}")));
        };
        let kind = match code {
            code if THROTTLED.contains(&code) => Kind::Throttled,
            code if EXPIRED.contains(&code) => Kind::Expired,
            _ => Kind::Other,
        };
        let message = format!("{call} is refused: {code}");
        let error = match kind {
            Kind::Throttled => SourceError::new(format!(
                "{message}: too many calls for this account and region"
            ))
            .hint("fewer are made from now on; a longer refresh= and a lower maxRate= make fewer always"),
            Kind::Expired => {
                SourceError::denied(message).hint("the session has ended, and no new one is offered")
            }
            Kind::Other if DENIED.contains(&code) => {
                SourceError::denied(message).hint(access_hint(call, code))
            }
            Kind::Other if code.starts_with("Invalid") || code.ends_with("Malformed") => {
                SourceError::invalid(message)
                    .hint("an upstream's filters or role, or a region, are not as AWS knows them")
            }
            Kind::Other => SourceError::new(message),
        };
        Self { error, kind, code: code.to_owned() }
    }

    /// Nobody has answered.
    pub(crate) fn timed_out(call: &str, time: Duration) -> Self {
        Self::of(
            SourceError::new(format!("{call} was not answered within {time:?}"))
                .hint("is the endpoint reachable from here? timeout= waits longer"),
        )
    }

    /// The way there does not work.
    pub(crate) fn broken(call: &str, error: &reqwest::Error) -> Self {
        let hint = "is the endpoint reachable from here, and its certificate trusted?";
        Self::of(SourceError::new(format!("{call} cannot be sent: {}", root_cause(error))).hint(hint))
    }

    /// It answers, and not as this service does.
    pub(crate) fn nonsense(call: &str, why: &str) -> Self {
        let hint = "does something else than AWS answer at this endpoint?";
        Self::of(
            SourceError::invalid(format!("{call} is answered with what makes no sense: {why}")).hint(hint),
        )
    }

    /// The same, said with who has called and where.
    #[must_use]
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.error.message = format!("{place}: {}", self.error.message);
        self
    }
}

impl From<biplane_aws::Error> for Failure {
    fn from(error: biplane_aws::Error) -> Self {
        let (message, hint) = error.message_and_hint();
        let cause = if error.is_temporary() { Cause::Unavailable } else { Cause::Denied };
        let cause = match error {
            biplane_aws::Error::Region(_)
            | biplane_aws::Error::Endpoint(..)
            | biplane_aws::Error::NoRegion => Cause::Invalid,
            _ => cause,
        };
        Self::of(SourceError { cause, ..SourceError::new(message).hint(hint) })
    }
}

fn is_code(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '.';
    !text.is_empty() && text.len() <= CODE_MAX && text.chars().all(fits)
}

fn access_hint(call: &str, code: &str) -> String {
    match code {
        "SignatureDoesNotMatch" => {
            "the secret key belongs to another access key, or the clock is wrong".to_owned()
        }
        "InvalidClientTokenId" | "AuthFailure" | "UnrecognizedClientException" => {
            "AWS does not know the access key, or it is not for this region".to_owned()
        }
        _ => format!("the caller's policy has to allow {call}; docs/policies/aws has one"),
    }
}

/// The innermost reason: the layers above only say that there is one.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Failure {
        Failure::refused("ec2:DescribeInstances", 400, Element::parse(body).as_ref())
    }

    #[test]
    fn both_forms_of_refusals_are_told_by_their_code_and_without_their_words() {
        let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>hunter2</Message></Error></Errors>\
                   <RequestID>1</RequestID></Response>";
        let failure = refused(ec2);
        assert_eq!(failure.error.message, "ec2:DescribeInstances is refused: UnauthorizedOperation");
        assert_eq!(failure.error.cause, Cause::Denied);
        assert!(failure.error.hint.is_some_and(|hint| hint.contains("allow ec2:DescribeInstances")));
        let sts =
            "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code></Error></ErrorResponse>";
        assert_eq!(refused(sts).kind, Kind::Expired);
    }

    #[test]
    fn too_many_calls_are_their_own_kind() {
        let body = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";
        assert_eq!(refused(body).kind, Kind::Throttled);
    }

    #[test]
    fn what_is_no_code_is_not_repeated() {
        let body = "<Error><Code>the key hunter2 is bad</Code></Error>";
        assert_eq!(refused(body).error.message, "ec2:DescribeInstances is answered with HTTP status 400");
    }
}
