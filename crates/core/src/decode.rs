//! From the text of one document to an [`Object`], with everything that is wrong about it.
//!
//! ```text
//! text -> tree -> metadata and fields -> checked against shapes -> typed values -> validated
//!         yaml    decode/form            shape                      serde           validate
//! ```
//! Only the first step can stop at the first mistake; from there on all mistakes of the object are
//! found at once. No finding quotes the value of a secret.

mod form;

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::findings::Findings;
use crate::key::{Kind, ObjectKey};
use crate::location::Location;
use crate::path::{FieldPath, Trail};
use crate::report::Report;
use crate::resources::{Metadata, Object, Spec};
use crate::shape::{self, Shapes};
use crate::validate;
use crate::yaml::{self, Node};

/// The largest document, in bytes: what Consul takes for one key.
pub const MAX_OBJECT: usize = 512 * 1024;

/// What decoding yields. `object` is `None` exactly when one of the reports is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The object, ready to use.
    pub object: Option<Object>,
    /// All findings, in the order of their lines.
    pub reports: Vec<Report>,
}

/// Decodes the document `slice`, which [`crate::document::identify`] found to be the object `key`.
/// `location` is that of the document's first line.
pub fn decode(slice: &str, key: &ObjectKey, location: &Location) -> Decoded {
    let mut findings = Findings::new(key, location);
    let object = read(slice, key, &mut findings).filter(|_| !findings.has_errors());
    Decoded { object, reports: findings.into_reports() }
}

fn read(slice: &str, key: &ObjectKey, findings: &mut Findings<'_>) -> Option<Object> {
    if slice.len() > MAX_OBJECT {
        let message =
            format!("the object has {} bytes, more than the {MAX_OBJECT} that are read", slice.len());
        findings.error(FieldPath::root(), 1, message);
        return None;
    }
    let tree = match yaml::parse(slice) {
        Ok(tree) => tree,
        Err(problem) => {
            let report = findings.error(FieldPath::root(), problem.line, problem.message);
            report.hint = problem.hint.map(str::to_owned);
            return None;
        }
    };
    let (mut metadata, mut fields) = form::take_apart(tree, findings)?;
    let root = Trail::root();
    shape::check(&mut metadata, &Shapes::get().metadata, &root.field("metadata"), findings);
    shape::check(&mut fields, Shapes::get().kind(key.kind), &root, findings);
    let metadata = metadata_of(&metadata, key, findings)?;
    let spec = spec_of(&fields, key.kind, findings)?;
    validate::validate(&spec, &fields, findings);
    Some(Object { key: key.clone(), metadata: Arc::new(metadata), spec })
}

fn metadata_of(node: &Node<'_>, key: &ObjectKey, findings: &mut Findings<'_>) -> Option<Metadata> {
    let mut metadata: Metadata = typed(node, findings)?;
    metadata.name.clone_from(&key.name);
    metadata.namespace.clone_from(&key.namespace);
    Some(metadata)
}

fn spec_of(fields: &Node<'_>, kind: Kind, findings: &mut Findings<'_>) -> Option<Spec> {
    Some(match kind {
        Kind::Gateway => Spec::Gateway(shared(fields, findings)?),
        Kind::VirtualService => Spec::VirtualService(shared(fields, findings)?),
        Kind::RouteTable => Spec::RouteTable(shared(fields, findings)?),
        Kind::Upstream => Spec::Upstream(shared(fields, findings)?),
        Kind::UpstreamGroup => Spec::UpstreamGroup(shared(fields, findings)?),
        Kind::RouteOption => Spec::RouteOption(shared(fields, findings)?),
        Kind::VirtualHostOption => Spec::VirtualHostOption(shared(fields, findings)?),
        Kind::Secret => Spec::Secret(shared(fields, findings)?),
        Kind::Settings => Spec::Settings(shared(fields, findings)?),
    })
}

fn shared<T: DeserializeOwned>(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Arc<T>> {
    typed(node, findings).map(Arc::new)
}

fn typed<'de, T: Deserialize<'de>>(node: &'de Node<'_>, findings: &mut Findings<'_>) -> Option<T> {
    match T::deserialize(node) {
        Ok(value) => Some(value),
        // The shape check admitted what the type does not: a fault of Biplane's, told as such.
        Err(misfit) => {
            let message = format!("the object cannot be read although its fields look right: {misfit}");
            findings.error(FieldPath::root(), node.line, message);
            None
        }
    }
}
