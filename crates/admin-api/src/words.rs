//! The words that people use for kinds: any case, singular or plural, or a short name.

use biplane_core::key::Kind;

/// Nothing is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no kind {word:?}: {}", advice(.nearest.as_deref()))]
pub struct UnknownWord {
    /// What was asked for.
    pub word: String,
    /// What may have been meant.
    pub nearest: Option<String>,
}

/// The short name of a kind, where it has one.
pub const fn short_name(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Gateway => Some("gw"),
        Kind::VirtualService => Some("vs"),
        Kind::RouteTable => Some("rt"),
        Kind::Upstream => Some("us"),
        Kind::UpstreamGroup => Some("ug"),
        Kind::RouteOption => Some("ro"),
        Kind::VirtualHostOption => Some("vho"),
        Kind::Secret | Kind::Settings => None,
    }
}

/// The kind that `word` means.
pub fn kind_of(word: &str) -> Result<Kind, UnknownWord> {
    let folded = fold(word);
    Kind::ALL
        .into_iter()
        .find(|kind| words_of(*kind).any(|known| known == folded))
        .ok_or_else(|| UnknownWord { nearest: nearest(&folded), word: word.chars().take(64).collect() })
}

/// Every word for a kind, in lower case.
fn words_of(kind: Kind) -> impl Iterator<Item = String> {
    let names = [kind.as_str().to_ascii_lowercase(), kind.plural().to_owned()];
    names.into_iter().chain(short_name(kind).map(str::to_owned))
}

/// `route_table`, `route-table` and `RouteTable` are one word.
fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

/// At most two slips away. A long text is near nothing.
fn nearest(folded: &str) -> Option<String> {
    if folded.len() > 32 {
        return None;
    }
    let distances = Kind::ALL.into_iter().flat_map(|kind| {
        words_of(kind)
            .filter(|known| known.len() > 3)
            .map(move |known| (strsim::damerau_levenshtein(folded, &known), kind))
    });
    let (_, kind) = distances.filter(|(distance, _)| *distance <= 2).min_by_key(|(distance, _)| *distance)?;
    Some(kind.as_str().to_owned())
}

fn advice(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("the kinds are {}", Kind::ALL.map(Kind::as_str).join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_many_spellings() {
        for word in ["VirtualService", "virtualservice", "VirtualServices", "virtual-services", "VS", "vs"] {
            assert_eq!(kind_of(word), Ok(Kind::VirtualService), "{word}");
        }
        assert_eq!(kind_of("settings"), Ok(Kind::Settings));
        assert_eq!(kind_of("secrets"), Ok(Kind::Secret));
    }

    #[test]
    fn no_word_means_two_kinds() {
        let mut words: Vec<_> = Kind::ALL.into_iter().flat_map(words_of).collect();
        words.sort();
        let all = words.len();
        words.dedup();
        // "settings" is its own plural.
        assert_eq!(words.len(), all - 1);
    }

    #[test]
    fn a_slip_is_told_the_nearest_kind() {
        let told = |word: &str| kind_of(word).expect_err("no kind").to_string();
        assert_eq!(told("virtualservce"), "there is no kind \"virtualservce\": did you mean VirtualService?");
        assert!(told("pod").contains("the kinds are Gateway, VirtualService"), "{}", told("pod"));
    }
}
