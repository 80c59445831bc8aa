//! Names of fields: those of the message, those that only Gloo has, and slips of the keyboard.

use super::Checker;
use crate::path::Trail;
use crate::shape::gloo_fields::{self, Standing};
use crate::shape::{Message, Shape};
use crate::suggest::nearest;
use crate::yaml::{Entry, Mapping, camel_case};

impl Checker<'_, '_> {
    /// The field that `entry` names; `None` when there is nothing to read, reported where it must be.
    pub(super) fn known(
        &mut self,
        entry: &Entry<'_>,
        message: &'static Message,
        trail: &Trail<'_>,
    ) -> Option<&'static (String, Shape)> {
        if let Some(field) = message.field(&entry.key) {
            return Some(field);
        }
        let camel = camel_case(&entry.key);
        if let Some(field) = message.field(&camel) {
            return Some(field);
        }
        if !message.strict {
            return None;
        }
        match gloo_fields::find(&message.name, &camel) {
            // Only a field that says something can be missed.
            Some(_) if entry.value.is_null() => {}
            Some((standing, remark)) => self.gloo_field(&camel, standing, remark, entry, trail),
            None => self.unknown_field(entry, message, trail),
        }
        None
    }

    fn gloo_field(
        &mut self,
        name: &str,
        standing: Standing,
        remark: &str,
        entry: &Entry<'_>,
        trail: &Trail<'_>,
    ) {
        let field = trail.field(name);
        if standing == Standing::Refused {
            self.findings.drop_field(&field);
        } else {
            self.findings.skip_field(&field);
        }
        let path = field.path();
        match standing {
            Standing::Without => {
                self.findings.warning(
                    path,
                    entry.line,
                    format!("Gloo's field {name:?} has no effect: {remark}"),
                );
            }
            Standing::Unguarded => {
                let message = format!("Gloo's field {name:?} has no effect: {remark}");
                let report = self.findings.warning(path, entry.line, message);
                report.hint = Some("requests are let through without it; guard them elsewhere first".into());
            }
            Standing::Refused => {
                self.findings.error(path, entry.line, remark);
            }
        }
    }

    fn unknown_field(&mut self, entry: &Entry<'_>, message: &'static Message, trail: &Trail<'_>) {
        let field = trail.field(&entry.key);
        self.findings.drop_field(&field);
        let Some(name) = shown(&entry.key) else {
            self.no_word(entry, trail);
            return;
        };
        let hint = self.field_hint(name, message);
        let report = self.findings.error(field.path(), entry.line, format!("unknown field {name:?}"));
        report.hint = Some(hint);
    }

    /// A field whose name is no word. It is not quoted: it may be a piece of a key that slipped out of
    /// its indentation.
    fn no_word(&mut self, entry: &Entry<'_>, trail: &Trail<'_>) {
        let blank = entry.key.chars().any(|c| c.is_whitespace() && !c.is_ascii());
        let (message, hint) = if blank {
            (
                "the line is indented with another blank than a space",
                "copied text often holds them; type spaces instead",
            )
        } else {
            ("unknown field, whose name is no word", "compare the indentation with the lines above")
        };
        if !self.findings.just_said(&trail.path(), message) {
            self.findings.error(trail.path(), entry.line, message).hint = Some(hint.to_owned());
        }
    }

    fn field_hint(&self, written: &str, message: &'static Message) -> String {
        let ours = || message.fields.iter().map(|field| field.0.as_str());
        if let Some(name) = nearest(written, ours().chain(gloo_fields::of(&message.name))) {
            return format!("did you mean {name:?}?");
        }
        if let Some(name) = self.below(&camel_case(written), message) {
            return format!("did you mean {name:?}?");
        }
        let names: Vec<_> = ours().collect();
        if names.is_empty() {
            "no fields are written here".to_owned()
        } else {
            format!("fields here are {}", names.join(", "))
        }
    }

    /// The field one level further down, such as `options.prefixRewrite`.
    fn below(&self, name: &str, message: &'static Message) -> Option<String> {
        message.fields.iter().find_map(|(child, shape)| match shape {
            Shape::Message(index) => {
                self.shapes.messages[*index].field(name).map(|field| format!("{child}.{}", field.0))
            }
            _ => None,
        })
    }

    pub(super) fn duplicates(&mut self, map: &mut Mapping<'_>, trail: &Trail<'_>) {
        for duplicate in std::mem::take(&mut map.duplicates) {
            let Some(name) = shown(&duplicate.key) else {
                self.findings.error(trail.path(), duplicate.line, "a field is written twice");
                continue;
            };
            let first = self.findings.shown_line(duplicate.first_line);
            let message = format!("{name:?} is written twice, first on line {first}");
            let report = self.findings.error(trail.field(name).path(), duplicate.line, message);
            report.hint = Some("remove one of them".into());
        }
    }

    pub(super) fn written_twice(&mut self, name: &str, line: u32, trail: &Trail<'_>) {
        let message = format!("{name:?} is written twice, in camelCase and in snake_case");
        let report = self.findings.error(trail.field(name).path(), line, message);
        report.hint = Some("remove one of them".into());
    }
}

/// A name that a finding may show: one that looks like a field's.
fn shown(name: &str) -> Option<&str> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    (name.len() <= 48 && name.chars().all(word)).then_some(name)
}
