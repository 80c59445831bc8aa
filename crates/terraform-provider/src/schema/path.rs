//! From the path of a field in a document to the path of an attribute.

use super::{Attribute, Shape};
use crate::wire::{AttributePath, Selector};

/// One step of a field path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Field(&'a str),
    Index(i64),
}

/// The attribute for `virtualHost.routes[0].matchers[1].prefix`, as far as there is one; none: the object as a whole.
pub(crate) fn attribute_path(attributes: &[Attribute], field_path: &str) -> Option<AttributePath> {
    let parts = parts(field_path);
    let mut steps: Vec<Selector> = Vec::new();
    let first = parts.first()?;
    let mut here = step_into(attributes, *first, &mut steps)?;
    for part in &parts[1..] {
        let next = match (here, part) {
            (Shape::Object(attributes), part) => step_into(attributes, *part, &mut steps),
            (Shape::List(of), Part::Index(index)) => {
                steps.push(Selector::Index(*index));
                Some(&**of)
            }
            (Shape::Map(of), Part::Field(key)) => {
                steps.push(Selector::Key((*key).to_owned()));
                Some(&**of)
            }
            _ => None,
        };
        let Some(next) = next else { break };
        here = next;
    }
    Some(AttributePath { steps: steps.into_iter().map(Into::into).collect() })
}

fn step_into<'a>(
    attributes: &'a [Attribute],
    part: Part<'_>,
    steps: &mut Vec<Selector>,
) -> Option<&'a Shape> {
    let Part::Field(field) = part else { return None };
    let named = |attribute: &&Attribute| attribute.field == field || attribute.name == field;
    let attribute = attributes.iter().find(named)?;
    steps.push(Selector::Attribute(attribute.name.clone()));
    Some(&attribute.shape)
}

fn parts(path: &str) -> Vec<Part<'_>> {
    let words = path.split(['.', '[']).filter(|word| !word.is_empty());
    words
        .map(|word| match word.strip_suffix(']').and_then(|index| index.parse().ok()) {
            Some(index) => Part::Index(index),
            None => Part::Field(word),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use biplane_admin_api::key::Kind;

    use super::*;
    use crate::schema::generate;

    fn written(path: &str) -> Option<String> {
        let attributes = generate::attributes(Kind::VirtualService).spec;
        attribute_path(&attributes, path).map(|path| path.written())
    }

    #[test]
    fn a_field_is_found_under_its_name_in_hcl() {
        for (field, attribute) in [
            ("virtualHost.routes[0].matchers[12].prefix", "virtual_host.routes[0].matchers[12].prefix"),
            ("virtualHost.routes[0].routeAction.single", "virtual_host.routes[0].route_action.single"),
            ("virtualHost", "virtual_host"),
        ] {
            assert_eq!(written(field).as_deref(), Some(attribute));
        }
    }

    #[test]
    fn the_path_ends_where_the_attributes_end() {
        assert_eq!(written("virtualHost.domains[0].nothing").as_deref(), Some("virtual_host.domains[0]"));
        assert_eq!(written("virtualHost.nothing[0]").as_deref(), Some("virtual_host"));
        assert_eq!(written(""), None);
        assert_eq!(written("nothing"), None);
    }
}
