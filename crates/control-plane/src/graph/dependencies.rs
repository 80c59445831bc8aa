//! Who asked for what: the reverse indexes that turn one changed object into the few nodes that
//! must be computed again.
//!
//! Invariant: `askers[d]` holds node `n` exactly when `asked[n]` holds dependency `d`. A node that is
//! computed again replaces all its dependencies, so nothing leaks when a selector moves on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::resources::route::{LabelExpression, LabelOperator, RouteTableSelector};

/// A question that a translation asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dependency {
    /// Whether the upstream exists.
    UpstreamExists(ResourceRef),
    /// The content of one object; of a secret: what it has, whatever the values.
    Object(ObjectKey),
    /// The values of a secret. Whoever asks this asks for the object too.
    SecretValues(ResourceRef),
    /// All route tables that a selector finds.
    Selector(Selector),
    /// The policy for invalid routes.
    Policy,
}

/// A route table selector with its namespaces resolved, as a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Selector {
    /// Empty: all namespaces.
    pub(crate) namespaces: BTreeSet<String>,
    labels: BTreeMap<String, String>,
    expressions: Vec<(String, LabelOperator, Vec<String>)>,
}

impl Selector {
    /// The selector of an object in `namespace`: where it names no namespaces, that one; `*`: all.
    pub(crate) fn new(selector: &RouteTableSelector, namespace: &str) -> Self {
        let named = &selector.namespaces;
        let namespaces = match named.as_slice() {
            [] => BTreeSet::from([namespace.to_owned()]),
            _ if named.iter().any(|name| name == "*") => BTreeSet::new(),
            _ => named.iter().cloned().collect(),
        };
        let expression = |e: &LabelExpression| (e.key.clone(), e.operator, e.values.clone());
        let expressions = selector.expressions.iter().map(expression).collect();
        Self { namespaces, labels: selector.labels.clone(), expressions }
    }

    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.expressions.iter().all(|(key, operator, values)| {
                let expression =
                    LabelExpression { key: key.clone(), operator: *operator, values: values.clone() };
                expression.matches(labels)
            })
    }
}

/// A computation whose dependencies are recorded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Node {
    /// The routes of a virtual service.
    Service(ResourceRef),
    /// The listener of a gateway.
    Listener(ResourceRef),
    /// The cluster of an upstream.
    Upstream(ResourceRef),
    /// Any other object.
    Object(ObjectKey),
}

impl Node {
    /// The object that the computation is about.
    pub(crate) fn object(&self) -> ObjectKey {
        match self {
            Self::Service(name) => name.key(Kind::VirtualService),
            Self::Listener(name) => name.key(Kind::Gateway),
            Self::Upstream(name) => name.key(Kind::Upstream),
            Self::Object(key) => key.clone(),
        }
    }
}

/// Both directions of the index.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    asked: HashMap<Node, BTreeSet<Dependency>>,
    askers: HashMap<Dependency, BTreeSet<Node>>,
    /// Selectors by a namespace that they search; the key "" holds those that search all.
    selectors: HashMap<String, BTreeSet<Selector>>,
    /// Secrets that the first node began to ask for, or the last one ceased to, since somebody looked.
    secrets: BTreeSet<ResourceRef>,
    /// The same of upstreams.
    upstreams: BTreeSet<ResourceRef>,
}

impl Dependencies {
    /// Replaces what `node` depends on.
    pub(crate) fn set(&mut self, node: &Node, dependencies: BTreeSet<Dependency>) {
        let before = self.asked.remove(node).unwrap_or_default();
        for gone in before.difference(&dependencies) {
            self.unlink(gone, node);
        }
        for new in dependencies.difference(&before) {
            self.link(new, node);
        }
        if !dependencies.is_empty() {
            self.asked.insert(node.clone(), dependencies);
        }
    }

    /// Forgets a node.
    pub(crate) fn remove(&mut self, node: &Node) {
        self.set(node, BTreeSet::new());
    }

    /// The nodes that asked exactly this.
    pub(crate) fn askers(&self, dependency: &Dependency) -> impl Iterator<Item = &Node> {
        self.askers.get(dependency).into_iter().flatten()
    }

    /// The nodes with a selector that finds a route table in `namespace` with these labels.
    pub(crate) fn selecting(&self, namespace: &str, labels: &BTreeMap<String, String>) -> BTreeSet<Node> {
        let buckets = ["", namespace].into_iter().filter_map(|bucket| self.selectors.get(bucket));
        let matching = buckets.flatten().filter(|selector| selector.matches(labels));
        let asked = matching.map(|selector| Dependency::Selector(selector.clone()));
        asked.filter_map(|asked| self.askers.get(&asked)).flatten().cloned().collect()
    }

    /// Takes out the secrets that may be asked for now and were not before, or the other way round.
    pub(crate) fn take_secrets(&mut self) -> BTreeSet<ResourceRef> {
        std::mem::take(&mut self.secrets)
    }

    /// The same of upstreams.
    pub(crate) fn take_upstreams(&mut self) -> BTreeSet<ResourceRef> {
        std::mem::take(&mut self.upstreams)
    }

    fn note(&mut self, dependency: &Dependency) {
        match dependency {
            Dependency::Object(key) if key.kind == Kind::Secret => drop(self.secrets.insert(key.reference())),
            Dependency::UpstreamExists(name) => drop(self.upstreams.insert(name.clone())),
            _ => {}
        }
    }

    fn link(&mut self, dependency: &Dependency, node: &Node) {
        let askers = self.askers.entry(dependency.clone()).or_default();
        let first = askers.is_empty();
        askers.insert(node.clone());
        if first {
            self.note(dependency);
        }
        if let Dependency::Selector(selector) = dependency {
            for bucket in buckets(selector) {
                self.selectors.entry(bucket).or_default().insert(selector.clone());
            }
        }
    }

    fn unlink(&mut self, dependency: &Dependency, node: &Node) {
        let Some(nodes) = self.askers.get_mut(dependency) else { return };
        nodes.remove(node);
        if !nodes.is_empty() {
            return;
        }
        self.askers.remove(dependency);
        self.note(dependency);
        if let Dependency::Selector(selector) = dependency {
            for bucket in buckets(selector) {
                let emptied = self.selectors.get_mut(&bucket).is_some_and(|set| {
                    set.remove(selector);
                    set.is_empty()
                });
                if emptied {
                    self.selectors.remove(&bucket);
                }
            }
        }
    }

    /// Whether nothing is indexed.
    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.askers.is_empty() && self.selectors.is_empty()
    }
}

fn buckets(selector: &Selector) -> Vec<String> {
    if selector.namespaces.is_empty() {
        return vec![String::new()];
    }
    selector.namespaces.iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ResourceRef {
        ResourceRef::new("default", name)
    }

    fn selector(namespaces: &[&str], label: &str) -> Selector {
        let namespaces = namespaces.iter().map(ToString::to_string).collect();
        let labels = BTreeMap::from([("team".to_owned(), label.to_owned())]);
        Selector::new(&RouteTableSelector { namespaces, labels, ..Default::default() }, "default")
    }

    #[test]
    fn replaced_dependencies_leave_nothing_behind() {
        let mut dependencies = Dependencies::default();
        let node = Node::Service(name("a"));
        dependencies
            .set(&node, BTreeSet::from([Dependency::Policy, Dependency::Selector(selector(&["*"], "x"))]));
        dependencies.set(&node, BTreeSet::from([Dependency::UpstreamExists(name("u"))]));
        assert_eq!(dependencies.askers(&Dependency::Policy).count(), 0);
        dependencies.remove(&node);
        assert!(dependencies.is_empty());
    }

    #[test]
    fn selector_is_found_by_namespace_and_labels() {
        let mut dependencies = Dependencies::default();
        let labels = BTreeMap::from([("team".to_owned(), "x".to_owned())]);
        for (asker, namespaces, label) in
            [("all", vec!["*"], "x"), ("own", vec![], "x"), ("other", vec!["*"], "y")]
        {
            let asked = BTreeSet::from([Dependency::Selector(selector(&namespaces, label))]);
            dependencies.set(&Node::Service(name(asker)), asked);
        }
        let found = |namespace| dependencies.selecting(namespace, &labels).into_iter().collect::<Vec<_>>();
        assert_eq!(found("default"), [Node::Service(name("all")), Node::Service(name("own"))]);
        assert_eq!(found("elsewhere"), [Node::Service(name("all"))]);
    }
}
