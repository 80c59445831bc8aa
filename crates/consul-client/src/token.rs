//! The token of a client: fixed, or in a file that others renew.

use biplane_agent::TokenFile;

use crate::secret::Secret;
use crate::settings::TokenSource;
use crate::unset::Unset;

/// Where a client's token comes from.
#[derive(Debug)]
pub(crate) enum Token {
    Unset(Unset),
    Fixed(Secret),
    File(TokenFile),
}

impl Token {
    pub(crate) fn new(source: Option<TokenSource>) -> Self {
        match source {
            None => Self::Unset(Unset::default()),
            Some(TokenSource::Value(secret)) => Self::Fixed(secret),
            Some(TokenSource::File(path)) => Self::File(TokenFile::new("Consul", path)),
        }
    }

    /// The token of the next request.
    pub(crate) fn current(&self) -> Option<Secret> {
        match self {
            Self::Unset(unset) => unset.current(),
            Self::Fixed(secret) => Some(secret.clone()),
            Self::File(file) => file.current().map(|token| Secret::new(token.expose())),
        }
    }

    /// The token after a server has refused `refused`, if it is another one by now.
    pub(crate) fn other_than(&self, refused: Option<&Secret>) -> Option<Secret> {
        let Self::File(file) = self else { return None };
        let token = file.read_again().map(|token| Secret::new(token.expose()));
        token.filter(|token| Some(token) != refused)
    }

    /// What stands for it, if there is none.
    pub(crate) const fn unset(&self) -> Option<&Unset> {
        match self {
            Self::Unset(unset) => Some(unset),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_refused_token_is_read_again_and_used_only_if_it_is_another() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("token");
        fs::write(&path, "one\n").expect("write");
        let token = Token::new(Some(TokenSource::File(path.clone())));
        let first = token.current();
        assert_eq!(first, Some(Secret::new("one")));
        assert_eq!(token.other_than(first.as_ref()), None);
        fs::write(&path, "two\n").expect("write");
        assert_eq!(token.other_than(first.as_ref()), Some(Secret::new("two")));
    }
}
