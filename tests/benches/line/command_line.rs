//! What a benchmark is told on its command line.

/// The words after its name.
#[derive(Debug)]
pub(crate) struct CommandLine(Vec<String>);

impl CommandLine {
    /// This process's.
    pub(crate) fn here() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Whether a word is there.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.iter().any(|given| given == word)
    }

    /// Whether only a taste of everything is wanted.
    pub(crate) fn is_quick(&self) -> bool {
        self.has("--quick")
    }

    /// Whether JSON is wanted in the place of tables.
    pub(crate) fn as_json(&self) -> bool {
        self.0.windows(2).any(|pair| pair == ["-o", "json"])
    }
}
