//! XML as AWS's query APIs answer: elements with texts or elements in them. Attributes and name spaces mean nothing here.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// Deeper than any answer of AWS.
const DEPTH_MAX: usize = 32;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The root of a document, or `None` if it is no whole document.
    pub(crate) fn parse(document: &str) -> Option<Self> {
        let mut reader = Reader::from_str(document);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) if open.len() < DEPTH_MAX && root.is_none() => {
                    open.push(Self::named(tag.local_name().as_ref()));
                }
                Event::Empty(tag) if root.is_none() => {
                    let element = Self::named(tag.local_name().as_ref());
                    close(element, &mut open, &mut root);
                }
                Event::Start(_) | Event::Empty(_) => return None,
                Event::End(_) => close(open.pop()?, &mut open, &mut root),
                Event::Text(text) => push(&mut open, &text.xml10_content()),
                Event::CData(text) => push(&mut open, &text.xml10_content()),
                Event::GeneralRef(reference) => {
                    push(&mut open, resolve(&reference)?.encode_utf8(&mut [0; 4]));
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof => return root.filter(|_| open.is_empty()),
            }
        }
    }

    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// What it is a list of.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Self> {
        self.children.iter()
    }

    /// The children of a child, which is a list.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.child(name).into_iter().flat_map(|list| &list.children)
    }

    /// What stands in a child, if anything does.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// What stands in a child as it is, be it nothing.
    pub(crate) fn whole_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The first element of this name, however deep.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    /// Its own text.
    pub(crate) fn own_text(&self) -> &str {
        self.text.trim()
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// Only what XML itself defines: no document says what else a name would stand for.
fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    match reference.as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_texts_are_found_by_their_names() {
        let document = "<?xml version=\"1.0\"?>\n<r xmlns=\"http://x\"><!-- no -->\n <set>\n  <item><id>a</id></item>\n  \
                        <item><id/></item>\n </set></r>";
        let root = Element::parse(document).expect("a document");
        assert_eq!(root.name, "r");
        let ids: Vec<_> = root.list("set").map(|item| (item.text("id"), item.whole_text("id"))).collect();
        assert_eq!(ids, [(Some("a"), Some("a")), (None, Some(""))]);
        assert_eq!(root.find("id").map(Element::own_text), Some("a"));
    }

    #[test]
    fn references_stand_for_characters_and_texts_stay_as_they_are() {
        let root = Element::parse("<r><v> a&amp;b &#252;<![CDATA[<c>]]> </v></r>").expect("a document");
        assert_eq!(root.whole_text("v"), Some(" a&b ü<c> "));
    }

    #[test]
    fn what_is_no_whole_document_is_none() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for text in ["", "<r>", "<r><a></r>", "<r/><r/>", "no xml", "<r>&unknown;</r>", deep.as_str()] {
            assert_eq!(Element::parse(text), None, "{text}");
        }
    }
}
