//! `strip` and `prepend`: the path that the service sees.
//!
//! fabio takes `strip` from the front, if it is there, and sees to it that the rest starts with `/`; then it puts `prepend` in
//! front, and sees to the same.

use serde_json::{Map, Value, json};

use super::wire::{absolute, encoded, is_plain, literal, substitution};

/// Fields of `RouteOptions` for a route whose paths start with `path`.
pub(super) fn options(path: &str, strip: &str, prepend: &str) -> Map<String, Value> {
    let is_plain = is_plain(path);
    let (path, strip, prepend) = (encoded(path), encoded(strip), encoded(prepend));
    let (field, value) = match path.strip_prefix(&strip) {
        _ if strip.is_empty() && prepend.is_empty() => return Map::new(),
        // Envoy is asked for it by a regex, and rewrites no prefix then.
        _ if !is_plain => ("regexRewrite", whole(&strip, "|/", &prepend)),
        Some("") => ("regexRewrite", whole(&strip, "", &prepend)),
        // Every path has `strip` in front, and more of the route's own behind it.
        Some(rest) => ("prefixRewrite", json!(absolute(&format!("{prepend}{}", absolute(rest))))),
        None if strip.starts_with(&path) => ("regexRewrite", whole(&strip, "|/", &prepend)),
        // No path of this route has it.
        None if prepend.is_empty() => return Map::new(),
        None => ("prefixRewrite", json!(absolute(&format!("{prepend}{path}")))),
    };
    [(field.to_owned(), value)].into_iter().collect()
}

/// Takes `strip` and one `/` behind it, or what `or` matches, from the front of the whole path.
fn whole(strip: &str, or: &str, prepend: &str) -> Value {
    let front = substitution(&absolute(&format!("{prepend}/")));
    json!({
        "pattern": { "regex": format!("^(?:{}/?{or})(.*)$", literal(strip)) },
        "substitution": format!("{front}\\1"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fabio does to a path.
    fn of_fabio(path: &str, strip: &str, prepend: &str) -> String {
        let mut path = path.to_owned();
        if let Some(rest) = path.strip_prefix(strip).filter(|_| !strip.is_empty()) {
            path = absolute(rest);
        }
        if prepend.is_empty() { path } else { absolute(&format!("{prepend}{path}")) }
    }

    /// What Envoy does to it.
    fn of_envoy(path: &str, prefix: &str, options: &Map<String, Value>) -> String {
        if let Some(rewrite) = options.get("prefixRewrite") {
            let rest = path.strip_prefix(prefix).expect("a path of the route");
            return format!("{}{rest}", rewrite.as_str().expect("text"));
        }
        let Some(rewrite) = options.get("regexRewrite") else { return path.to_owned() };
        let regex = regex::Regex::new(rewrite["pattern"]["regex"].as_str().expect("text")).expect("a regex");
        let substitution = rewrite["substitution"].as_str().expect("text").replace("\\1", "${1}");
        regex.replace_all(path, substitution.as_str()).into_owned()
    }

    #[test]
    fn every_path_becomes_what_fabio_makes_of_it() {
        let texts = ["", "/", "/a", "/a/", "/a/b", "/a/b/c", "a", "/ab", "/x"];
        for prefix in texts.iter().filter(|text| text.starts_with('/')) {
            for (strip, prepend) in texts.iter().flat_map(|a| texts.iter().map(move |b| (a, b))) {
                let options = options(prefix, strip, prepend);
                for rest in ["", "/", "b", "/b", "//b", "/b/c", "x/"] {
                    let path = format!("{prefix}{rest}");
                    let fabio = of_fabio(&path, strip, prepend);
                    let why = format!("{path} of {prefix} strip={strip} prepend={prepend}: {options:?}");
                    assert_eq!(of_envoy(&path, prefix, &options), fabio, "{why}");
                }
            }
        }
    }

    #[test]
    fn a_path_that_travels_encoded_is_rewritten_by_a_regex() {
        for (strip, prepend, path, expected) in
            [("", "/p", "/%C3%A9/a", "/p/%C3%A9/a"), ("/é", "/ö", "/%C3%A9/a", "/%C3%B6/a")]
        {
            let options = options("/é", strip, prepend);
            assert!(options.contains_key("regexRewrite"), "{options:?}");
            assert_eq!(of_envoy(path, "/é", &options), expected);
        }
    }

    #[test]
    fn the_simple_cases_have_no_regex() {
        assert_eq!(json!(options("/foo/bar", "/foo", "")), json!({ "prefixRewrite": "/bar" }));
        assert_eq!(json!(options("/bar", "", "/foo")), json!({ "prefixRewrite": "/foo/bar" }));
        assert_eq!(json!(options("/foo", "/other", "")), json!({}));
    }
}
