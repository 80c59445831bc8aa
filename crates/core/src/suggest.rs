//! The nearest valid word to one that is not valid.

/// The candidate that a slip of the keyboard would turn into `written`; `None` when none is near.
/// Case, `_` and `-` are forgiven.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(written);
    // One slip for a short word, one more for each three letters; words of one letter are never near.
    let most = (folded.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_forgives_slips_and_nothing_else() {
        let fields = ["prefix", "exact", "regex", "caseSensitive"];
        assert_eq!(nearest("prefx", fields), Some("prefix"));
        assert_eq!(nearest("case_sensitiv", fields), Some("caseSensitive"));
        assert_eq!(nearest("timeout", fields), None);
    }
}
