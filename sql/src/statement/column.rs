//! Columns as CREATE TABLE, CREATE EXTERNAL TABLE, CREATE SOURCE and ADD COLUMN declare them.

use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::quote::quote_ident;
use crate::sqlstate::SqlState;
use crate::types::SqlType;
use sqlparser::ast;
use sqlparser::tokenizer::Token;
use std::fmt;

/// A column as declared.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct ColumnDef {
    pub name: String,
    pub ty: SqlType,
    pub nullable: bool,
    pub default: Option<ast::Expr>,
}

impl fmt::Display for ColumnDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", quote_ident(&self.name), self.ty)?;
        if let Some(default) = &self.default {
            write!(f, " DEFAULT {default}")?;
        }
        f.write_str(if self.nullable { "" } else { " NOT NULL" })
    }
}

/// The columns and CHECK conditions of one declaration.
#[derive(Debug, Default)]
pub(crate) struct ColumnList {
    pub(crate) columns: Vec<ColumnDef>,
    /// Name, when given, the columns' part of a made name, and the condition.
    checks: Vec<(Option<String>, Option<String>, ast::Expr)>,
}

impl ColumnList {
    /// CHECK conditions under their names; missing ones are made as PostgreSQL makes them:
    /// `<table>_<column>_check`, with a number when it is taken.
    pub(crate) fn checks(self, table: &str) -> Result<Vec<(String, ast::Expr)>> {
        let mut named: Vec<(String, ast::Expr)> = Vec::new();
        let given: Vec<String> = self
            .checks
            .iter()
            .filter_map(|(n, _, _)| n.clone())
            .collect();
        for (name, column, condition) in self.checks {
            let name = match name {
                Some(name) if named.iter().any(|(n, _)| *n == name) => {
                    let text =
                        format!("constraint \"{name}\" for relation \"{table}\" already exists");
                    return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, text));
                }
                Some(name) => name,
                None => {
                    let stem = match column {
                        Some(column) => format!("{table}_{column}_check"),
                        None => format!("{table}_check"),
                    };
                    let taken = |n: &String| given.contains(n) || named.iter().any(|(m, _)| m == n);
                    std::iter::once(stem.clone())
                        .chain((1..).map(|i| format!("{stem}{i}")))
                        .find(|n| !taken(n))
                        .unwrap_or(stem)
                }
            };
            named.push((name, condition));
        }
        Ok(named)
    }
}

impl Cursor<'_> {
    /// `(column type [NOT NULL] [DEFAULT …] [CHECK (…)], CHECK (…), …)`; may be empty.
    pub(crate) fn column_list(&mut self) -> Result<ColumnList> {
        let mut list = ColumnList::default();
        self.expect_symbol(&Token::LParen)?;
        if self.symbol(&Token::RParen) {
            return Ok(list);
        }
        loop {
            let at = self.here();
            if !self.table_constraint(&mut list)? {
                let column = self.column(&mut list)?;
                if list.columns.iter().any(|c| c.name == column.name) {
                    let text = format!("column \"{}\" specified more than once", column.name);
                    return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, text).at(at));
                }
                list.columns.push(column);
            }
            if !self.symbol(&Token::Comma) {
                break;
            }
        }
        self.expect_symbol(&Token::RParen)?;
        Ok(list)
    }

    /// A constraint between the columns; says whether there was one.
    fn table_constraint(&mut self, list: &mut ColumnList) -> Result<bool> {
        let name = if self.word("constraint") {
            Some(self.ident()?)
        } else {
            None
        };
        self.refuse_keys()?;
        if self.peek_words(&["exclude"]) && self.peek_at(1).token == Token::LParen
            || self.peek_words(&["exclude", "using"])
        {
            return Err(self.unsupported("exclusion constraints are not supported"));
        }
        if self.peek_word("watermark") && crate::cursor::is_word(&self.peek_at(1).token, "for") {
            return Err(self
                .unsupported("watermarks are not supported yet")
                .hint("Leave WATERMARK FOR out: queries over sources are bounded."));
        }
        if self.peek_word("like") {
            return Err(self
                .unsupported("LIKE in a column list is not supported")
                .hint("Use CREATE TABLE … AS SELECT * FROM t WHERE false."));
        }
        if self.peek_word("check") && self.peek_at(1).token == Token::LParen {
            self.next();
            let condition = self.check_condition()?;
            list.checks.push((name, None, condition));
            return Ok(true);
        }
        if name.is_some() {
            Err(self.syntax_error(&["check"]))
        } else {
            Ok(false)
        }
    }

    fn check_condition(&mut self) -> Result<ast::Expr> {
        self.expect_symbol(&Token::LParen)?;
        let condition = self.expr()?;
        self.expect_symbol(&Token::RParen)?;
        self.words(&["no", "inherit"]);
        Ok(condition)
    }

    /// One column; its CHECK conditions go into the list.
    pub(crate) fn column(&mut self, list: &mut ColumnList) -> Result<ColumnDef> {
        let name = self.ident()?;
        let at = self.here();
        if matches!(self.peek().token, Token::Comma | Token::RParen | Token::EOF) {
            return Err(self.syntax_error(&[]));
        }
        if self
            .one_of(&["serial", "bigserial", "smallserial", "serial4", "serial8"])
            .is_some()
        {
            let text = "sequences are not supported";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                .hint("Declare the column as bigint and give its values.")
                .at(at));
        }
        let ty = self.sql_type()?;
        let mut column = ColumnDef {
            name,
            ty,
            nullable: true,
            default: None,
        };
        loop {
            let name = if self.word("constraint") {
                Some(self.ident()?)
            } else {
                None
            };
            self.refuse_keys()?;
            if self.words(&["not", "null"]) {
                column.nullable = false;
            } else if self.word("null") {
                column.nullable = true;
            } else if self.word("default") {
                column.default = Some(self.expr()?);
            } else if self.word("check") {
                let condition = self.check_condition()?;
                list.checks
                    .push((name, Some(column.name.clone()), condition));
            } else if self.word("collate") {
                self.collation()?;
            } else if name.is_some() {
                return Err(self.syntax_error(&["check"]));
            } else {
                return Ok(column);
            }
        }
    }

    fn collation(&mut self) -> Result<()> {
        let at = self.here();
        let name = self.name()?;
        crate::rewrite::check_collation(&name.name).map_err(|e| e.at(at))
    }

    /// Keys and generated columns: promises that nothing would keep.
    fn refuse_keys(&self) -> Result<()> {
        let next = self.peek_at(1).token;
        let follows = |w: &str| crate::cursor::is_word(&next, w);
        // These words are reserved: none of them starts a column's name.
        let what = if self.peek_word("primary") && follows("key") {
            "PRIMARY KEY"
        } else if self.peek_word("unique") {
            "UNIQUE"
        } else if self.peek_word("foreign") && follows("key") || self.peek_word("references") {
            "FOREIGN KEY"
        } else if self.peek_word("generated") && (follows("always") || follows("by")) {
            return Err(self.unsupported("generated columns are not supported"));
        } else {
            return Ok(());
        };
        Err(self
            .unsupported(format!("{what} constraints are not supported"))
            .hint("Nothing would keep them: leave them out. NOT NULL and CHECK are kept."))
    }
}
