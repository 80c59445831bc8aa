//! Objects as people name them on a command line: `vs petstore`, `VirtualService default/petstore`,
//! `vs/default/petstore`.
//!
//! A name without a namespace means the one object of that name. Where there are several nothing is
//! guessed: the answer names them.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use biplane_admin_api::resources::{Filter, Resource};
use biplane_admin_api::words::{kind_of, short_name};
use biplane_core::key::{DEFAULT_NAMESPACE, Kind, ObjectKey};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};

use crate::connect::Connection;
use crate::exit::{Code, Failure};

/// One object on a command line.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneObject {
    /// The kind in any case, singular, plural or short; or KIND/NAME, KIND/NAMESPACE/NAME
    #[arg(value_name = "KIND", value_parser = KindWord)]
    kind: String,
    /// The object: NAME or NAMESPACE/NAME
    name: Option<String>,
    /// The namespace; needed where several have an object of that name
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
}

/// An object as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// A word for a kind. It accepts whatever is written, since the refusal comes with better advice later
/// ([`kind`]); shells complete it from the kinds.
#[derive(Clone, Debug)]
pub(crate) struct KindWord;

impl TypedValueParser for KindWord {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        if text.is_empty() {
            return Err(
                clap::Error::raw(ErrorKind::InvalidValue, "a kind must not be empty\n").with_cmd(command)
            );
        }
        Ok(text)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Kind::ALL.into_iter().map(|kind| {
            let value = PossibleValue::new(kind.plural()).alias(kind.as_str());
            short_name(kind).into_iter().fold(value, PossibleValue::alias)
        })))
    }
}

/// The kind that a word means.
pub(crate) fn kind(word: &str) -> Result<Kind, Failure> {
    kind_of(word).map_err(|unknown| {
        let failure = Failure::usage(format!("there is no kind {:?}", unknown.word));
        match unknown.nearest {
            Some(nearest) => failure.hint(format!("did you mean {nearest}?")),
            None => failure.hint(format!("the kinds are {}", Kind::ALL.map(Kind::as_str).join(", "))),
        }
    })
}

/// The objects that words name: a kind and names, or one word with slashes each.
pub(crate) fn named(words: &[String], namespace: Option<&str>) -> Result<Vec<Named>, Failure> {
    let Some((first, rest)) = words.split_first() else { return Ok(Vec::new()) };
    if first.contains('/') {
        return words.iter().map(|word| whole(word, namespace)).collect();
    }
    let kind = kind(first)?;
    rest.iter().map(|word| below(kind, word, namespace)).collect()
}

/// `KIND/NAME` or `KIND/NAMESPACE/NAME`.
fn whole(word: &str, namespace: Option<&str>) -> Result<Named, Failure> {
    let (first, rest) = word.split_once('/').ok_or_else(|| {
        Failure::usage(format!("{word:?} is not KIND/NAME as those before it"))
            .hint("write KIND NAME..., or KIND/NAMESPACE/NAME for each")
    })?;
    below(kind(first)?, rest, namespace)
}

/// `NAME` or `NAMESPACE/NAME`.
fn below(kind: Kind, word: &str, namespace: Option<&str>) -> Result<Named, Failure> {
    let (own, name) = word.split_once('/').map_or((None, word), |(own, name)| (Some(own), name));
    if name.is_empty() || name.contains('/') || own.is_some_and(str::is_empty) {
        return Err(Failure::usage(format!("{word:?} is neither NAME nor NAMESPACE/NAME")));
    }
    match (own, namespace) {
        (Some(own), Some(flag)) if own != flag => {
            Err(Failure::usage(format!("{word:?} names namespace {own:?}, and --namespace names {flag:?}")))
        }
        _ => {
            let namespace = own.or(namespace).map(str::to_owned);
            Ok(Named { kind, namespace, name: name.to_owned() })
        }
    }
}

impl OneObject {
    /// The object as it was named.
    pub(crate) fn named(&self) -> Result<Named, Failure> {
        let words: Vec<_> = std::iter::once(&self.kind).chain(&self.name).cloned().collect();
        let mut named = named(&words, self.namespace.as_deref())?;
        match (named.pop(), named.is_empty()) {
            (Some(named), true) => Ok(named),
            (None, _) => Err(Failure::usage(format!("which {}? Name one", kind(&self.kind)?))
                .hint(format!("`biplane get {}` lists them", self.kind))),
            (Some(_), false) => Err(Failure::usage("one object at a time")),
        }
    }

    /// The object that is meant; it exists.
    pub(crate) async fn existing(&self, connection: &Connection) -> Result<Resource, Failure> {
        existing(connection, &self.named()?).await
    }

    /// The object that is meant, which may be gone by now.
    pub(crate) async fn perhaps_gone(&self, connection: &Connection) -> Result<PerhapsGone, Failure> {
        let named = self.named()?;
        let key = |namespace: &str| ObjectKey::new(named.kind, namespace, named.name.as_str());
        if let Some(namespace) = &named.namespace {
            return Ok(PerhapsGone { key: key(namespace), guessed: false });
        }
        match existing(connection, &named).await {
            Ok(resource) => Ok(PerhapsGone { key: resource.key(), guessed: false }),
            Err(failure) if failure.code == Code::NotFound => {
                Ok(PerhapsGone { key: key(DEFAULT_NAMESPACE), guessed: true })
            }
            Err(failure) => Err(failure),
        }
    }
}

/// An object of which there may be only versions left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PerhapsGone {
    /// Which.
    pub(crate) key: ObjectKey,
    /// Nobody has an object of this name, so the namespace is the one that objects have by default.
    guessed: bool,
}

impl PerhapsGone {
    /// A failure, with advice where only the namespace may be at fault.
    pub(crate) fn failure(&self, failure: Failure) -> Failure {
        if self.guessed && failure.code == Code::NotFound {
            return failure
                .hint("there is none of this name now; of one that is gone, say the namespace with -n");
        }
        failure
    }
}

/// The object that is meant.
pub(crate) async fn existing(connection: &Connection, named: &Named) -> Result<Resource, Failure> {
    let mut found = find(connection, std::slice::from_ref(named)).await?;
    found.pop().expect("an answer for each name")
}

/// The objects that are meant, one answer for each name: as few questions as there are kinds.
pub(crate) async fn find(
    connection: &Connection,
    named: &[Named],
) -> Result<Vec<Result<Resource, Failure>>, Failure> {
    let mut candidates = Vec::new();
    for kind in named.iter().map(|named| named.kind).collect::<BTreeSet<_>>() {
        candidates.extend(of_kind(connection, kind, named).await?);
    }
    let mut found = Vec::with_capacity(named.len());
    for named in named {
        found.push(choose(connection, named, &candidates).await);
    }
    Ok(found)
}

/// The objects of a kind that may be meant: where one name is asked for, those of that name only.
async fn of_kind(connection: &Connection, kind: Kind, named: &[Named]) -> Result<Vec<Resource>, Failure> {
    let mut of_it = named.iter().filter(|named| named.kind == kind);
    let one = of_it.next().filter(|_| of_it.next().is_none());
    let filter = Filter {
        kind: Some(kind),
        namespace: one.and_then(|named| named.namespace.clone()),
        name: one.map(|named| named.name.clone()),
        selector: None,
    };
    let list = connection.resources.list(&filter).await;
    list.map(|list| list.items).map_err(|problem| connection.failure(problem))
}

async fn choose(
    connection: &Connection,
    named: &Named,
    candidates: &[Resource],
) -> Result<Resource, Failure> {
    let items: Vec<_> = candidates.iter().filter(|item| named.means(item)).collect();
    match items[..] {
        [one] => Ok(one.clone()),
        [] => Err(absent(connection, named).await),
        _ => Err(several(named, &items)),
    }
}

impl Named {
    fn means(&self, item: &Resource) -> bool {
        item.kind == self.kind
            && item.name == self.name
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == item.namespace)
    }
}

fn several(named: &Named, items: &[&Resource]) -> Failure {
    let namespaces: Vec<_> = items.iter().map(|item| item.namespace.as_str()).collect();
    let Named { kind, name, .. } = named;
    Failure::usage(format!("there are {} of {kind} {name}: in {}", items.len(), namespaces.join(", ")))
        .hint(format!("say which with -n NAMESPACE, or {}/{name}", namespaces[0]))
}

/// What may have been meant is worth a second question.
async fn absent(connection: &Connection, named: &Named) -> Failure {
    let Named { kind, namespace, name } = named;
    let place = namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let failure = Failure::new(Code::NotFound, format!("{kind} {place}{name} does not exist"));
    let filter = Filter { kind: Some(*kind), ..Filter::default() };
    let Ok(list) = connection.resources.list(&filter).await else { return failure };
    match nearest(name, &list.items) {
        Some(near) => failure.hint(format!("did you mean {}/{}?", near.namespace, near.name)),
        None => failure.hint(format!("`biplane get {}` lists those that do", kind.plural())),
    }
}

/// The same name elsewhere, or one a slip or two away.
fn nearest<'a>(name: &str, items: &'a [Resource]) -> Option<&'a Resource> {
    let slips = |item: &Resource| strsim::damerau_levenshtein(name, &item.name);
    let most = (name.len() / 3).clamp(1, 3);
    items.iter().filter(|item| slips(item) <= most).min_by_key(|item| slips(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str], namespace: Option<&str>) -> Result<Vec<String>, Failure> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let named = named(&words, namespace)?;
        let text = |named: Named| {
            format!("{} {} {}", named.kind, named.namespace.as_deref().unwrap_or("?"), named.name)
        };
        Ok(named.into_iter().map(text).collect())
    }

    #[test]
    fn an_object_has_several_spellings() {
        let one = |written: &[&str], namespace, meant: &str| {
            assert_eq!(words(written, namespace), Ok(vec![meant.to_owned()]), "{written:?}");
        };
        one(&["vs", "a"], None, "VirtualService ? a");
        one(&["VirtualServices", "edge/a"], None, "VirtualService edge a");
        one(&["vs", "a"], Some("edge"), "VirtualService edge a");
        one(&["us/a"], None, "Upstream ? a");
        one(&["Upstream/edge/a"], Some("edge"), "Upstream edge a");
        assert_eq!(words(&["us/a", "vs/b"], None).map(|named| named.len()), Ok(2));
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for (written, namespace) in [
            (&["vs", "a/b/c"][..], None),
            (&["vs", "/a"], None),
            (&["vs", ""], None),
            (&["vs/"], None),
            (&["vs/a", "b"], None),
            (&["vs", "edge/a"], Some("other")),
        ] {
            assert_eq!(
                words(written, namespace).map_err(|failure| failure.code),
                Err(Code::Usage),
                "{written:?}"
            );
        }
    }

    #[test]
    fn an_unknown_kind_comes_with_the_nearest() {
        let hint = |word: &str| kind(word).expect_err("no kind").hint.expect("advice");
        assert_eq!(hint("virtualservce"), "did you mean VirtualService?");
        assert!(hint("pod").starts_with("the kinds are Gateway, "));
    }
}
