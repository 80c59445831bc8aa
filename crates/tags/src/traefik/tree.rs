//! From the keys of tags to a tree of names.
//!
//! Names are joined without regard to case: the first spelling stays, the last value counts, in the order of the
//! sorted keys. `domains[0]` is two names, `domains` and `[0]`.

use std::collections::BTreeMap;

/// A name, what is set for it, and what lies below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// Its name, as first spelled.
    pub(crate) name: String,
    /// The value of the key that ends here.
    pub(crate) value: Option<String>,
    /// The key that told the name first: the one to blame.
    pub(crate) key: String,
    pub(crate) children: Vec<Self>,
}

/// A key that has no place in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidKey {
    pub(crate) key: String,
    pub(crate) message: String,
}

/// The tree of those `labels` whose keys start with `root`, which is not a part of the tree itself.
pub(crate) fn grow(labels: &BTreeMap<String, String>, root: &str) -> Result<Node, InvalidKey> {
    let mut tree = Node { name: root.to_owned(), ..Node::default() };
    for (key, value) in labels.iter().filter(|(key, _)| is_below(key, root)) {
        let mut node = &mut tree;
        for name in names(&key[root.len()..], key)? {
            node = node.child(&name, key);
        }
        node.value = Some(value.clone());
    }
    Ok(tree)
}

fn is_below(key: &str, root: &str) -> bool {
    key.get(..root.len()).is_some_and(|start| start.eq_ignore_ascii_case(root))
        && key[root.len()..].starts_with('.')
}

fn names(rest: &str, key: &str) -> Result<Vec<String>, InvalidKey> {
    let fail = |message: &str| Err(InvalidKey { key: key.to_owned(), message: message.to_owned() });
    let mut names = Vec::new();
    // `rest` starts with a dot, so the first part is empty.
    for part in rest.split('.').skip(1) {
        match part.find('[') {
            _ if part.is_empty() => return fail("a name between two dots is missing"),
            Some(0) => return fail("a name starts with ["),
            Some(at) if part.ends_with(']') => {
                names.extend([part[..at].to_owned(), part[at..].to_owned()]);
            }
            None if part.ends_with(']') => return fail("a ] has no ["),
            _ => names.push(part.to_owned()),
        }
    }
    Ok(names)
}

impl Node {
    fn child(&mut self, name: &str, key: &str) -> &mut Self {
        let folded = name.to_lowercase();
        let found = self.children.iter().position(|child| child.name.to_lowercase() == folded);
        let at = found.unwrap_or_else(|| {
            self.children.push(Self { name: name.to_owned(), key: key.to_owned(), ..Self::default() });
            self.children.len() - 1
        });
        &mut self.children[at]
    }

    /// The value, empty where none is set.
    pub(crate) fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(pairs: &[(&str, &str)]) -> Result<Node, InvalidKey> {
        let labels = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        grow(&labels, "traefik.http")
    }

    #[test]
    fn names_join_without_regard_to_case() {
        let tree = tree(&[
            ("traefik.HTTP.Routers.App.rule", "one"),
            ("traefik.http.routers.app.rule", "two"),
            ("traefik.tcp.routers.app.rule", "three"),
        ])
        .unwrap();
        let router = &tree.children[0].children[0];
        assert_eq!((router.name.as_str(), router.children.len()), ("App", 1));
        assert_eq!(router.children[0].text(), "two");
    }

    #[test]
    fn places_of_lists_are_names_of_their_own() {
        let tree = tree(&[("traefik.http.a.domains[0].main", "x")]).unwrap();
        let domains = &tree.children[0].children[0];
        assert_eq!((domains.name.as_str(), domains.children[0].name.as_str()), ("domains", "[0]"));
    }

    #[test]
    fn keys_without_names_are_refused() {
        for key in ["traefik.http.", "traefik.http.a..b", "traefik.http.a.[0]", "traefik.http.a]"] {
            assert_eq!(tree(&[(key, "x")]).unwrap_err().key, key);
        }
    }
}
