//! What the names of files say: which ones count, and what Gloo's layout tells about a document.

use std::ffi::OsStr;
use std::path::Path;

use biplane_core::document::IdentifyHint;
use biplane_core::key::Kind;

/// Whether a file of this name holds documents. Backups (`a.yaml~`, `#a.yaml#`), swap files and other
/// tools' temporary names all fail on the ending or the first character.
pub(crate) fn is_resource(name: &OsStr) -> bool {
    let Some((stem, ending)) = name.to_str().and_then(|name| name.rsplit_once('.')) else {
        return false;
    };
    let counts = ["yaml", "yml", "json"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    counts && !stem.is_empty() && !is_skipped(name)
}

/// Whether a file of this name in a directory of values is one of them: all are, but what is hidden and backups.
pub(crate) fn is_value(name: &OsStr) -> bool {
    !is_skipped(name) && !name.as_encoded_bytes().ends_with(b"~")
}

/// Whether nothing at or below this name counts, whatever it is. `lost+found` is the file system's own.
pub(crate) fn is_skipped(name: &OsStr) -> bool {
    let first = name.as_encoded_bytes().first();
    matches!(first, None | Some(b'.' | b'#')) || name == "lost+found"
}

/// What `<plural>/<namespace>/<name>.yaml` says about its document, or `<Kind>/...` as we write it. A file of several documents
/// cannot give them all its name.
pub(crate) fn hint(path: &Path, documents: usize) -> IdentifyHint {
    let mut parents = path.iter().rev().skip(1).map(|part| part.to_string_lossy());
    let (namespace, plural) = (parents.next(), parents.next());
    let kind = |folder: &str| Kind::from_plural(folder).or_else(|| folder.parse().ok());
    let Some(kind) = plural.and_then(|plural| kind(&plural)) else {
        return IdentifyHint::default();
    };
    let name = path.file_stem().filter(|_| documents == 1);
    IdentifyHint {
        kind: Some(kind),
        namespace: namespace.map(Into::into),
        name: name.map(|name| name.to_string_lossy().into_owned()),
    }
}

/// Whether a file lies where Gloo keeps what it computes from the others: `proxies/<namespace>/<name>.yaml`.
pub(crate) fn is_gloos_output(path: &Path) -> bool {
    path.iter().rev().nth(2).is_some_and(|folder| folder == "proxies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_count_in_any_case() {
        for name in ["a.yaml", "a.yml", "a.json", "A.YAML", "a.b.yaml", "-.yml"] {
            assert!(is_resource(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn backups_swap_files_and_hidden_files_do_not_count() {
        let names = [
            "a.yaml~",
            "#a.yaml#",
            ".#a.yaml",
            ".a.yaml.swp",
            "a.yaml.swp",
            "a.yaml.tmp",
            "a.yaml.bak",
            ".yaml",
            "4913",
            "sedAbCdEf",
            ".a.yaml.x1Y2z3",
            "yaml",
            "a.yaml.orig",
            "",
        ];
        for name in names {
            assert!(!is_resource(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn values_may_have_any_name_that_is_not_hidden_nor_a_backup() {
        for (name, counts) in [
            ("tls.key", true),
            ("X-Api-Key", true),
            ("a.tmp", true),
            ("..data", false),
            (".tls.key.swp", false),
            ("tls.key~", false),
            ("#tls.key#", false),
        ] {
            assert_eq!(is_value(OsStr::new(name)), counts, "{name}");
        }
    }

    #[test]
    fn gloos_layout_names_kind_namespace_and_name() {
        let hint = hint(Path::new("/gloo/virtualservices/gloo-system/petstore.yaml"), 1);
        assert_eq!(hint.kind, Some(Kind::VirtualService));
        assert_eq!(hint.namespace.as_deref(), Some("gloo-system"));
        assert_eq!(hint.name.as_deref(), Some("petstore"));
    }

    #[test]
    fn our_own_layout_names_them_too() {
        let hint = hint(Path::new("/managed/Upstream/edge/u.yaml"), 1);
        assert_eq!((hint.kind, hint.namespace.as_deref()), (Some(Kind::Upstream), Some("edge")));
    }

    #[test]
    fn what_gloo_computes_is_known_by_its_folder() {
        assert!(is_gloos_output(Path::new("/gloo/proxies/gloo-system/gateway-proxy.yaml")));
        for path in ["/gloo/proxies/a.yaml", "/gloo/upstreams/proxies/a.yaml", "/proxies/a/b/c.yaml"] {
            assert!(!is_gloos_output(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_file_of_several_documents_lends_them_no_name() {
        assert_eq!(hint(Path::new("/virtualservices/a/b.yaml"), 2).name, None);
    }

    #[test]
    fn other_layouts_say_nothing() {
        assert_eq!(hint(Path::new("/etc/biplane/edge/a.yaml"), 1), IdentifyHint::default());
        assert_eq!(hint(Path::new("a.yaml"), 1), IdentifyHint::default());
    }
}
