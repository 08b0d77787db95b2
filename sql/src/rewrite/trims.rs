//! `trim(leading from x)`, which sqlparser reads only with the characters to trim: blanks.

use crate::cursor::is_word;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Puts a blank where the characters are left out.
pub(super) fn spell(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let missing = |at: usize| {
        let word = |at: usize, words: &[&str]| {
            let token = tokens.get(at).map(|t| &t.token);
            token.is_some_and(|t| words.iter().any(|w| is_word(t, w)))
        };
        word(at, &["leading", "trailing", "both"])
            && word(at + 1, &["from"])
            && at >= 2
            && tokens[at - 1].token == Token::LParen
            && word(at - 2, &["trim"])
    };
    let places: Vec<usize> = (0..tokens.len()).filter(|at| missing(*at)).collect();
    if places.is_empty() {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + places.len());
    for (at, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        out.push(token);
        if places.contains(&at) {
            let blank = Token::SingleQuotedString(" ".to_owned());
            out.push(TokenWithSpan::new(blank, span));
        }
    }
    out
}
