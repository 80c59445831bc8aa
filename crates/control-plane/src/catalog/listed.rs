//! What a listing of services changes about the one before: a source tells all of them each time, and one of them is another.

use std::cmp::Ordering;

use biplane_source::{Service, ServiceName};

/// The services of one source, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Listed(Vec<Service>);

/// What is another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Services that were not listed before.
    pub(super) new: Vec<Service>,
    /// Those whose tags are others.
    pub(super) retagged: Vec<Service>,
    /// Those that are not listed any more.
    pub(super) gone: Vec<ServiceName>,
}

impl Listed {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes over what is listed now.
    pub(super) fn replace(&mut self, mut services: Vec<Service>) -> Change {
        services.sort_unstable();
        services.dedup_by(|later, first| later.name == first.name);
        let change = compare(&self.0, &services);
        self.0 = services;
        change
    }
}

fn compare(before: &[Service], after: &[Service]) -> Change {
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    let mut change = Change::default();
    loop {
        let order = match (before.peek(), after.peek()) {
            (Some(old), Some(new)) => old.name.cmp(&new.name),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return change,
        };
        let old = before.next_if(|_| order.is_le());
        let new = after.next_if(|_| order.is_ge());
        match (old, new) {
            (Some(old), Some(new)) if old.tags != new.tags => change.retagged.push(new.clone()),
            (Some(old), None) => change.gone.push(old.name.clone()),
            (None, Some(new)) => change.new.push(new.clone()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, tags: &[&str]) -> Service {
        Service { name: ServiceName::new(name), tags: tags.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn only_what_is_another_counts() {
        let mut listed = Listed::default();
        let first = listed.replace(vec![service("c", &[]), service("a", &["x"]), service("b", &[])]);
        assert_eq!(first.new.len(), 3, "in whatever order");
        let second = listed.replace(vec![service("a", &["y"]), service("c", &[]), service("d", &[])]);
        let expected = Change {
            new: vec![service("d", &[])],
            retagged: vec![service("a", &["y"])],
            gone: vec![ServiceName::new("b")],
        };
        assert_eq!(second, expected);
        assert_eq!(listed.len(), 3);
        assert_eq!(listed.replace(Vec::new()).gone.len(), 3);
    }
}
