//! A resource's text as `apply` takes it back: what was written, comments and all.

use biplane_admin_api::resources::Resource;
use biplane_core::document::{IdentifyHint, identify};

use crate::exit::Failure;
use crate::output;

/// The text; where a store's key says what the text leaves out, with that added.
pub(crate) fn document(resource: &Resource) -> Result<String, Failure> {
    let key = resource.key();
    let stands_alone = |text: &str| identify(text, &IdentifyHint::default()).as_ref() == Ok(&key);
    if resource.text.is_empty() {
        return Ok(format!("# {key} cannot be shown: it does not parse, and may hold secrets\n"));
    }
    if stands_alone(&resource.text) {
        return Ok(resource.text.clone());
    }
    let with_kind = format!("kind: {}\n{}", resource.kind, resource.text);
    match &resource.document {
        _ if stands_alone(&with_kind) => Ok(with_kind),
        Some(document) => output::yaml(document),
        None => Ok(resource.text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use biplane_core::key::Kind;

    use super::*;

    fn upstream(text: &str) -> Resource {
        Resource {
            kind: Kind::Upstream,
            namespace: "default".into(),
            name: "a".into(),
            revision: 1,
            location: String::new(),
            labels: BTreeMap::new(),
            text: text.into(),
            redacted: false,
            document: None,
        }
    }

    #[test]
    fn a_text_that_says_what_it_is_stays_as_it_was_written() {
        let text = "# mine\nkind: Upstream\nmetadata: {name: a, namespace: default}\nspec: {}\n";
        assert_eq!(document(&upstream(text)), Ok(text.to_owned()));
    }

    #[test]
    fn a_text_whose_kind_only_its_key_says_gets_it() {
        let text = "metadata: {name: a, namespace: default}\nstatic: {}\n";
        assert_eq!(document(&upstream(text)), Ok(format!("kind: Upstream\n{text}")));
    }

    #[test]
    fn a_text_that_is_not_shown_leaves_a_remark() {
        assert!(document(&upstream("")).is_ok_and(|text| text.starts_with("# Upstream default/a cannot")));
    }
}
