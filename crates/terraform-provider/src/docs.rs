//! The provider's pages in the layout of provider registries: `docs/index.md`, `docs/resources/`, `docs/data-sources/`, each with
//! its example from `examples/`. A test holds them against what is there; `INSTA_UPDATE=always` writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::form::{self, Form};
use crate::provider::config;
use crate::schema::{Attribute, Mode, Shape};

/// An object of which the attributes are still to be listed: its path, and they.
type Nested<'a> = (String, &'a [Attribute]);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example(path: &str) -> String {
    let file = root().join("examples").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All pages, by their paths below `docs`.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::from([(PathBuf::from("index.md"), index())]);
    for (name, form) in form::all() {
        let short = name.strip_prefix("biplane_").expect("all begin so").to_owned() + ".md";
        pages.insert(Path::new("resources").join(&short), resource(&name, &*form));
        pages.insert(Path::new("data-sources").join(&short), data_source(&name, &*form));
    }
    pages
}

fn head(title: &str, kind: &str, description: &str) -> String {
    format!("---\npage_title: {title:?}\n---\n\n# {title}{kind}\n\n{description}\n\n")
}

fn index() -> String {
    let mut page = head("biplane", " provider", config::DESCRIPTION);
    page += "Changes are tried by the control plane when they are planned: what it would refuse fails in `tofu plan`, with the \
             attribute that is wrong. What others have changed since is an error in `tofu apply`, and is not overwritten.\n\n";
    page += &code(&example("provider/provider.tf"));
    page += &attributes(&config::attributes());
    page
}

fn resource(name: &str, form: &dyn Form) -> String {
    let mut page = head(name, " (resource)", form.description());
    page += &code(&example(&format!("resources/{name}/resource.tf")));
    page += &attributes(form.attributes());
    let id = if name == form::Raw::TYPE_NAME { "VirtualService/default/example" } else { "default/example" };
    page + &format!("## Import\n\nBy its name:\n\n```shell\ntofu import {name}.example {id}\n```\n")
}

/// What it gives is what the resource has: there is one list of that.
fn data_source(name: &str, form: &dyn Form) -> String {
    let mut page = head(name, " (data source)", form.description());
    let given = |attribute: &&Attribute| attribute.mode != Mode::Computed;
    let (asked, told): (Vec<_>, Vec<_>) = form.data_attributes().iter().partition(given);
    let words = |attributes: &[&Attribute]| -> String {
        attributes.iter().map(|attribute| line(attribute, "")).collect()
    };
    let short = name.trim_start_matches("biplane_");
    page += &format!("## Argument Reference\n\n{}\n", words(&asked));
    page += &format!(
        "## Attribute Reference\n\nObjects are as [in the resource](../resources/{short}.md).\n\n{}",
        words(&told)
    );
    page
}

fn code(text: &str) -> String {
    format!("## Example\n\n```terraform\n{}\n```\n\n", text.trim_end())
}

/// The root's attributes, and then those of every object in it, each under a heading with its path.
fn attributes(root: &[Attribute]) -> String {
    let mut page = String::from("## Schema\n\n");
    let mut open: Vec<Nested> = vec![(String::new(), root)];
    while let Some((path, attributes)) = open.pop() {
        if !path.is_empty() {
            page += &format!("### `{path}`\n\n");
        }
        let mut below = Vec::new();
        for attribute in attributes {
            let place =
                if path.is_empty() { attribute.name.clone() } else { format!("{path}.{}", attribute.name) };
            let nested = nested(&attribute.shape).filter(|attributes| !attributes.is_empty());
            let link = nested.map(|_| format!(" See [below](#{}).", anchor(&place))).unwrap_or_default();
            page += &line(attribute, &link);
            below.extend(nested.map(|attributes| (place, attributes)));
        }
        page += "\n";
        open.extend(below.into_iter().rev());
    }
    page
}

fn line(attribute: &Attribute, link: &str) -> String {
    let given = match attribute.mode {
        Mode::Required => "required, ",
        Mode::Optional | Mode::Defaulted => "",
        Mode::Computed => "read-only, ",
    };
    let hidden = if attribute.sensitive { ", sensitive" } else { "" };
    let Attribute { name, shape, description, .. } = attribute;
    format!("- `{name}` ({given}{}{hidden}) {description}{link}", kind(shape)).trim_end().to_owned() + "\n"
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text => "string".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Json => "string with JSON".to_owned(),
        Shape::List(of) => format!("list of {}", kind(of)),
        Shape::Map(of) => format!("map of {}", kind(of)),
        Shape::Object(_) => "object".to_owned(),
    }
}

fn nested(shape: &Shape) -> Option<&[Attribute]> {
    match shape {
        Shape::List(of) | Shape::Map(of) => nested(of),
        Shape::Object(attributes) => Some(attributes),
        _ => None,
    }
}

/// As Markdown makes links of headings: without what is neither a letter, a number nor an underscore.
fn anchor(path: &str) -> String {
    path.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[test]
fn the_pages_say_what_the_provider_does() {
    let folder = root().join("docs");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        for (path, text) in pages() {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("below docs")).expect("writable");
            fs::write(path, text).expect("writable");
        }
    }
    for (path, text) in pages() {
        let there = fs::read_to_string(folder.join(&path)).unwrap_or_default();
        assert!(there == text, "{} is not current: run this test with INSTA_UPDATE=always", path.display());
    }
    let count = |folder: &str| fs::read_dir(root().join("docs").join(folder)).expect("a folder").count();
    assert_eq!([count("resources"), count("data-sources")], [form::all().len(); 2], "a page without a type");
}
