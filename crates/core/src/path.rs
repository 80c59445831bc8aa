//! The path of a field inside an object, as people read it: `virtualHost.routes[0].matchers[1].prefix`.

use std::fmt;

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A field or a map key.
    Field(String),
    /// An element of a list, from 0.
    Index(usize),
}

/// A path from an object's root (its `spec`) to a field. Empty: the object itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(pub Vec<Step>);

impl FieldPath {
    /// The object itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// This path with the field `name` behind it.
    #[must_use]
    pub fn field(&self, name: impl Into<String>) -> Self {
        self.with(Step::Field(name.into()))
    }

    /// This path with element `index` behind it.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

/// A path while it is walked: it borrows its names and costs nothing until it is reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Option<TrailStep<'a>>,
}

#[derive(Clone, Copy, Debug)]
enum TrailStep<'a> {
    Field(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    pub(crate) const fn root() -> Self {
        Self { parent: None, step: None }
    }

    pub(crate) const fn field(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Some(TrailStep::Field(name)) }
    }

    pub(crate) const fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Some(TrailStep::Index(index)) }
    }

    pub(crate) fn path(&self) -> FieldPath {
        let mut steps = Vec::new();
        let mut here = Some(self);
        while let Some(trail) = here {
            steps.extend(trail.step.map(|step| match step {
                TrailStep::Field(name) => Step::Field(name.to_owned()),
                TrailStep::Index(index) => Step::Index(index),
            }));
            here = trail.parent;
        }
        steps.reverse();
        FieldPath(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_reads_as_people_write_it() {
        let path = FieldPath::root().field("virtualHost").field("routes").index(0).field("matchers").index(1);
        assert_eq!(path.to_string(), "virtualHost.routes[0].matchers[1]");
    }

    #[test]
    fn trail_yields_the_path_that_was_walked() {
        let root = Trail::root();
        let (routes, first);
        routes = root.field("routes");
        first = routes.index(0);
        assert_eq!(first.field("matchers").path().to_string(), "routes[0].matchers");
    }
}
