//! What a watch of something that is issued has told, and what it has to tell next. Pure.

use biplane_source::{Listing, Secret, SourceError};

/// What was told last.
#[derive(Default)]
pub(crate) struct Told {
    secret: Option<Secret>,
    trouble: Option<SourceError>,
}

impl Told {
    /// What is to be told next, if anything: a secret that is another one goes first, so that trouble never holds
    /// back new roots; then trouble, or that it is over.
    pub(crate) fn next(
        &mut self,
        secret: Option<&Secret>,
        trouble: Option<&SourceError>,
    ) -> Option<Listing<Option<Secret>>> {
        if let Some(secret) = secret.filter(|secret| !self.is_told(secret)) {
            self.secret = Some(secret.clone());
            self.trouble = None;
            return Some(Listing::Complete(Some(secret.clone())));
        }
        if self.trouble.as_ref() == trouble {
            return None;
        }
        self.trouble = trouble.cloned();
        match (trouble, secret) {
            (Some(error), _) => Some(Listing::Failed(error.clone())),
            (None, secret) => secret.map(|secret| Listing::Complete(Some(secret.clone()))),
        }
    }

    fn is_told(&self, secret: &Secret) -> bool {
        let told = self.secret.as_ref();
        told.is_some_and(|told| told.same_values(secret) && told.expires == secret.expires)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use zeroize::Zeroizing;

    use super::*;

    fn secret(value: u8) -> Secret {
        Secret::new(BTreeMap::from([("a".to_owned(), Zeroizing::new(vec![value]))]))
    }

    fn values(value: u8) -> Listing<Option<Secret>> {
        Listing::Complete(Some(secret(value)))
    }

    fn is_same(told: Option<Listing<Option<Secret>>>, expected: Option<Listing<Option<Secret>>>) -> bool {
        match (told, expected) {
            (Some(Listing::Complete(Some(one))), Some(Listing::Complete(Some(other)))) => {
                one.same_values(&other)
            }
            (told, expected) => told == expected,
        }
    }

    #[test]
    fn new_values_go_before_trouble_and_its_end_is_told() {
        let mut told = Told::default();
        let trouble = SourceError::new("sealed");
        let failed = || Some(Listing::Failed(trouble.clone()));
        assert!(is_same(told.next(None, None), None));
        assert!(is_same(told.next(None, Some(&trouble)), failed()));
        assert!(is_same(told.next(None, Some(&trouble)), None));
        assert!(is_same(told.next(Some(&secret(1)), Some(&trouble)), Some(values(1))), "values go first");
        assert!(is_same(told.next(Some(&secret(1)), Some(&trouble)), failed()));
        assert!(is_same(told.next(Some(&secret(2)), Some(&trouble)), Some(values(2))), "new roots too");
        assert!(is_same(told.next(Some(&secret(2)), Some(&trouble)), failed()));
        assert!(is_same(told.next(Some(&secret(2)), None), Some(values(2))), "the end of trouble is told");
        assert!(is_same(told.next(Some(&secret(2)), None), None));
    }
}
