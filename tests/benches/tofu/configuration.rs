//! The ways to write upstreams and the virtual services that refer to them, and OpenTofu's own resources for comparison.

use std::fmt::Write as _;

/// A way to write two hundred resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// OpenTofu's own, from a provider inside of it: what it takes by itself.
    BuiltIn,
    /// `biplane_resource`, whose type is small.
    Documents,
    /// A module with an upstream and a virtual service, many times.
    Module,
    /// A block for each.
    Blocks,
    /// `for_each` over another resource: OpenTofu looks at all of that one for each of this.
    Chain,
}

impl Shape {
    /// From the least to the most work.
    pub(crate) const ALL: [Self; 5] =
        [Self::BuiltIn, Self::Documents, Self::Module, Self::Blocks, Self::Chain];

    /// What a table calls it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::BuiltIn => "terraform_data",
            Self::Documents => "biplane_resource",
            Self::Module => "module",
            Self::Blocks => "blocks",
            Self::Chain => "chained for_each",
        }
    }

    /// The configuration with so many pairs.
    pub(crate) fn text(self, pairs: usize) -> String {
        let names = format!("toset([for number in range({pairs}) : tostring(number)])");
        match self {
            Self::BuiltIn => built_in(&names),
            Self::Documents => documents(&names),
            Self::Module => {
                format!(
                    "module \"many\" {{\n  source   = \"./pair\"\n  for_each = {names}\n  name     = each.key\n}}\n"
                )
            }
            Self::Blocks => (0..pairs).fold(String::new(), |mut text, number| {
                let label = format!("number-{number}");
                text += &pair(&label, "", &number.to_string(), &format!("biplane_upstream.{label}.name"));
                text
            }),
            Self::Chain => {
                let each = format!("  for_each = {names}\n");
                upstream("many", &each, "${each.key}")
                    + &service(
                        "many",
                        "  for_each = biplane_upstream.many\n",
                        "${each.key}",
                        "each.value.name",
                    )
            }
        }
    }
}

/// The module of [`Shape::Module`].
pub(crate) fn module() -> String {
    let pair = pair("one", "", "${var.name}", "biplane_upstream.one.name");
    format!("variable \"name\" {{\n  type = string\n}}\n{pair}")
}

fn built_in(names: &str) -> String {
    let block = |label: &str, input: &str| {
        format!(
            "resource \"terraform_data\" \"{label}\" {{\n  for_each = {names}\n  input    = {input}\n}}\n"
        )
    };
    block("first", "each.key") + &block("second", "terraform_data.first[each.key].id")
}

fn documents(names: &str) -> String {
    let mut text = String::new();
    let documents = [
        ("upstream", "kind = \"Upstream\"", "static = { hosts = [{ addr = \"127.0.0.1\", port = 80 }] }"),
        ("service", "kind = \"VirtualService\"", "virtualHost = { domains = [\"${each.key}.example.com\"] }"),
    ];
    for (name, kind, spec) in documents {
        let _ = write!(
            text,
            "resource \"biplane_resource\" \"{name}\" {{\n  for_each = {names}\n  document = jsonencode({{\n    {kind}\n    \
             metadata = {{ name = \"{name}-${{each.key}}\", namespace = \"default\" }}\n    {spec}\n  }})\n}}\n"
        );
    }
    text
}

fn pair(label: &str, head: &str, key: &str, upstream_name: &str) -> String {
    upstream(label, head, key) + &service(label, head, key, upstream_name)
}

fn upstream(label: &str, head: &str, key: &str) -> String {
    format!(
        r#"resource "biplane_upstream" "{label}" {{
{head}  name      = "upstream-{key}"
  namespace = "default"
  static    = {{ hosts = [{{ addr = "127.0.0.1", port = 80 }}] }}
}}
"#
    )
}

fn service(label: &str, head: &str, key: &str, upstream_name: &str) -> String {
    format!(
        r#"resource "biplane_virtual_service" "{label}" {{
{head}  name      = "service-{key}"
  namespace = "default"
  virtual_host = {{
    domains = ["{key}.example.com"]
    routes = [{{
      matchers     = [{{ prefix = "/" }}]
      route_action = {{ single = {{ upstream = {{ name = {upstream_name} }} }} }}
    }}]
  }}
}}
"#
    )
}
