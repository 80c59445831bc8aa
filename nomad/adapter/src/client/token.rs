//! The token of a client: fixed, or in a file that others renew, such as the identity of a task.

use biplane_agent::TokenFile;
use biplane_core::scalars::SecretString;

use crate::options::Token;

/// Where the token of the next request comes from.
pub(super) enum TokenHolder {
    Absent,
    Fixed(SecretString),
    File(TokenFile),
}

impl TokenHolder {
    pub(super) fn new(token: Option<Token>) -> Self {
        match token {
            None => Self::Absent,
            Some(Token::Value(token)) => Self::Fixed(token),
            Some(Token::File(path)) => Self::File(TokenFile::new("Nomad", path)),
        }
    }

    /// The token of the next request.
    pub(super) fn current(&self) -> Option<SecretString> {
        match self {
            Self::Absent => None,
            Self::Fixed(token) => Some(token.clone()),
            Self::File(file) => file.current(),
        }
    }

    /// The token after a server has refused `refused`, if it is another one by now.
    pub(super) fn other_than(&self, refused: Option<&SecretString>) -> Option<SecretString> {
        let Self::File(file) = self else { return None };
        file.read_again().filter(|token| Some(token) != refused)
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
        let holder = TokenHolder::new(Some(Token::File(path.clone())));
        let first = holder.current();
        assert_eq!(first, Some(SecretString::new("one")));
        assert_eq!(holder.other_than(first.as_ref()), None);
        fs::write(&path, "two\n").expect("write");
        assert_eq!(holder.other_than(first.as_ref()), Some(SecretString::new("two")));
    }
}
