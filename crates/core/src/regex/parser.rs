//! RE2's grammar outside of classes and escapes: groups, flags, alternatives, repetition.

use super::RegexError;
use super::class::class;
use super::escape::{Escape, escape};

/// Most repetitions, also of repetitions within each other.
const MAX_REPEAT: u32 = 1000;
/// Deepest nesting of groups. RE2 has no such limit; what is nested deeper was not written by hand.
const MAX_NESTING: usize = 1000;
/// RE2 gives up on larger programs; the unit is roughly one of its instructions. Measured with
/// Envoy 1.40: 349,000 pass.
const MAX_SIZE: u64 = 300_000;

/// The pattern and the place that the parser has reached.
pub(super) struct Input<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes `what` if it comes next.
    pub(super) fn eat(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    pub(super) const fn mark(&self) -> usize {
        self.at
    }

    pub(super) const fn reset(&mut self, mark: usize) {
        self.at = mark;
    }

    /// An error at the byte `mark`.
    pub(super) fn error(&self, mark: usize, message: impl Into<String>) -> RegexError {
        RegexError { position: self.text[..mark].chars().count(), message: message.into() }
    }
}

/// How much a piece weighs, and how deep its repetitions are.
#[derive(Clone, Copy, Default)]
struct Weight {
    size: u64,
    /// The product of the repetitions inside.
    repeats: u32,
}

/// One open group.
#[derive(Default)]
struct Group {
    /// Where it was opened.
    mark: usize,
    /// What stands in it so far, without the last piece.
    before: Weight,
    /// The last piece; repetition needs one.
    last: Option<Weight>,
    /// The last piece is a repetition: RE2 refuses to repeat it again.
    repeated: bool,
}

impl Group {
    fn push(&mut self, piece: Weight) {
        self.settle();
        self.last = Some(piece);
        self.repeated = false;
    }

    fn settle(&mut self) {
        if let Some(last) = self.last.take() {
            self.before.size += last.size;
            self.before.repeats = self.before.repeats.max(last.repeats);
        }
    }

    fn weight(mut self) -> Weight {
        self.settle();
        self.before
    }
}

/// Parses the whole pattern; yields the number of capturing groups.
pub(super) fn parse(pattern: &str) -> Result<usize, RegexError> {
    let mut parser =
        Parser { input: Input { text: pattern, at: 0 }, open: vec![Group::default()], groups: 0 };
    while parser.input.peek().is_some() {
        parser.step()?;
    }
    match parser.open.len() {
        1 => parser.finish(),
        _ => Err(parser.input.error(parser.open.last().map_or(0, |group| group.mark), "missing )")),
    }
}

struct Parser<'a> {
    input: Input<'a>,
    open: Vec<Group>,
    groups: usize,
}

impl Parser<'_> {
    fn group(&mut self) -> &mut Group {
        self.open.last_mut().expect("the outermost group is never closed")
    }

    fn piece(&mut self, size: u64) {
        self.group().push(Weight { size, repeats: 1 });
    }

    fn finish(mut self) -> Result<usize, RegexError> {
        let weight = self.open.pop().expect("the outermost group is never closed").weight();
        if weight.size > MAX_SIZE {
            return Err(self
                .input
                .error(0, "the pattern is too large for RE2 once its repetitions are written out"));
        }
        Ok(self.groups)
    }

    fn step(&mut self) -> Result<(), RegexError> {
        let mark = self.input.mark();
        match self.input.next().expect("the caller has peeked") {
            '(' => self.open_group(mark),
            ')' => self.close_group(mark),
            '|' => {
                let group = self.group();
                group.settle();
                group.repeated = false;
                Ok(())
            }
            '[' => {
                let size = class(&mut self.input, mark)?;
                self.piece(size);
                Ok(())
            }
            '*' | '+' | '?' => self.repeat(mark, 1, 1),
            '{' => self.brace(mark),
            '\\' => self.escaped(mark),
            '.' => {
                self.piece(2);
                Ok(())
            }
            c => {
                self.piece(c.len_utf8() as u64);
                Ok(())
            }
        }
    }

    /// Counts of a repetition; any other brace is a character.
    fn brace(&mut self, mark: usize) -> Result<(), RegexError> {
        if let Some(counts) = self.counts() {
            return self.repeat_counted(mark, counts);
        }
        self.piece(1);
        Ok(())
    }

    fn escaped(&mut self, mark: usize) -> Result<(), RegexError> {
        if self.input.eat("Q") {
            self.quoted();
            return Ok(());
        }
        match escape(&mut self.input, mark)? {
            Escape::Character(c) => self.piece(c.len_utf8() as u64),
            Escape::Class(size) => self.piece(size),
            Escape::Place => self.piece(1),
        }
        Ok(())
    }

    /// `\Q...\E`: literal text. Without `\E` it runs to the end.
    fn quoted(&mut self) {
        while self.input.peek().is_some() && !self.input.eat("\\E") {
            let c = self.input.next().expect("peeked above");
            self.piece(c.len_utf8() as u64);
        }
    }

    fn open_group(&mut self, mark: usize) -> Result<(), RegexError> {
        if self.input.eat("?") {
            if !self.special_group(mark)? {
                return Ok(());
            }
        } else {
            self.groups += 1;
        }
        if self.open.len() > MAX_NESTING {
            return Err(self.input.error(mark, format!("groups nest deeper than {MAX_NESTING}")));
        }
        self.open.push(Group { mark, ..Group::default() });
        Ok(())
    }

    /// What follows `(?`; `false` for flags that open no group.
    fn special_group(&mut self, mark: usize) -> Result<bool, RegexError> {
        for (start, what) in
            [("<=", "look-behind"), ("<!", "look-behind"), ("=", "look-ahead"), ("!", "look-ahead")]
        {
            if self.input.rest().starts_with(start) {
                return Err(self.input.error(mark, format!("RE2 has no {what} (?{start}")));
            }
        }
        if self.input.eat("P<") || self.input.eat("<") {
            return self.name(mark).map(|()| true);
        }
        self.flags(mark)
    }

    fn name(&mut self, mark: usize) -> Result<(), RegexError> {
        let rest = self.input.rest();
        let name = rest.split_once('>').map_or(rest, |(name, _)| name);
        let valid = !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
        if !valid || !rest[name.len()..].starts_with('>') {
            return Err(self.input.error(mark, "invalid name of a group"));
        }
        self.input.reset(self.input.mark() + name.len() + 1);
        self.groups += 1;
        Ok(())
    }

    /// `(?i)` (no group: `false`) and `(?i:` (a group: `true`).
    fn flags(&mut self, mark: usize) -> Result<bool, RegexError> {
        let (mut negated, mut any) = (false, false);
        loop {
            let at = self.input.mark();
            match self.input.next() {
                None => return Err(self.input.error(mark, "missing )")),
                Some('i' | 'm' | 's' | 'U') => any = true,
                Some('-') if !negated => (negated, any) = (true, false),
                Some(':') if any || !negated => return Ok(true),
                Some(')') if any || !negated => return Ok(false),
                Some('x') => return Err(self.input.error(at, "RE2 has no flag x")),
                Some(c) => {
                    return Err(self.input.error(at, format!("RE2 has no group that starts with (?{c}")));
                }
            }
        }
    }

    fn close_group(&mut self, mark: usize) -> Result<(), RegexError> {
        if self.open.len() == 1 {
            return Err(self.input.error(mark, "unexpected )"));
        }
        let closed = self.open.pop().expect("more than one is open").weight();
        self.group().push(Weight { size: closed.size + 2, repeats: closed.repeats.max(1) });
        Ok(())
    }

    /// Behind `{`: the counts, if they are counts; `{` is a character otherwise.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let (inside, _) = self.input.rest().split_once('}')?;
        let (least, most) = match inside.split_once(',') {
            None => (inside, Some(inside)),
            Some((least, "")) => (least, None),
            Some((least, most)) => (least, Some(most)),
        };
        let counts = (count(least)?, most.map(count).map_or(Some(None), |most| most.map(Some))?);
        self.input.reset(self.input.mark() + inside.len() + 1);
        Some(counts)
    }

    fn repeat_counted(&mut self, mark: usize, (least, most): (u32, Option<u32>)) -> Result<(), RegexError> {
        let largest = most.unwrap_or(least);
        if least > MAX_REPEAT || largest > MAX_REPEAT {
            return Err(self.input.error(mark, format!("repeats more than {MAX_REPEAT} times")));
        }
        if least > largest {
            return Err(self
                .input
                .error(mark, format!("repeats at least {least} but at most {largest} times")));
        }
        self.repeat(mark, u64::from(largest) + u64::from(most.is_none()), largest.max(1))
    }

    /// Repeats the last piece: `copies` of it end up in the program, `times` count against the limit.
    fn repeat(&mut self, mark: usize, copies: u64, times: u32) -> Result<(), RegexError> {
        self.input.eat("?");
        let group = self.group();
        let Some(last) = group.last else {
            return Err(self.input.error(mark, "nothing to repeat"));
        };
        if group.repeated {
            return Err(self.input.error(mark, "RE2 does not repeat a repetition"));
        }
        group.repeated = true;
        let repeats = last.repeats.saturating_mul(times);
        group.last =
            Some(Weight { size: last.size.saturating_mul(copies.max(1)).saturating_add(1), repeats });
        if repeats > MAX_REPEAT {
            return Err(self
                .input
                .error(mark, format!("repeats more than {MAX_REPEAT} times, repetitions inside included")));
        }
        Ok(())
    }
}

fn count(digits: &str) -> Option<u32> {
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // RE2 reads no number with a leading zero as a count.
    (valid && (digits.len() == 1 || !digits.starts_with('0'))).then(|| digits.parse().unwrap_or(u32::MAX))
}
