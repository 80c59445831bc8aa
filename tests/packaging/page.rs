//! A page of the documentation as a script: its commands, block by block, each of which has to be run.

use std::collections::BTreeMap;

/// The blocks of commands that have not been run yet, by their headings.
#[derive(Debug)]
pub(crate) struct Page {
    blocks: BTreeMap<String, Vec<String>>,
}

impl Page {
    /// Reads the fenced blocks of `sh` in a page.
    pub(crate) fn read(text: &str) -> Self {
        let mut blocks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (mut heading, mut block) = (String::new(), None::<String>);
        for line in text.lines() {
            match (&mut block, line) {
                (Some(script), "```") => {
                    blocks.entry(heading.clone()).or_default().push(std::mem::take(script));
                    block = None;
                }
                (Some(script), line) => *script = format!("{script}{line}\n"),
                (None, "```sh") => block = Some(String::new()),
                (None, line) => {
                    line.strip_prefix("## ").into_iter().for_each(|title| title.clone_into(&mut heading));
                }
            }
        }
        Self { blocks }
    }

    /// The next block below a heading.
    pub(crate) fn next(&mut self, heading: &str) -> String {
        let blocks = self.blocks.get_mut(heading).filter(|blocks| !blocks.is_empty());
        blocks.unwrap_or_else(|| panic!("the page has no more commands below {heading:?}")).remove(0)
    }

    /// Panics if there are commands that nobody has run.
    pub(crate) fn assert_walked(&self) {
        let left: Vec<_> = self.blocks.iter().filter(|(_, blocks)| !blocks.is_empty()).collect();
        assert!(left.is_empty(), "commands of the page that the test does not run: {left:?}");
    }
}

#[test]
fn commands_are_read_by_their_headings_in_their_order() {
    let mut page = Page::read(
        "## One\n```sh\na\nb\n```\n```json\n{}\n```\n## Two\n```sh\nc\n```\ntext\n```sh\nd\n```\n",
    );
    assert_eq!(page.next("One"), "a\nb\n");
    assert_eq!([page.next("Two"), page.next("Two")], ["c\n", "d\n"]);
    page.assert_walked();
}

#[test]
#[should_panic(expected = "does not run")]
fn commands_that_are_left_out_are_told() {
    Page::read("## One\n```sh\na\n```\n").assert_walked();
}
