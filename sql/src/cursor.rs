//! Reading one statement's tokens: words, names, literals and the parts that sqlparser reads for us
//! (queries, expressions), with every error as PostgreSQL words it and its position in the script.

use crate::dialect::DIALECT;
use crate::error::{Result, SqlError};
use crate::rewrite;
use crate::script::Script;
use crate::sqlstate::SqlState;
use crate::statement::Name;
use sqlparser::ast;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

/// Depth of nesting that a statement may have; stacks grow on demand below it.
const DEPTH_MAX: usize = 200;

/// Words that PostgreSQL reserves: never a bare name.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

/// Whether a lower-case word may not be a bare name.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// The word that a token is, when it is not quoted.
pub(crate) fn bare(token: &Token) -> Option<&str> {
    match token {
        Token::Word(w) if w.quote_style.is_none() => Some(&w.value),
        _ => None,
    }
}

/// Whether a token is this bare word (given in lower case).
pub(crate) fn is_word(token: &Token, word: &str) -> bool {
    bare(token).is_some_and(|w| w.eq_ignore_ascii_case(word))
}

/// An identifier's text, folded as PostgreSQL folds it.
pub(crate) fn fold(ident: &ast::Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_ascii_lowercase()
    }
}

/// One statement's tokens and a place in them.
pub(crate) struct Cursor<'a> {
    pub(crate) script: &'a Script<'a>,
    pub(crate) parser: Parser<'a>,
    /// Where the statement's last token ends.
    end: Location,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(script: &'a Script<'a>, mut tokens: Vec<TokenWithSpan>) -> Self {
        let end = tokens.last().map_or(Location::new(1, 1), |t| t.span.end);
        tokens.push(TokenWithSpan {
            token: Token::EOF,
            span: Span::new(end, end),
        });
        let parser = Parser::new(&DIALECT)
            .with_recursion_limit(DEPTH_MAX)
            .with_tokens_with_locations(tokens);
        Self {
            script,
            parser,
            end,
        }
    }

    // Looking

    pub(crate) fn peek(&self) -> TokenWithSpan {
        self.parser.peek_token()
    }

    pub(crate) fn peek_at(&self, n: usize) -> TokenWithSpan {
        self.parser.peek_nth_token(n)
    }

    pub(crate) fn peek_word(&self, word: &str) -> bool {
        is_word(&self.peek().token, word)
    }

    pub(crate) fn peek_words(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(i, w)| is_word(&self.peek_at(i).token, w))
    }

    pub(crate) fn peek_symbol(&self, symbol: &Token) -> bool {
        self.peek().token == *symbol
    }

    pub(crate) fn at_end(&self) -> bool {
        self.peek().token == Token::EOF
    }

    /// Position of the next token in the script.
    pub(crate) fn here(&self) -> Option<usize> {
        Some(self.position(self.peek().span.start))
    }

    fn position(&self, at: Location) -> usize {
        self.script
            .position(if at.line == 0 { self.end } else { at })
    }

    // Taking

    pub(crate) fn next(&mut self) -> TokenWithSpan {
        self.parser.next_token()
    }

    pub(crate) fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    /// Takes all of the words or none.
    pub(crate) fn words(&mut self, words: &[&str]) -> bool {
        let found = self.peek_words(words);
        if found {
            for _ in words {
                self.next();
            }
        }
        found
    }

    pub(crate) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.word(word) {
            Ok(())
        } else {
            Err(self.syntax_error(&[word]))
        }
    }

    pub(crate) fn symbol(&mut self, symbol: &Token) -> bool {
        self.parser.consume_token(symbol)
    }

    pub(crate) fn expect_symbol(&mut self, symbol: &Token) -> Result<()> {
        if self.symbol(symbol) {
            Ok(())
        } else {
            Err(self.syntax_error(&[]))
        }
    }

    pub(crate) fn expect_end(&self) -> Result<()> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.syntax_error(&[]))
        }
    }

    /// Takes the first of the words that is there.
    pub(crate) fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let found = words.iter().find(|w| self.peek_word(w)).copied()?;
        self.next();
        Some(found)
    }

    pub(crate) fn ident(&mut self) -> Result<String> {
        let token = self.peek();
        match &token.token {
            Token::Word(w) if w.quote_style.is_some() => {
                if w.value.is_empty() {
                    let text = "zero-length delimited identifier at or near \"\"\"\"";
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, text).at(self.here()));
                }
                self.next();
                Ok(w.value.clone())
            }
            Token::Word(w) => {
                let folded = w.value.to_ascii_lowercase();
                if is_reserved(&folded) {
                    return Err(self.syntax_error(&[]));
                }
                self.next();
                Ok(folded)
            }
            _ => Err(self.syntax_error(&[])),
        }
    }

    /// A name with an optional schema; the database may stand before it.
    pub(crate) fn name(&mut self) -> Result<Name> {
        let at = self.here();
        let mut parts = vec![self.ident()?];
        while self.symbol(&Token::Period) {
            let part = match self.peek().token {
                // After a dot every word is a name.
                Token::Word(w) => {
                    self.next();
                    if w.quote_style.is_some() {
                        w.value
                    } else {
                        w.value.to_ascii_lowercase()
                    }
                }
                _ => return Err(self.syntax_error(&[])),
            };
            parts.push(part);
        }
        name_from_parts(parts).map_err(|e| e.at(at))
    }

    pub(crate) fn names(&mut self) -> Result<Vec<Name>> {
        self.list(Self::name)
    }

    /// `item, item, …`
    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.symbol(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `( item, … )`
    pub(crate) fn parenthesized<T>(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect_symbol(&Token::LParen)?;
        let items = self.list(item)?;
        self.expect_symbol(&Token::RParen)?;
        Ok(items)
    }

    /// A string literal of any spelling.
    pub(crate) fn string(&mut self) -> Result<String> {
        let text = string_value(&self.peek().token);
        match text {
            Some(text) => {
                self.next();
                Ok(text)
            }
            None => Err(self.syntax_error(&[])),
        }
    }

    pub(crate) fn integer(&mut self) -> Result<u64> {
        let value = match &self.peek().token {
            Token::Number(digits, _) => digits.parse().ok(),
            _ => None,
        };
        let value = value.ok_or_else(|| self.syntax_error(&[]))?;
        self.next();
        Ok(value)
    }

    /// `IF NOT EXISTS`
    pub(crate) fn if_not_exists(&mut self) -> bool {
        self.words(&["if", "not", "exists"])
    }

    // Parts that sqlparser reads

    /// A query, rewritten.
    pub(crate) fn query(&mut self) -> Result<Box<ast::Query>> {
        let mut query = self
            .parser
            .parse_query()
            .map_err(|e| self.parser_error(e))?;
        rewrite::query(&mut query, |span| Some(self.position(span.start)))?;
        Ok(query)
    }

    /// A query that ends the statement, with its own text.
    pub(crate) fn query_to_end(&mut self) -> Result<(Box<ast::Query>, String)> {
        let start = self.peek().span.start;
        let query = self.query()?;
        self.expect_end()?;
        Ok((query, self.script.slice(start, self.end).to_owned()))
    }

    /// An expression, rewritten.
    pub(crate) fn expr(&mut self) -> Result<ast::Expr> {
        let mut expr = self.parser.parse_expr().map_err(|e| self.parser_error(e))?;
        rewrite::expr(&mut expr, |span| Some(self.position(span.start)))?;
        Ok(expr)
    }

    // Errors

    /// `syntax error at or near "x"` at the next token; `meant` are words that would have fit here.
    pub(crate) fn syntax_error(&self, meant: &[&str]) -> SqlError {
        let token = self.peek();
        let error = self.syntax_error_at(&token);
        match bare(&token.token).and_then(|w| crate::options::closest(w, meant.iter().copied())) {
            Some(word) => error.hint(format!("Did you mean \"{}\"?", word.to_uppercase())),
            None => error,
        }
    }

    fn syntax_error_at(&self, token: &TokenWithSpan) -> SqlError {
        let text = if token.token == Token::EOF {
            "syntax error at end of input".to_owned()
        } else {
            let source = self.script.slice(token.span.start, token.span.end);
            format!("syntax error at or near \"{source}\"")
        };
        SqlError::new(SqlState::SYNTAX_ERROR, text).at(Some(self.position(token.span.start)))
    }

    /// 0A000 at the next token.
    pub(crate) fn unsupported(&self, what: impl Into<String>) -> SqlError {
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, what).at(self.here())
    }

    /// An error of sqlparser in PostgreSQL's words.
    pub(crate) fn parser_error(&self, error: ParserError) -> SqlError {
        let message = match error {
            ParserError::RecursionLimitExceeded => {
                return SqlError::new(
                    SqlState::STATEMENT_TOO_COMPLEX,
                    "statement is nested too deeply",
                )
                .hint(format!("Up to {DEPTH_MAX} levels of nesting are accepted."))
                .at(self.here());
            }
            ParserError::TokenizerError(m) | ParserError::ParserError(m) => m,
        };
        let (what, at) = split_location(&message);
        let token = at
            .and_then(|at| self.token_at(at))
            .unwrap_or_else(|| self.peek());
        let error = self.syntax_error_at(&token);
        let expected = what
            .strip_prefix("Expected: ")
            .and_then(|w| w.split(", found: ").next());
        match expected {
            Some(expected) => error.detail(format!("Expected {}.", expected.trim_end_matches('.'))),
            None => error.detail(format!("{}.", what.trim_end_matches('.'))),
        }
    }

    fn token_at(&self, at: Location) -> Option<TokenWithSpan> {
        (0..)
            .map(|i| self.parser.token_at(i))
            .take_while(|t| t.token != Token::EOF || t.span.start == at)
            .find(|t| t.span.start == at)
            .cloned()
    }
}

/// Parts of a dotted name as a [`Name`].
pub(crate) fn name_from_parts(mut parts: Vec<String>) -> Result<Name> {
    let written = parts.join(".");
    let name = parts.pop().unwrap_or_default();
    let schema = parts.pop();
    match (parts.pop(), parts.is_empty()) {
        (None, _) => Ok(Name { schema, name }),
        (Some(database), true) if database == "alcedo" => Ok(Name { schema, name }),
        (Some(_), true) => Err(SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("cross-database references are not implemented: {written}"),
        )),
        (Some(_), false) => Err(SqlError::new(
            SqlState::SYNTAX_ERROR,
            format!("improper qualified name (too many dotted names): {written}"),
        )),
    }
}

/// The value of a string literal token.
pub(crate) fn string_value(token: &Token) -> Option<String> {
    match token {
        Token::SingleQuotedString(s)
        | Token::EscapedStringLiteral(s)
        | Token::UnicodeStringLiteral(s)
        | Token::NationalStringLiteral(s) => Some(s.clone()),
        Token::DollarQuotedString(s) => Some(s.value.clone()),
        _ => None,
    }
}

/// Takes ` at Line: l, Column: c` off a message.
fn split_location(message: &str) -> (&str, Option<Location>) {
    let Some((what, place)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let location = place.split_once(", Column: ").and_then(|(line, column)| {
        Some(Location::new(
            line.trim().parse().ok()?,
            column.trim().parse().ok()?,
        ))
    });
    (if location.is_some() { what } else { message }, location)
}
