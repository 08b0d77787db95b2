//! Calls that name models and tables: `USING`, `MODEL m` and `TABLE t` within the parentheses of our own
//! functions, token by token. Nothing outside those parentheses is touched, so `model` stays a fine
//! name for a column.

use crate::cursor::{bare, is_word, string_value};
use crate::error::{Result, SqlError};
use crate::script::Script;
use crate::sqlstate::SqlState;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// Functions that score with the model their first argument names.
const PREDICT: &[&str] = &["predict", "predict_proba", "predict_raw"];

enum Callee {
    Predict,
    Ml,
}

/// `TABLE t` where a query may start.
pub(super) fn table_queries(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 3);
    let starts = |before: Option<&TokenWithSpan>| match before {
        None => true,
        Some(t) => {
            let words = [
                "as",
                "union",
                "all",
                "except",
                "intersect",
                "explain",
                "verbose",
            ];
            t.token == Token::LParen || words.iter().any(|w| is_word(&t.token, w))
        }
    };
    for (i, token) in tokens.iter().enumerate() {
        let next_is_name =
            matches!(tokens.get(i + 1), Some(t) if matches!(t.token, Token::Word(_)));
        if is_word(&token.token, "table") && next_is_name && starts(out.last()) {
            out.extend(select_all_from(token.span));
        } else {
            out.push(token.clone());
        }
    }
    out
}

fn select_all_from(span: Span) -> [TokenWithSpan; 3] {
    [
        TokenWithSpan::new(keyword("SELECT", Keyword::SELECT), span),
        TokenWithSpan::new(Token::Mul, span),
        TokenWithSpan::new(keyword("FROM", Keyword::FROM), span),
    ]
}

fn keyword(value: &str, keyword: Keyword) -> Token {
    Token::Word(Word {
        value: value.to_owned(),
        quote_style: None,
        keyword,
    })
}

/// Rewrites every call of ours, inner ones first.
pub(super) fn rewrite(
    script: &Script<'_>,
    tokens: Vec<TokenWithSpan>,
) -> Result<Vec<TokenWithSpan>> {
    if !tokens.iter().any(|t| is_ours(&t.token)) {
        return Ok(tokens);
    }
    let mut out = Vec::with_capacity(tokens.len() + 8);
    let mut i = 0;
    while i < tokens.len() {
        let call = callee(&tokens, i).zip(matching(&tokens, i + 1));
        let Some((callee, close)) = call else {
            out.push(tokens[i].clone());
            i += 1;
            continue;
        };
        out.extend_from_slice(&tokens[i..i + 2]);
        let mut inside = rewrite(script, tokens[i + 2..close].to_vec())?;
        if matches!(callee, Callee::Predict) {
            inside = using(script, inside)?;
        }
        out.extend(arguments(inside));
        out.push(tokens[close].clone());
        i = close + 1;
    }
    Ok(out)
}

fn is_ours(token: &Token) -> bool {
    PREDICT
        .iter()
        .chain(&["ml"])
        .any(|name| is_word(token, name))
}

/// Whether token `i` is the name of a function of ours before its parenthesis.
fn callee(tokens: &[TokenWithSpan], i: usize) -> Option<Callee> {
    bare(&tokens[i].token)?;
    if tokens.get(i + 1)?.token != Token::LParen {
        return None;
    }
    let qualified = i >= 1 && tokens[i - 1].token == Token::Period;
    let of_ml = qualified && i >= 2 && is_word(&tokens[i - 2].token, "ml");
    let predict = PREDICT.iter().any(|name| is_word(&tokens[i].token, name));
    match (qualified, of_ml, predict) {
        (false, _, true) => Some(Callee::Predict),
        (_, true, _) => Some(Callee::Ml),
        _ => None,
    }
}

/// The parenthesis that closes the one at `open`.
fn matching(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// Positions of the tokens outside any bracket for which `wanted` holds.
fn outside(tokens: &[TokenWithSpan], wanted: impl Fn(&Token) -> bool) -> Vec<usize> {
    let mut depth = 0i64;
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            _ if depth == 0 && wanted(&token.token) => found.push(i),
            _ => {}
        }
    }
    found
}

/// `m USING *`, `m USING (a, b AS c)`, `m USING a, b AS c` as ordinary arguments.
fn using(script: &Script<'_>, tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let Some(at) = outside(&tokens, |t| is_word(t, "using")).first().copied() else {
        return Ok(tokens);
    };
    let place = &tokens[at];
    let syntax = |near: &TokenWithSpan| {
        let text = format!("syntax error at or near \"{}\"", near.token);
        SqlError::new(SqlState::SYNTAX_ERROR, text).at(Some(script.position(near.span.start)))
    };
    let rest = &tokens[at + 1..];
    if at == 0 || rest.is_empty() {
        return Err(
            syntax(place).hint("Write predict(model USING *) or predict(model USING (a, b)).")
        );
    }
    let mut out = tokens[..at].to_vec();
    out.push(TokenWithSpan::new(Token::Comma, place.span));
    let listed = rest[0].token == Token::LParen;
    let end = if listed {
        matching(rest, 0).ok_or_else(|| syntax(place))?
    } else {
        rest.len()
    };
    let items = if listed { &rest[1..end] } else { rest };
    let mut start = 0;
    let commas = outside(items, |t| *t == Token::Comma);
    for comma in commas.iter().copied().chain([items.len()]) {
        if start > 0 {
            out.push(items[start - 1].clone());
        }
        out.extend(feature(script, &items[start..comma])?);
        start = comma + 1;
    }
    if listed {
        out.extend_from_slice(&rest[end + 1..]);
    }
    Ok(out)
}

/// One item of USING as `name => value`; wildcards and named options stay.
fn feature(script: &Script<'_>, item: &[TokenWithSpan]) -> Result<Vec<TokenWithSpan>> {
    let named = |name: &TokenWithSpan, value: &[TokenWithSpan]| {
        let mut out = vec![name.clone(), TokenWithSpan::new(Token::RArrow, name.span)];
        out.extend_from_slice(value);
        Ok(out)
    };
    let is_name = |t: &TokenWithSpan| matches!(t.token, Token::Word(_));
    let path = item.iter().enumerate().all(|(i, t)| {
        if i % 2 == 0 {
            is_name(t)
        } else {
            t.token == Token::Period
        }
    });
    match item {
        [] => {
            let text = "a feature is missing in USING";
            Err(SqlError::new(SqlState::SYNTAX_ERROR, text))
        }
        [.., last] if last.token == Token::Mul => Ok(item.to_vec()),
        _ if !outside(item, |t| *t == Token::RArrow).is_empty() => Ok(item.to_vec()),
        [value @ .., keyword, name] if is_word(&keyword.token, "as") && is_name(name) => {
            named(name, value)
        }
        [.., last] if path && is_name(last) => named(last, item),
        [first, ..] => {
            let text = "a feature expression in USING needs a name";
            Err(SqlError::new(SqlState::SYNTAX_ERROR, text)
                .hint("Write expression AS feature.")
                .at(Some(script.position(first.span.start))))
        }
    }
}

/// Takes MODEL away and turns `TABLE t` into a subquery, where an argument starts.
fn arguments(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 4);
    let mut depth = 0i64;
    let mut i = 0;
    while i < tokens.len() {
        let token = &tokens[i];
        let starts = depth == 0
            && out
                .last()
                .is_none_or(|t| matches!(t.token, Token::Comma | Token::RArrow));
        let next = tokens.get(i + 1).map(|t| &t.token);
        let before_name = matches!(next, Some(Token::Word(_)));
        if starts
            && is_word(&token.token, "model")
            && (before_name || next.is_some_and(|t| string_value(t).is_some()))
        {
            i += 1;
            continue;
        }
        if starts && is_word(&token.token, "table") && before_name {
            let mut end = i + 2;
            while tokens.get(end).is_some_and(|t| t.token == Token::Period) {
                end += 2;
            }
            let end = end.min(tokens.len());
            out.push(TokenWithSpan::new(Token::LParen, token.span));
            out.extend(select_all_from(token.span));
            out.extend_from_slice(&tokens[i + 1..end]);
            out.push(TokenWithSpan::new(Token::RParen, tokens[end - 1].span));
            i = end;
            continue;
        }
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth -= 1,
            _ => {}
        }
        out.push(token.clone());
        i += 1;
    }
    out
}
