//! Key material. Its bytes are wiped when dropped and never printed.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{SourceError, Watch};

/// The fields of one secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret {
    /// Values by field name.
    pub fields: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

/// Names only.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

/// A source of secrets. `None` is known absent, which is answered differently from unknown.
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// As status shows it, without credentials.
    fn name(&self) -> String;

    /// The secret at `path` now.
    async fn read(&self, path: &str) -> Result<Option<Secret>, SourceError>;

    /// The secret at `path` from now on, renewed by the source as it needs.
    fn watch(&self, path: &str) -> Watch<Option<Secret>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_its_field_names_and_never_a_value() {
        let fields = BTreeMap::from([("password".to_owned(), Zeroizing::new(b"hunter2".to_vec()))]);
        assert_eq!(format!("{:?}", Secret { fields }), r#"{"password"}"#);
    }
}
