//! What can go wrong.

use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;

/// How the words of a credential process begin in the errors of AWS's crates. Who knows what it says.
const WORDS_OF_A_PROCESS: &str = "Stderr:";

/// How a hint begins.
const HINT: &str = "; hint: ";

/// Why there are no credentials, or no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing in the environment offers credentials.
    #[error(
        "no AWS credentials were found in variables, profiles, a web identity, the container or the instance; hint: \
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the workload or the machine a role"
    )]
    NoCredentials,
    /// Something offers credentials and does not give any.
    #[error(
        "AWS credentials cannot be had: {0}; hint: where this runs `aws sts get-caller-identity` must work too"
    )]
    Credentials(String),
    /// Whatever gives credentials is silent.
    #[error(
        "AWS credentials were not given within {0:?}; hint: is the metadata service, or STS, reachable from here?"
    )]
    TimedOut(Duration),
    /// Nothing in the environment says a region.
    #[error("no AWS region was found in variables, profiles or the instance; hint: set AWS_REGION")]
    NoRegion,
    /// No region is called that.
    #[error("{0:?} is no AWS region; hint: a region is named like eu-central-1")]
    Region(String),
    /// What should be the endpoint of a service is no URL.
    #[error(
        "{0:?} is no endpoint of AWS's {1}; hint: it is a URL like https://sts.eu-central-1.amazonaws.com"
    )]
    Endpoint(String, &'static str),
    /// The name of the server cannot be a header.
    #[error(
        "the server id {0:?} has characters that no HTTP header can have; hint: it is what Vault is told as \
         iam_server_id_header_value"
    )]
    ServerId(String),
}

impl Error {
    /// Whether it may pass by itself.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Credentials(_) | Self::TimedOut(_))
    }

    /// What is wrong, and what to try, for those who show them apart.
    pub fn message_and_hint(&self) -> (String, String) {
        let told = self.to_string();
        let (message, hint) = told.rsplit_once(HINT).expect("every message ends with a hint");
        (message.to_owned(), hint.to_owned())
    }
}

impl From<CredentialsError> for Error {
    fn from(error: CredentialsError) -> Self {
        match error {
            CredentialsError::CredentialsNotLoaded(_) => Self::NoCredentials,
            CredentialsError::ProviderTimedOut(details) => Self::TimedOut(details.timeout_duration()),
            other => Self::Credentials(reasons(&other)),
        }
    }
}

/// An error and what it stems from, each said once.
fn reasons(error: &(dyn std::error::Error + 'static)) -> String {
    let mut all: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let text = text.split(WORDS_OF_A_PROCESS).next().unwrap_or_default().trim_end_matches([' ', '.']);
        if !all.iter().any(|said| said.contains(text)) {
            all.push(text.to_owned());
        }
        next = error.source();
    }
    all.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_says_when_it_fails_is_not_repeated() {
        let words = "external process exited with code 1. Stderr: the key is s3cr3t";
        let error = Error::from(CredentialsError::provider_error(words));
        assert!(error.to_string().contains("exited with code 1; hint: "), "{error}");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
        assert!(error.is_temporary());
    }

    #[test]
    fn nobody_who_offers_credentials_is_told_with_a_hint() {
        let error = Error::from(CredentialsError::not_loaded_no_source());
        assert_eq!(error, Error::NoCredentials);
        assert!(error.to_string().contains("hint: set AWS_ACCESS_KEY_ID") && !error.is_temporary());
    }

    #[test]
    fn message_and_hint_of_every_error_can_be_shown_apart() {
        let text = || "a; hint: b".to_owned();
        for error in [
            Error::NoCredentials,
            Error::Credentials(text()),
            Error::TimedOut(Duration::from_secs(1)),
            Error::NoRegion,
            Error::Region(text()),
            Error::Endpoint(text(), "STS"),
            Error::ServerId(text()),
        ] {
            let (message, hint) = error.message_and_hint();
            assert_eq!(format!("{message}; hint: {hint}"), error.to_string());
            assert!(!hint.contains("hint"), "{hint}");
        }
    }
}
