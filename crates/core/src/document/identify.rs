//! Which object a document is: kind, namespace and name, read from the top of its structure.
//!
//! Tolerant on purpose. A document whose fields are wrong, or whose YAML breaks below the metadata,
//! still has a name, and with it the object's last good version can be kept and the report filed.

use std::borrow::Cow;

use crate::key::{API_VERSIONS, DEFAULT_NAMESPACE, InvalidName, Kind, ObjectKey, check_name};
use crate::suggest::nearest;
use crate::yaml::{Events, Item, Problem};

/// What the place of a document says about it: Gloo's layout keeps an object in
/// `<plural>/<namespace>/<name>.yaml`. The document's own words win.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentifyHint {
    /// The kind that the folder is for.
    pub kind: Option<Kind>,
    /// The namespace's folder.
    pub namespace: Option<String>,
    /// The file's name without its ending.
    pub name: Option<String>,
}

/// The document is no object that Biplane knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct IdentifyError {
    /// What is wrong, one sentence without a full stop. Quotes names only, never values.
    pub message: String,
    /// The line within the document, from 1.
    pub line: u32,
    /// What to try.
    pub hint: Option<String>,
}

impl IdentifyError {
    fn new(line: u32, message: impl Into<String>) -> Self {
        Self { message: message.into(), line, hint: None }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Tells which object the document `slice` is.
pub fn identify(slice: &str, hint: &IdentifyHint) -> Result<ObjectKey, IdentifyError> {
    let mut head = Head::default();
    let broken = head.read(slice).err();
    if let Some(line) = head.list {
        let error = IdentifyError::new(line, "a list of objects is not read as one");
        return Err(error.with_hint("write each object as a document of its own, with `---` between them"));
    }
    match head.key(hint) {
        Ok(key) => Ok(key),
        // What is missing may well stand behind the place that cannot be read.
        Err(missing) => Err(broken.map_or(missing, |problem| IdentifyError {
            message: problem.message,
            line: problem.line,
            hint: problem.hint.map(str::to_owned),
        })),
    }
}

/// A word and the line that it stands on.
type Word<'a> = Option<(Cow<'a, str>, u32)>;

/// What the top of a document says.
#[derive(Default)]
struct Head<'a> {
    api_version: Word<'a>,
    kind: Word<'a>,
    namespace: Word<'a>,
    name: Word<'a>,
    /// The document is a list, or a Kubernetes `List`.
    list: Option<u32>,
}

impl<'a> Head<'a> {
    fn read(&mut self, text: &'a str) -> Result<(), Problem> {
        let mut events = Events::new(text);
        match events.next()? {
            Some((Item::MappingStart { .. }, _)) => {}
            Some((Item::SequenceStart { .. }, line)) => {
                self.list = Some(line);
                return Ok(());
            }
            Some((_, line)) => {
                return Err(Problem::new(line, "not an object: the document is a single word or value"));
            }
            None => return Err(Problem::new(1, "the document is empty")),
        }
        let mut metadata_seen = false;
        while !(metadata_seen && self.kind.is_some()) {
            let Some((key, line)) = key(&mut events)? else { return Ok(()) };
            match &*key {
                "apiVersion" => self.api_version = word(&mut events)?,
                "kind" => self.kind = word(&mut events)?,
                "metadata" => {
                    self.metadata(&mut events)?;
                    metadata_seen = true;
                }
                "items" => {
                    self.list = self.kind.as_ref().filter(|kind| kind.0.ends_with("List")).map(|_| line);
                    skip(&mut events)?;
                }
                _ => skip(&mut events)?,
            }
        }
        Ok(())
    }

    fn metadata(&mut self, events: &mut Events<'a>) -> Result<(), Problem> {
        match events.next()? {
            Some((Item::MappingStart { .. }, _)) => {}
            Some((item, _)) => return skip_rest(events, &item),
            None => return Ok(()),
        }
        while let Some((key, _)) = key(events)? {
            match &*key {
                "namespace" => self.namespace = word(events)?,
                "name" => self.name = word(events)?,
                _ => skip(events)?,
            }
        }
        Ok(())
    }

    fn key(self, hint: &IdentifyHint) -> Result<ObjectKey, IdentifyError> {
        let line = self.kind.as_ref().or(self.name.as_ref()).map_or(1, |word| word.1);
        let kind = self.kind(hint)?;
        let namespace = match (self.namespace, &hint.namespace) {
            (Some(word), _) => checked("metadata.namespace", word)?,
            (None, Some(namespace)) => checked("the namespace in the path", (namespace.into(), line))?,
            (None, None) => DEFAULT_NAMESPACE.to_owned(),
        };
        let name = match (self.name, &hint.name) {
            (Some(word), _) => checked("metadata.name", word)?,
            (None, Some(name)) => checked("the name in the path", (name.into(), line))?,
            (None, None) => {
                let error = IdentifyError::new(line, format!("this {kind} has no name"));
                return Err(error.with_hint("write metadata: {name: ...}"));
            }
        };
        Ok(ObjectKey { kind, namespace, name })
    }

    fn kind(&self, hint: &IdentifyHint) -> Result<Kind, IdentifyError> {
        let Some((written, line)) = &self.kind else {
            return hint.kind.ok_or_else(|| {
                let error = IdentifyError::new(1, "the document does not say its kind");
                error.with_hint(format!("write kind: and one of {}", kinds()))
            });
        };
        if let Some((version, line)) = self.api_version.as_ref().filter(|word| !is_ours(&word.0)) {
            return Err(foreign(version, written, *line));
        }
        written.parse().map_err(|_| unknown_kind(written, *line))
    }
}

fn is_ours(api_version: &str) -> bool {
    API_VERSIONS.contains(&api_version)
}

fn foreign(version: &str, kind: &str, line: u32) -> IdentifyError {
    let error = IdentifyError::new(line, format!("{kind} of apiVersion {version:?} is not read by Biplane"));
    error.with_hint(format!("apiVersion is one of {}, or left out", API_VERSIONS.join(", ")))
}

fn unknown_kind(written: &str, line: u32) -> IdentifyError {
    let gloo = GLOO_KINDS.iter().find(|(kind, _)| *kind == written);
    if let Some((kind, instead)) = gloo {
        return IdentifyError::new(line, format!("Gloo's kind {kind} is not read by Biplane"))
            .with_hint(*instead);
    }
    let error = IdentifyError::new(line, format!("unknown kind {written:?}"));
    match nearest(written, Kind::ALL.iter().map(|kind| kind.as_str())) {
        Some(kind) => error.with_hint(format!("did you mean {kind:?}?")),
        None => error.with_hint(format!("kind is one of {}", kinds())),
    }
}

/// Gloo's kinds that Biplane has not, and what to do instead.
const GLOO_KINDS: [(&str, &str); 10] = [
    ("MatchableHttpGateway", "write a Gateway with its own bindPort; hybrid gateways are not supported yet"),
    ("MatchableTcpGateway", "TCP gateways are not supported yet"),
    ("ListenerOption", "it exists for Kubernetes' Gateway API only; write `options` in the Gateway"),
    (
        "HttpListenerOption",
        "it exists for Kubernetes' Gateway API only; write `httpGateway.options` in the Gateway",
    ),
    ("Proxy", "write Gateways and VirtualServices; Biplane stores no flattened result"),
    ("AuthConfig", "it belongs to Gloo's enterprise edition and has no counterpart yet"),
    ("RateLimitConfig", "it belongs to Gloo's enterprise edition and has no counterpart yet"),
    ("Artifact", "artifacts are not supported yet"),
    ("Endpoint", "write the hosts in an Upstream"),
    ("GraphQLApi", "Gloo itself has removed it"),
];

fn kinds() -> String {
    Kind::ALL.map(Kind::as_str).join(", ")
}

fn checked(what: &str, (name, line): (Cow<'_, str>, u32)) -> Result<String, IdentifyError> {
    check_name(&name).map_err(|why: InvalidName| {
        IdentifyError::new(line, format!("{what} cannot be used as a name: {why}"))
    })?;
    Ok(name.into_owned())
}

/// The next key of the mapping that `events` stands in; `None` at its end.
fn key<'a>(events: &mut Events<'a>) -> Result<Option<(Cow<'a, str>, u32)>, Problem> {
    loop {
        match events.next()? {
            None | Some((Item::MappingEnd, _)) => return Ok(None),
            Some((Item::Scalar { text, .. }, line)) => return Ok(Some((text, line))),
            // A key that is no word: decoding reports it.
            Some((item, _)) => {
                skip_rest(events, &item)?;
                skip(events)?;
            }
        }
    }
}

/// The value that comes next, if it is a word.
fn word<'a>(events: &mut Events<'a>) -> Result<Word<'a>, Problem> {
    match events.next()? {
        Some((Item::Scalar { text, plain, .. }, line)) => {
            let nothing = plain && matches!(&*text, "" | "~" | "null");
            Ok((!nothing).then_some((text, line)))
        }
        Some((item, _)) => skip_rest(events, &item).map(|()| None),
        None => Ok(None),
    }
}

/// Reads past the value that comes next.
fn skip(events: &mut Events<'_>) -> Result<(), Problem> {
    match events.next()? {
        Some((item, _)) => skip_rest(events, &item),
        None => Ok(()),
    }
}

/// Reads past what `first` opened.
fn skip_rest(events: &mut Events<'_>, first: &Item<'_>) -> Result<(), Problem> {
    let opens = |item: &Item<'_>| matches!(item, Item::SequenceStart { .. } | Item::MappingStart { .. });
    let mut depth = usize::from(opens(first));
    while depth > 0 {
        match events.next()? {
            Some((Item::SequenceEnd | Item::MappingEnd, _)) => depth -= 1,
            Some((item, _)) => depth += usize::from(opens(&item)),
            None => return Ok(()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> String {
        identify(text, &IdentifyHint::default()).unwrap().to_string()
    }

    fn refused(text: &str) -> (u32, String, Option<String>) {
        let error = identify(text, &IdentifyHint::default()).unwrap_err();
        (error.line, error.message, error.hint)
    }

    #[test]
    fn identify_reads_both_forms_and_json() {
        let wrapped =
            "apiVersion: gateway.solo.io/v1\nkind: Gateway\nmetadata:\n  labels: {a: b}\n  name: g\nspec: {}";
        assert_eq!(known(wrapped), "Gateway gloo-system/g");
        assert_eq!(known("static: {}\nmetadata: {name: u, namespace: n}\nkind: Upstream\n"), "Upstream n/u");
        assert_eq!(
            known("{\n\t\"kind\": \"Secret\",\n\t\"metadata\": {\"name\": \"s\"}\n}"),
            "Secret gloo-system/s"
        );
    }

    #[test]
    fn identify_takes_from_the_path_what_the_document_leaves_out() {
        let hint = IdentifyHint {
            kind: Some(Kind::Upstream),
            namespace: Some("team".into()),
            name: Some("file".into()),
        };
        let key = |text| identify(text, &hint).unwrap().to_string();
        assert_eq!(key("static: {hosts: []}"), "Upstream team/file");
        assert_eq!(key("metadata: {name: own}\nstatic: {}"), "Upstream team/own");
        assert_eq!(key("kind: Gateway\nmetadata: {namespace: x}"), "Gateway x/file");
    }

    #[test]
    fn identify_works_where_the_fields_are_wrong_or_yaml_breaks_below() {
        assert_eq!(
            known("kind: Gateway\nmetadata: {name: g}\nspec:\n  bindPort: [1, {\n  x"),
            "Gateway gloo-system/g"
        );
        assert_eq!(known("spec: 5\nmetadata: {name: g, labels: 7}\nkind: Gateway"), "Gateway gloo-system/g");
    }

    #[test]
    fn identify_says_where_and_what_to_try() {
        assert_eq!(
            refused("metadata: {name: a}\nkind: VirtualServise\n"),
            (2, "unknown kind \"VirtualServise\"".into(), Some("did you mean \"VirtualService\"?".into()))
        );
        let (line, message, hint) = refused("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n");
        assert_eq!(
            (line, message.as_str()),
            (1, "Deployment of apiVersion \"apps/v1\" is not read by Biplane")
        );
        assert!(hint.unwrap().contains("gloo.solo.io/v1"));
        assert_eq!(refused("kind: Upstream\nmetadata:\n  name: a/b\n").0, 3);
        assert_eq!(refused("kind: Upstream\nmetadata: {}\n").1, "this Upstream has no name");
        assert_eq!(refused("- kind: Upstream\n").1, "a list of objects is not read as one");
        assert_eq!(refused("kind: List\nitems:\n- kind: Upstream\n").0, 2);
        assert_eq!(refused("a: [").1, "not valid YAML: unclosed bracket '['");
    }
}
