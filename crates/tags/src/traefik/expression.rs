//! The language of rules and constraints: calls with texts as arguments, joined by `&&`, `||` and `!`.
//!
//! Traefik hands its rules to the parser of the Go language. What that parser takes, this one takes: both kinds of
//! quotes with Go's escapes, comments, a comma behind the last argument; and what it refuses is refused, such as a
//! line that breaks before an operator. Which names exist and what they take is up to the caller. Invariant: no
//! text, however deep its brackets, takes more than a bounded stack.

mod lex;

use lex::{Lexer, Token, TokenKind};

/// Brackets and negations that may lie within each other.
const MAX_DEPTH: usize = 64;
/// Calls that one expression may have: each lies one deeper than the one before.
const MAX_CALLS: usize = 256;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// Both must hold.
    And(Box<Self>, Box<Self>),
    /// One must hold.
    Or(Box<Self>, Box<Self>),
    /// It must not hold.
    Not(Box<Self>),
    /// A call.
    Call(Call),
}

/// A name and the texts in its brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The name, as written.
    pub(crate) name: String,
    /// The texts, without their quotes.
    pub(crate) arguments: Vec<String>,
    /// Where the name starts, in characters from 0.
    pub(crate) position: usize,
}

/// The text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", .position + 1)]
pub struct Invalid {
    /// Where, in characters from 0.
    pub position: usize,
    /// Why.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

impl Invalid {
    /// An error without a hint.
    pub fn new(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into(), hint: None }
    }

    /// The error with a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Reads `text`.
pub(crate) fn parse(text: &str) -> Result<Expression, Invalid> {
    let mut parser = Parser { tokens: Lexer::new(text)?.tokens()?, at: 0, calls: 0 };
    let expression = parser.any_of(0)?;
    match parser.peek().kind {
        TokenKind::End => Ok(expression),
        _ => Err(parser.unexpected("`&&`, `||` or the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    calls: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        // The lexer ends every text with `End`, which is never consumed.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn takes(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek().kind == *kind;
        self.at += usize::from(found);
        found
    }

    /// `a || b || c`; `&&` binds closer.
    fn any_of(&mut self, depth: usize) -> Result<Expression, Invalid> {
        let mut left = self.all_of(depth)?;
        while self.takes(&TokenKind::Or) {
            left = Expression::Or(Box::new(left), Box::new(self.all_of(depth)?));
        }
        Ok(left)
    }

    fn all_of(&mut self, depth: usize) -> Result<Expression, Invalid> {
        let mut left = self.single(depth)?;
        while self.takes(&TokenKind::And) {
            left = Expression::And(Box::new(left), Box::new(self.single(depth)?));
        }
        Ok(left)
    }

    fn single(&mut self, depth: usize) -> Result<Expression, Invalid> {
        let token = self.peek().clone();
        if depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} brackets and negations lie within each other");
            return Err(Invalid::new(token.position, message));
        }
        match token.kind {
            TokenKind::Not => {
                self.take();
                Ok(Expression::Not(Box::new(self.single(depth + 1)?)))
            }
            TokenKind::Open => {
                self.take();
                let inner = self.any_of(depth + 1)?;
                if self.takes(&TokenKind::Close) {
                    return Ok(inner);
                }
                let opened = format!("the bracket at character {} is not closed", token.position + 1);
                Err(self.unexpected("`)`").hint(opened))
            }
            TokenKind::Name(name) => {
                self.take();
                self.call(name, token.position)
            }
            _ => Err(self.unexpected("a call such as Host(`example.com`)")),
        }
    }

    fn call(&mut self, name: String, position: usize) -> Result<Expression, Invalid> {
        self.calls += 1;
        if self.calls > MAX_CALLS {
            return Err(Invalid::new(position, format!("more than {MAX_CALLS} calls")));
        }
        if !self.takes(&TokenKind::Open) {
            let hint = format!("write {name}(`...`)");
            return Err(self.unexpected("`(`").hint(hint));
        }
        let mut arguments = Vec::new();
        while !self.takes(&TokenKind::Close) {
            arguments.push(self.argument()?);
            if !self.takes(&TokenKind::Comma) && self.peek().kind != TokenKind::Close {
                return Err(self.unexpected("`,` or `)`"));
            }
        }
        Ok(Expression::Call(Call { name, arguments, position }))
    }

    fn argument(&mut self) -> Result<String, Invalid> {
        let token = self.take();
        match token.kind {
            TokenKind::Text(text) => Ok(text),
            TokenKind::Name(name) => {
                let message = format!("{name} has no quotes");
                Err(Invalid::new(token.position, message).hint("put the text between backticks: `...`"))
            }
            kind => {
                let message = format!("{} where a text in backticks or quotes should be", kind.told());
                Err(Invalid::new(token.position, message))
            }
        }
    }

    fn unexpected(&self, wanted: &str) -> Invalid {
        let token = self.peek();
        Invalid::new(token.position, format!("{} where {wanted} should be", token.kind.told()))
    }
}

#[cfg(test)]
mod tests {
    use super::lex::MAX_LENGTH;
    use super::*;

    fn told(expression: &Expression) -> String {
        match expression {
            Expression::And(a, b) => format!("({} and {})", told(a), told(b)),
            Expression::Or(a, b) => format!("({} or {})", told(a), told(b)),
            Expression::Not(inner) => format!("not {}", told(inner)),
            Expression::Call(call) => format!("{}{:?}", call.name, call.arguments),
        }
    }

    fn read(text: &str) -> String {
        told(&parse(text).unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    #[test]
    fn and_binds_closer_than_or_and_not_closest() {
        assert_eq!(read("A(`1`) || B(`2`) && !C(`3`)"), r#"(A["1"] or (B["2"] and not C["3"]))"#);
        assert_eq!(read("(A(`1`)||B(`2`))&&C(`3`)"), r#"((A["1"] or B["2"]) and C["3"])"#);
        assert_eq!(read("!!(A(`1`))"), r#"not not A["1"]"#);
        assert_eq!(read("A(`1`) && B(`2`) && C(`3`)"), r#"((A["1"] and B["2"]) and C["3"])"#);
    }

    #[test]
    fn backticks_take_everything_and_quotes_know_escapes() {
        assert_eq!(read(r#"A(`a\.b"c`)"#), r#"A["a\\.b\"c"]"#);
        assert_eq!(read(r#"A("a\\.b\"\t\x41\101\u00e9")"#), r#"A["a\\.b\"\tAAé"]"#);
        assert_eq!(read("A(`two\nlines`, \"b\",)"), r#"A["two\nlines", "b"]"#);
        assert_eq!(read("A()"), "A[]");
    }

    #[test]
    fn comments_and_line_breaks_follow_go() {
        assert_eq!(
            read("A(`1`) && // why\n\tB(`2`) /* because */ ||\r\n C(`3`)\n"),
            read("A(`1`)&&B(`2`)||C(`3`)")
        );
        assert!(parse("A(`1`)\n&& B(`2`)").is_err(), "Go ends the expression at the line break");
    }

    #[test]
    fn refusals_say_where_and_what() {
        for (text, position, part) in [
            ("", 0, "the text is empty"),
            ("  ", 2, "the end where a call"),
            ("Host(`a`) &&", 12, "the end where a call"),
            ("&& Host(`a`)", 0, "`&&` where a call"),
            ("(Host(`a`)", 10, "the end where `)`"),
            ("Host(`a`))", 9, "`)` where"),
            ("Host", 4, "the end where `(`"),
            ("Host(a)", 5, "a has no quotes"),
            ("Host('a')", 5, "'"),
            ("Host(`a)", 5, "not closed"),
            ("Host(\"a)", 5, "not closed"),
            ("Host(\"a\\.b\")", 7, "escape"),
            ("Host(\"a\nb\")", 5, "not closed"),
            ("Host(`a` `b`)", 9, "where `,` or `)`"),
            ("Host(,)", 5, "`,` where a text"),
            ("Host(1)", 5, "1"),
            ("Host(`a`) & Host(`b`)", 10, "&"),
            ("Host(`a`) and Host(`b`)", 10, "and where"),
            ("Host(`a`) Host(`b`)", 10, "Host where"),
            ("a.Host(`a`)", 1, "."),
            ("Host(`a`)!", 9, "`!` where"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.position == position && error.message.contains(part), "{text}: {error:?}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = format!("{}A(`1`)", "!".repeat(100_000));
        assert!(parse(&deep).unwrap_err().message.contains("longer than"), "length is looked at first");
        let deep = format!("{}A(`1`)", "(".repeat(MAX_LENGTH / 2));
        assert!(parse(&deep).unwrap_err().message.contains("within each other"));
        let wide = vec!["A(`1`)"; MAX_CALLS + 1].join("||");
        assert!(parse(&wide).unwrap_err().message.contains("more than 256 calls"));
    }
}
