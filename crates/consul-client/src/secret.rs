//! Text that is sent and never shown.

use std::fmt;

use zeroize::Zeroizing;

/// A token or a password. It prints as `***` and is wiped from memory with its last owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret from its text; surrounding white space, as files have it, is no part of it.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// The text, for a header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2\n")), "***");
        assert_eq!(Secret::new("hunter2\n").expose(), "hunter2");
    }
}
