//! Where the values of a secret are kept: which source is asked for what, and what the values are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Secret;
use biplane_core::resources::secret::{External, OnDelete, SecretForm, VaultSecret};
use biplane_core::resources::upstream::discovery::ConsulUpstream;
use biplane_source::{SecretRequest, SecretSource};
use serde_json::json;

use crate::lasting::said;

/// How often an object may have its values read, at most.
const REFRESH: Duration = Duration::from_secs(1);

/// What is known of a source without asking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// Its name, by which objects refer to it.
    pub name: Arc<str>,
    /// `vault` or `files`.
    pub kind: &'static str,
    /// Whether nothing may be served before it has answered.
    pub required: bool,
    /// Whether it holds objects of its own.
    pub has_objects: bool,
}

impl SourceFacts {
    /// The facts of a source.
    pub fn of(source: &dyn SecretSource) -> Self {
        Self {
            name: source.name().into(),
            kind: source.kind(),
            required: source.required(),
            has_objects: source.has_objects(),
        }
    }
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The source's name.
    pub source: Arc<str>,
    /// What it is asked for.
    pub request: SecretRequest,
    /// What the values are.
    pub(super) form: SecretForm,
    /// The names that values have there, by those that they have here.
    pub(super) fields: BTreeMap<String, String>,
    /// What happens when they are gone.
    pub(super) on_delete: OnDelete,
    /// How often they are read.
    pub refresh: Option<Duration>,
}

/// Why an object's values cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced {
    pub(crate) field: &'static str,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Misplaced {
    /// The same about an object.
    pub(super) fn report(&self, key: &ObjectKey) -> Report {
        Report::error(key, FieldPath::root().field(self.field), self.message.clone()).hint(self.hint.clone())
    }
}

impl Place {
    /// The place that an object names; none: it holds its values itself.
    pub(super) fn of(secret: &Secret, sources: &[SourceFacts]) -> Option<Result<Self, Misplaced>> {
        Some(match secret.external()? {
            External::Vault(vault) => Self::in_vault(vault, sources),
            External::File(file) => {
                source("file", "files", file.source.as_deref(), sources).map(|source| Self {
                    source,
                    request: SecretRequest::Path(file.path.clone()),
                    form: file.form.unwrap_or_default(),
                    fields: file.fields.clone(),
                    on_delete: file.on_delete.unwrap_or_default(),
                    refresh: None,
                })
            }
        })
    }

    fn in_vault(vault: &VaultSecret, sources: &[SourceFacts]) -> Result<Self, Misplaced> {
        let source = source("vault", "vault", vault.source.as_deref(), sources)?;
        let (request, form) = match (&vault.kv, &vault.pki, &vault.aws) {
            (Some(kv), ..) => (SecretRequest::Kv(kv.clone()), vault.form.unwrap_or_default()),
            (None, Some(pki), _) => (SecretRequest::Pki(pki.clone()), SecretForm::Tls),
            (None, None, Some(aws)) => (SecretRequest::Aws(aws.clone()), SecretForm::Aws),
            (None, None, None) => {
                return Err(Misplaced {
                    field: "vault",
                    message: "it does not say what to read".to_owned(),
                    hint: "write kv: {path: ...} or pki: {role: ..., commonName: ...}".to_owned(),
                });
            }
        };
        Ok(Self {
            source,
            request,
            form,
            fields: vault.fields.clone(),
            on_delete: vault.on_delete.unwrap_or_default(),
            refresh: vault.refresh.map(|refresh| refresh.0.max(REFRESH)),
        })
    }

    /// The place of a secret that no object describes: the first source that holds objects of its own.
    pub(super) fn implied(name: &ResourceRef, sources: &[SourceFacts]) -> Option<Self> {
        if let Some((service, source)) = ConsulUpstream::of_connect_secret(name) {
            return Self::in_mesh(&service, source.as_deref(), sources);
        }
        let source = sources.iter().find(|source| source.has_objects)?;
        Some(Self {
            source: source.name.clone(),
            request: SecretRequest::Object(name.clone()),
            form: SecretForm::Gloo,
            fields: BTreeMap::new(),
            on_delete: OnDelete::Keep,
            refresh: None,
        })
    }

    /// The certificate that a service shows in Consul's mesh.
    fn in_mesh(service: &str, source: Option<&str>, sources: &[SourceFacts]) -> Option<Self> {
        let is_meant = |facts: &&SourceFacts| source.is_none_or(|name| *facts.name == *name);
        let source = sources.iter().filter(|facts| facts.kind == "consul").find(is_meant)?;
        Some(Self {
            source: source.name.clone(),
            request: SecretRequest::Path(format!("leaf/{service}")),
            form: SecretForm::Tls,
            fields: BTreeMap::new(),
            on_delete: OnDelete::Keep,
            refresh: None,
        })
    }

    /// The same for the same question to the same source, in every run and in every version.
    pub(super) fn question(&self) -> String {
        question(&self.source, &self.request)
    }

    /// Whether a text on disk is this question. Versions before spelled it in other words.
    pub(super) fn is_asked_by(&self, text: &str) -> bool {
        text == self.question() || text == format!("{} {:?}", self.source, self.request)
    }
}

impl Place {
    /// What the source is asked for, as people know it: `kv secret/teams/web`.
    pub(super) fn what(&self) -> String {
        let or = |mount: &Option<String>, default: &str| mount.clone().unwrap_or_else(|| default.to_owned());
        match &self.request {
            SecretRequest::Kv(kv) => match &kv.mount {
                Some(mount) => format!("kv {mount}/{}", kv.path),
                None => format!("kv {}", kv.path),
            },
            SecretRequest::Pki(pki) => {
                format!("pki {} role {} for {}", or(&pki.mount, "pki"), pki.role, pki.common_name)
            }
            SecretRequest::Aws(aws) => format!("aws {} role {}", or(&aws.mount, "aws"), aws.role),
            SecretRequest::Path(path) if path.is_empty() => "the directory".to_owned(),
            SecretRequest::Path(path) => path.clone(),
            SecretRequest::Object(name) => format!("object {name}"),
        }
    }
}

/// `vault: kv secret/teams/web`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.what())
    }
}

/// What a source is asked for: the same in every run and in every version.
pub(crate) fn question(source: &str, request: &SecretRequest) -> String {
    let (field, request) = match request {
        SecretRequest::Kv(kv) => ("kv", said(kv)),
        SecretRequest::Pki(pki) => ("pki", said(pki)),
        SecretRequest::Aws(aws) => ("aws", said(aws)),
        SecretRequest::Path(path) => ("path", json!(path)),
        SecretRequest::Object(name) => ("object", said(name)),
    };
    format!("{source} {}", json!({ field: request }))
}

/// What an object asks for, whichever sources there are: the same in every run and in every version.
pub(super) fn asked(external: External<'_>) -> String {
    match external {
        External::Vault(VaultSecret { source, kv, pki, aws, .. }) => {
            let kv = kv.iter().map(|kv| ("kv", said(kv)));
            let pki = pki.iter().map(|pki| ("pki", said(pki)));
            let aws = aws.iter().map(|aws| ("aws", said(aws)));
            let asked: BTreeMap<_, _> = kv.chain(pki).chain(aws).collect();
            json!({ "vault": source, "asked": asked }).to_string()
        }
        External::File(file) => json!({ "file": file.source, "asked": file.path }).to_string(),
    }
}

/// The same as versions before spelled it.
pub(super) fn asked_before(external: External<'_>) -> String {
    match external {
        External::Vault(VaultSecret { source, kv, pki, aws, .. }) => {
            format!("vault {source:?} {kv:?} {pki:?} {aws:?}")
        }
        External::File(file) => format!("file {:?} {:?}", file.source, file.path),
    }
}

/// The source that an object names, or the first of its kind.
fn source(
    field: &'static str,
    kind: &str,
    named: Option<&str>,
    sources: &[SourceFacts],
) -> Result<Arc<str>, Misplaced> {
    let found = match named {
        // What a source cannot answer it says itself.
        Some(name) => sources.iter().find(|source| *source.name == *name),
        None => sources.iter().find(|source| source.kind == kind),
    };
    found.map(|source| source.name.clone()).ok_or_else(|| {
        let known: Vec<_> = sources.iter().map(|source| &*source.name).collect();
        let message = match named {
            Some(name) => format!("there is no source of secrets named {name:?}"),
            None => format!("there is no source of secrets that is a {kind}"),
        };
        let hint = if known.is_empty() {
            "the setting `secrets` lists them; see docs/secrets.md".to_owned()
        } else {
            format!("the sources are {}", known.join(", "))
        };
        Misplaced { field, message, hint }
    })
}

#[cfg(test)]
mod tests {
    use biplane_core::resources::secret::{FileSecret, VaultAws, VaultKv, VaultPki};

    use super::*;

    fn owned(text: &str) -> String {
        text.to_owned()
    }

    fn vault() -> [VaultSecret; 3] {
        let pki = VaultPki {
            role: owned("web"),
            common_name: owned("a.example.com"),
            alt_names: vec![owned("b.example.com")],
            ..VaultPki::default()
        };
        let kv = VaultKv { path: owned("we\"b"), version: Some(2), ..VaultKv::default() };
        let aws = VaultAws { role: owned("web"), ttl: "1h".parse().ok(), ..VaultAws::default() };
        [
            VaultSecret { kv: Some(kv), ..VaultSecret::default() },
            VaultSecret { source: Some(owned("vault")), pki: Some(pki), ..VaultSecret::default() },
            VaultSecret { aws: Some(aws), ..VaultSecret::default() },
        ]
    }

    /// What is on disks by now: a text that changes loses the secrets that are kept under it.
    #[test]
    fn questions_are_spelled_as_ever() {
        let facts = SourceFacts { name: "vault".into(), kind: "vault", required: false, has_objects: true };
        let places = vault().map(|vault| Place::in_vault(&vault, std::slice::from_ref(&facts)));
        let implied = Place::implied(&ResourceRef::new("team", "web"), &[facts]);
        let questions = places.into_iter().flatten().chain(implied).map(|place| place.question());
        let expected = [
            r#"vault {"kv":{"path":"we\"b","version":2}}"#,
            r#"vault {"pki":{"altNames":["b.example.com"],"commonName":"a.example.com","role":"web"}}"#,
            r#"vault {"aws":{"role":"web","ttl":"3600s"}}"#,
            r#"vault {"object":{"name":"web","namespace":"team"}}"#,
        ];
        assert_eq!(questions.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_objects_ask_is_spelled_as_ever() {
        let file = FileSecret { path: owned("web"), ..FileSecret::default() };
        let vault = vault();
        let externals = vault.iter().map(External::Vault).chain([External::File(&file)]);
        let expected = [
            r#"{"vault":null,"asked":{"kv":{"path":"we\"b","version":2}}}"#,
            r#"{"vault":"vault","asked":{"pki":{"altNames":["b.example.com"],"commonName":"a.example.com","role":"web"}}}"#,
            r#"{"vault":null,"asked":{"aws":{"role":"web","ttl":"3600s"}}}"#,
            r#"{"file":null,"asked":"web"}"#,
        ];
        assert_eq!(externals.map(asked).collect::<Vec<_>>(), expected);
    }
}
