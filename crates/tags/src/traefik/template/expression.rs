//! What stands between the braces: commands joined by pipes.

use super::functions::{self, Function};
use super::{Model, Value};

/// Brackets that may lie within each other.
const MAX_DEPTH: usize = 16;

/// Commands; each gets what the one before it yields as its last argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipeline(Vec<Command>);

#[derive(Clone, Debug, PartialEq)]
enum Command {
    Operand(Operand),
    Call(Function, Vec<Operand>),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    Name,
    Labels,
    /// `.Labels.x`
    Label(String),
    Pipeline(Box<Pipeline>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Pipe,
}

impl Pipeline {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut rest = tokens.as_slice();
        let pipeline = pipeline(&mut rest, 0)?;
        if rest.is_empty() { Ok(pipeline) } else { Err(format!("{text}: a ) has no (")) }
    }

    pub(super) fn value(&self, model: Model<'_>) -> Result<Value, String> {
        let mut last = None;
        for command in &self.0 {
            last = Some(command.value(model, last)?);
        }
        Ok(last.expect("a pipeline has a command"))
    }
}

impl Command {
    fn value(&self, model: Model<'_>, piped: Option<Value>) -> Result<Value, String> {
        match self {
            Self::Operand(operand) => operand.value(model),
            Self::Call(function, operands) => {
                let mut values = Vec::with_capacity(operands.len() + 1);
                for operand in operands {
                    values.push(operand.value(model)?);
                }
                values.extend(piped);
                function.call(&values)
            }
        }
    }
}

impl Operand {
    fn value(&self, model: Model<'_>) -> Result<Value, String> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Name => Value::Text(model.name.to_owned()),
            Self::Labels => Value::Map(model.labels.clone()),
            Self::Label(label) => {
                // As Go prints what a map does not have.
                let missing = || "<no value>".to_owned();
                Value::Text(model.labels.get(label).cloned().unwrap_or_else(missing))
            }
            Self::Pipeline(pipeline) => pipeline.value(model)?,
        })
    }
}

fn pipeline(rest: &mut &[Token], depth: usize) -> Result<Pipeline, String> {
    if depth > MAX_DEPTH {
        return Err(format!("more than {MAX_DEPTH} brackets lie within each other"));
    }
    let mut commands = vec![command(rest, depth, false)?];
    while rest.first() == Some(&Token::Pipe) {
        *rest = &rest[1..];
        commands.push(command(rest, depth, true)?);
    }
    Ok(Pipeline(commands))
}

fn command(rest: &mut &[Token], depth: usize, piped: bool) -> Result<Command, String> {
    let function = match rest.first() {
        Some(Token::Word(word)) => functions::find(word),
        _ => None,
    };
    if let Some(function) = function {
        *rest = &rest[1..];
        let operands = operands(rest, depth)?;
        function.check(operands.len() + usize::from(piped))?;
        return Ok(Command::Call(function, operands));
    }
    let mut operands = operands(rest, depth)?;
    match operands.len() {
        0 => Err("nothing stands between the braces".to_owned()),
        1 if !piped => Ok(Command::Operand(operands.remove(0))),
        _ => Err("a value stands where there is no function".to_owned()),
    }
}

fn operands(rest: &mut &[Token], depth: usize) -> Result<Vec<Operand>, String> {
    let mut operands = Vec::new();
    while let Some(token) = rest.first() {
        let operand = match token {
            Token::Pipe | Token::Close => break,
            Token::Text(text) => Operand::Literal(Value::Text(text.clone())),
            Token::Word(word) => word_operand(word)?,
            Token::Open => {
                *rest = &rest[1..];
                let inner = pipeline(rest, depth + 1)?;
                if rest.first() != Some(&Token::Close) {
                    return Err("a ( is not closed".to_owned());
                }
                Operand::Pipeline(Box::new(inner))
            }
        };
        operands.push(operand);
        *rest = &rest[1..];
    }
    Ok(operands)
}

fn word_operand(word: &str) -> Result<Operand, String> {
    if let Ok(number) = word.parse::<i64>() {
        return Ok(Operand::Literal(Value::Number(number)));
    }
    match word {
        "true" | "false" => return Ok(Operand::Literal(Value::Flag(word == "true"))),
        ".Name" => return Ok(Operand::Name),
        ".Labels" => return Ok(Operand::Labels),
        _ => {}
    }
    if let Some(label) = word.strip_prefix(".Labels.") {
        return Ok(Operand::Label(label.to_owned()));
    }
    match word.strip_prefix('.') {
        Some(field) => Err(format!("there is no field {field}; there are .Name and .Labels")),
        None => Err(format!("there is no function {word}; there are {}", functions::names())),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '(' => push(&mut tokens, Token::Open, 1),
            ')' => push(&mut tokens, Token::Close, 1),
            '|' => push(&mut tokens, Token::Pipe, 1),
            '`' => {
                let length = rest[1..].find('`').ok_or("a backtick is not closed")?;
                push(&mut tokens, Token::Text(rest[1..=length].to_owned()), length + 2)
            }
            '"' => {
                let (text, length) = quoted(rest)?;
                push(&mut tokens, Token::Text(text), length)
            }
            _ => {
                let end =
                    rest.find(|c: char| c.is_whitespace() || "()|\"`".contains(c)).unwrap_or(rest.len());
                push(&mut tokens, Token::Word(rest[..end].to_owned()), end)
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn push(tokens: &mut Vec<Token>, token: Token, length: usize) -> usize {
    tokens.push(token);
    length
}

/// A text in quotes, and its length with them.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let mut unquoted = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((unquoted, at + 1)),
            '\\' => match chars.next() {
                Some((_, c @ ('\\' | '"'))) => unquoted.push(c),
                Some((_, 'n')) => unquoted.push('\n'),
                Some((_, 't')) => unquoted.push('\t'),
                _ => return Err("a backslash in quotes stands before \\, \", n or t".to_owned()),
            },
            c => unquoted.push(c),
        }
    }
    Err("a quote is not closed".to_owned())
}
