//! The lexical rules and switches of our SQL: PostgreSQL's, without its geometric and XML prefixes (they
//! would take `point` and `path` away as column names), with the additions that the planner understands.

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use std::any::TypeId;

/// The one dialect.
pub(crate) static DIALECT: AlcedoDialect = AlcedoDialect(PostgreSqlDialect {});

/// PostgreSQL's dialect with our switches; see the module.
#[derive(Debug)]
pub(crate) struct AlcedoDialect(PostgreSqlDialect);

/// Whether `?` comes next: between two operands it asks whether JSON has a key.
fn is_question(parser: &Parser) -> bool {
    matches!(&parser.peek_token_ref().token, Token::Placeholder(text) if text == "?")
}

/// Words of clauses that sqlparser would let start an expression; PostgreSQL reserves them.
const CLAUSES: &[Keyword] = &[
    Keyword::AND,
    Keyword::AS,
    Keyword::ASC,
    Keyword::DESC,
    Keyword::ELSE,
    Keyword::END,
    Keyword::EXCEPT,
    Keyword::FETCH,
    Keyword::FOR,
    Keyword::FROM,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::INTERSECT,
    Keyword::INTO,
    Keyword::LIMIT,
    Keyword::OFFSET,
    Keyword::ON,
    Keyword::OR,
    Keyword::ORDER,
    Keyword::RETURNING,
    Keyword::THEN,
    Keyword::UNION,
    Keyword::USING,
    Keyword::WHEN,
    Keyword::WHERE,
    Keyword::WINDOW,
];

macro_rules! enabled {
    ($($name:ident),* $(,)?) => { $(fn $name(&self) -> bool { true })* };
}

impl Dialect for AlcedoDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.0.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.0.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.0.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.0.is_identifier_part(ch)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        self.0.is_reserved_for_identifier(keyword)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        self.0.is_custom_operator_part(ch)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        if is_question(parser) {
            return Some(Ok(self.prec_value(Precedence::PgOther)));
        }
        // Only NOTNULL and IS NOT NULL are operators: after DEFAULT 0 a NOT NULL is the column's.
        let word = |at: usize, keyword| matches!(&parser.peek_nth_token_ref(at).token, Token::Word(w) if w.keyword == keyword);
        if word(0, Keyword::NOT) && word(1, Keyword::NULL) {
            return Some(Ok(self.prec_unknown()));
        }
        self.0.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        self.0.prec_value(precedence)
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let token = parser.peek_token_ref();
        match &token.token {
            Token::Word(w) if CLAUSES.contains(&w.keyword) => {
                Some(parser.expected_ref("an expression", token))
            }
            _ => self.0.parse_prefix(parser),
        }
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if is_question(parser) {
            parser.next_token();
            return Some(
                parser
                    .parse_subexpr(precedence)
                    .map(|right| Expr::BinaryOp {
                        left: Box::new(expr.clone()),
                        op: BinaryOperator::Question,
                        right: Box::new(right),
                    }),
            );
        }
        // The right side ends before AND and OR.
        use Keyword::{DISTINCT, FROM, IS, NOT};
        let made = if parser.parse_keywords(&[IS, DISTINCT, FROM]) {
            Expr::IsDistinctFrom
        } else if parser.parse_keywords(&[IS, NOT, DISTINCT, FROM]) {
            Expr::IsNotDistinctFrom
        } else {
            return self.0.parse_infix(parser, expr, precedence);
        };
        let right = parser.parse_subexpr(precedence);
        Some(right.map(|right| made(Box::new(expr.clone()), Box::new(right))))
    }

    // Named arguments keep `Ident => value`: the form with an expression before the arrow parses every
    // argument twice, which is exponential in the depth of nested calls.
    enabled! {
        allow_extract_custom, allow_extract_single_quotes, supports_array_typedef_with_brackets,
        supports_bitwise_shift_operators, supports_comma_separated_trim, supports_dictionary_syntax,
        supports_empty_projections, supports_factorial_operator,
        supports_filter_during_aggregation, supports_group_by_expr, supports_interval_options,
        supports_listen_notify, supports_nested_comments,
        supports_numeric_literal_underscores, supports_select_wildcard_except,
        supports_select_wildcard_exclude, supports_select_wildcard_with_alias,
        supports_string_escape_constant, supports_unicode_string_literal,
    }
}
