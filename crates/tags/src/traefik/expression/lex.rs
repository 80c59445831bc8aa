//! From text to tokens, by the rules of the Go language.

use super::Invalid;

/// The longest text that is read, in bytes.
pub(super) const MAX_LENGTH: usize = 16 * 1024;

/// A token and where it starts, in characters from 0.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) position: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    And,
    Or,
    Not,
    Open,
    Close,
    Comma,
    Name(String),
    Text(String),
    /// A line ends behind something that can end an expression: for Go, so does the expression.
    LineEnd,
    End,
}

impl TokenKind {
    /// How an error names it.
    pub(super) fn told(&self) -> String {
        match self {
            Self::And => "`&&`".to_owned(),
            Self::Or => "`||`".to_owned(),
            Self::Not => "`!`".to_owned(),
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::Name(name) => name.clone(),
            Self::Text(_) => "a text".to_owned(),
            Self::LineEnd => "a line break".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }

    fn can_end_an_expression(&self) -> bool {
        matches!(self, Self::Close | Self::Name(_) | Self::Text(_))
    }
}

pub(super) struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    pub(super) fn new(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(0, "the text is empty"));
        }
        if text.len() > MAX_LENGTH {
            return Err(Invalid::new(0, format!("longer than the {MAX_LENGTH} bytes that are read")));
        }
        Ok(Self { chars: text.chars().collect(), at: 0 })
    }

    pub(super) fn tokens(mut self) -> Result<Vec<Token>, Invalid> {
        let mut tokens: Vec<Token> = Vec::new();
        loop {
            let ends = tokens.last().is_some_and(|token| token.kind.can_end_an_expression());
            self.skip_blanks(ends)?;
            let position = self.at;
            let Some(&next) = self.chars.get(self.at) else { break };
            let kind = if next == '\n' { self.line_end() } else { self.token(next)? };
            tokens.push(Token { kind, position });
        }
        // A break behind the last token ends what ends anyway.
        tokens.pop_if(|token| token.kind == TokenKind::LineEnd);
        tokens.push(Token { kind: TokenKind::End, position: self.at });
        Ok(tokens)
    }

    fn line_end(&mut self) -> TokenKind {
        self.at += 1;
        TokenKind::LineEnd
    }

    /// Blanks and comments; line breaks too, unless they end an expression.
    fn skip_blanks(&mut self, ends: bool) -> Result<(), Invalid> {
        while let Some(c) = self.chars.get(self.at) {
            match (c, self.chars.get(self.at + 1)) {
                (' ' | '\t' | '\r', _) => self.at += 1,
                ('\n', _) if !ends => self.at += 1,
                ('/', Some('/')) => self.skip_line(),
                ('/', Some('*')) => self.skip_block()?,
                _ => break,
            }
        }
        Ok(())
    }

    fn skip_line(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| *c != '\n') {
            self.at += 1;
        }
    }

    fn skip_block(&mut self) -> Result<(), Invalid> {
        let start = self.at;
        self.at += 2;
        while self.at < self.chars.len() {
            if self.chars[self.at..].starts_with(&['*', '/']) {
                self.at += 2;
                return Ok(());
            }
            self.at += 1;
        }
        Err(Invalid::new(start, "a comment is not closed"))
    }

    fn token(&mut self, next: char) -> Result<TokenKind, Invalid> {
        let one = |kind| Ok((kind, 1));
        let (kind, length) = match next {
            '(' => one(TokenKind::Open),
            ')' => one(TokenKind::Close),
            ',' => one(TokenKind::Comma),
            '!' if self.chars.get(self.at + 1) != Some(&'=') => one(TokenKind::Not),
            '&' if self.chars.get(self.at + 1) == Some(&'&') => Ok((TokenKind::And, 2)),
            '|' if self.chars.get(self.at + 1) == Some(&'|') => Ok((TokenKind::Or, 2)),
            '`' => return self.raw(),
            '"' => return self.quoted(),
            c if c == '_' || c.is_alphabetic() => return Ok(self.name()),
            c => Err(self.stray(c)),
        }?;
        self.at += length;
        Ok(kind)
    }

    fn stray(&self, c: char) -> Invalid {
        let error = Invalid::new(self.at, format!("{c} has no meaning here"));
        match c {
            '&' | '|' => error.hint(format!("write {c}{c}")),
            _ => error.hint("put texts between backticks: `...`"),
        }
    }

    fn name(&mut self) -> TokenKind {
        let rest = &self.chars[self.at..];
        let name: String = rest.iter().take_while(|c| **c == '_' || c.is_alphanumeric()).collect();
        self.at += name.chars().count();
        TokenKind::Name(name)
    }

    /// A text in backticks: everything up to the next one, without carriage returns.
    fn raw(&mut self) -> Result<TokenKind, Invalid> {
        let start = self.at + 1;
        let length = self.chars[start..].iter().position(|c| *c == '`');
        let length = length.ok_or_else(|| Invalid::new(self.at, "the backtick is not closed"))?;
        self.at = start + length + 1;
        Ok(TokenKind::Text(self.chars[start..start + length].iter().filter(|c| **c != '\r').collect()))
    }

    fn quoted(&mut self) -> Result<TokenKind, Invalid> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.chars.get(self.at) {
                Some('"') => break,
                Some('\\') => self.escape(&mut bytes)?,
                Some(c) if *c != '\n' => {
                    push(&mut bytes, *c);
                    self.at += 1;
                }
                _ => return Err(Invalid::new(start, "the quote is not closed")),
            }
        }
        self.at += 1;
        let text = String::from_utf8(bytes);
        text.map(TokenKind::Text).map_err(|_| Invalid::new(start, "its escapes do not make UTF-8"))
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Invalid> {
        let start = self.at;
        let unknown = || {
            Invalid::new(start, "an escape that is unknown in quotes")
                .hint("between backticks a backslash is a backslash: `...`")
        };
        let kind = *self.chars.get(self.at + 1).ok_or_else(unknown)?;
        self.at += 2;
        let byte = match kind {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' | '"' => kind as u8,
            'x' => u8::try_from(self.digits(2, 16).ok_or_else(unknown)?).map_err(|_| unknown())?,
            '0'..='7' => {
                self.at -= 1;
                u8::try_from(self.digits(3, 8).ok_or_else(unknown)?).map_err(|_| unknown())?
            }
            'u' | 'U' => {
                let code = self.digits(if kind == 'u' { 4 } else { 8 }, 16);
                push(bytes, code.and_then(char::from_u32).ok_or_else(unknown)?);
                return Ok(());
            }
            _ => return Err(unknown()),
        };
        bytes.push(byte);
        Ok(())
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        let digits: String = self.chars.get(self.at..self.at + count)?.iter().collect();
        self.at += count;
        // `from_str_radix` would take a sign as well.
        if digits.starts_with('+') { None } else { u32::from_str_radix(&digits, radix).ok() }
    }
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}
