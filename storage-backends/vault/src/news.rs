//! Whether there is anything to tell: what was told last is not told again.

use biplane_source::{Listing, Secret};

/// What was told last.
#[derive(Default)]
pub(crate) struct News {
    told: Option<Listing<Option<Secret>>>,
}

impl News {
    /// The listing, unless it is what was told last.
    pub(crate) fn of(&mut self, listing: Listing<Option<Secret>>) -> Option<Listing<Option<Secret>>> {
        if self.told.as_ref().is_some_and(|told| is_same(told, &listing)) {
            return None;
        }
        self.told = Some(listing.clone());
        Some(listing)
    }
}

fn is_same(told: &Listing<Option<Secret>>, listing: &Listing<Option<Secret>>) -> bool {
    match (told, listing) {
        (Listing::Failed(before), Listing::Failed(now)) => before == now,
        (Listing::Complete(before), Listing::Complete(now)) => match (before, now) {
            // A version that has the same values is no news, a life that ends later is.
            (Some(before), Some(now)) => before.same_values(now) && before.expires == now.expires,
            (None, None) => true,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use biplane_source::SourceError;
    use zeroize::Zeroizing;

    use super::*;

    fn values(value: &str, version: u64) -> Listing<Option<Secret>> {
        let fields = BTreeMap::from([("a".to_owned(), Zeroizing::new(value.as_bytes().to_vec()))]);
        Listing::Complete(Some(Secret { version: Some(version), ..Secret::new(fields) }))
    }

    #[test]
    fn only_what_differs_from_what_was_told_last_is_news() {
        let mut news = News::default();
        let failed = |message: &str| Listing::Failed(SourceError::new(message));
        for (listing, is_news) in [
            (failed("sealed"), true),
            (failed("sealed"), false),
            (failed("unreachable"), true),
            (values("1", 1), true),
            (values("1", 2), false),
            (failed("unreachable"), true),
            (values("1", 2), true),
            (Listing::Complete(None), true),
            (Listing::Complete(None), false),
            (values("1", 1), true),
        ] {
            assert_eq!(news.of(listing.clone()).is_some(), is_news, "{listing:?}");
        }
    }
}
