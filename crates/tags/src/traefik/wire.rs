//! Paths as requests carry them. Traefik compares paths after it has decoded what need not be encoded, Envoy compares
//! them as they came: what a rule writes in the clear but no request can carry so is encoded here.

use regex_syntax::ast::{self, Ast, parse::Parser};

/// The path as a request would carry it: `/a b` is `/a%20b`. What is encoded already stays.
pub(crate) fn path(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for c in text.chars() {
        if is_encoded(c) { encode(c, &mut path) } else { path.push(c) }
    }
    path
}

/// The pattern of a path with the same done to its literals. What stands in a class stays as it is.
pub(crate) fn pattern(text: &str) -> String {
    // A pattern that RE2 takes and this parser does not has nothing that needs encoding that it could find.
    let Ok(tree) = Parser::new().parse(text) else { return text.to_owned() };
    let literals = ast::visit(&tree, Literals(Vec::new())).expect("the visitor never fails");
    let (mut pattern, mut from) = (String::new(), 0);
    for literal in literals {
        pattern.push_str(&text[from..literal.span.start.offset]);
        pattern.push_str("(?:");
        encode(literal.c, &mut pattern);
        pattern.push(')');
        from = literal.span.end.offset;
    }
    pattern.push_str(&text[from..]);
    pattern
}

/// The literals outside of classes that have to be encoded, from left to right.
struct Literals(Vec<ast::Literal>);

impl ast::Visitor for Literals {
    type Output = Vec<ast::Literal>;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self::Output, Self::Err> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        if let Ast::Literal(literal) = ast
            && is_encoded(literal.c)
        {
            self.0.push((**literal).clone());
        }
        Ok(())
    }
}

/// Whether requests carry the character encoded only.
fn is_encoded(c: char) -> bool {
    c <= ' ' || c == '"' || c == '<' || c == '>' || c == '\x7f' || !c.is_ascii()
}

fn encode(c: char, into: &mut String) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        into.push_str(&format!("%{byte:02X}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_requests_carry_them() {
        assert_eq!(path("/a b/é%2Fc"), "/a%20b/%C3%A9%2Fc");
        assert_eq!(path("/a-b_c~d"), "/a-b_c~d");
    }

    #[test]
    fn patterns_keep_their_structure() {
        assert_eq!(pattern("^/foo bar%2Fbaz$"), "^/foo(?:%20)bar%2Fbaz$");
        assert_eq!(pattern("/( +|é)/[ x]"), "/((?:%20)+|(?:%C3%A9))/[ x]");
        assert_eq!(pattern("^/v[0-9]+/"), "^/v[0-9]+/");
    }
}
