//! `CREATE MODEL`: a model trained from a query, or registered from a file.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::options::Options;
use crate::quote::{quote_ident, quote_literal};
use crate::sqlstate::SqlState;
use crate::types::SqlType;
use sqlparser::ast;
use sqlparser::tokenizer::Token;
use std::fmt;

/// `CREATE [OR REPLACE] MODEL [IF NOT EXISTS] m {OPTIONS | WITH} (…) AS query` or `… FROM 'url' [INPUT (…)] [OPTIONS (…)]`
///
/// FROM registers a file: LightGBM's text, or an ONNX file of a tree ensemble as scikit-learn (skl2onnx), LightGBM and
/// XGBoost (onnxmltools) and CatBoost export it. The bytes tell which it is, not the name. Of a LightGBM file the options
/// start_iteration (from 0) and num_iterations take some of the iterations.
///
/// An ONNX file may hold one of the operators TreeEnsembleRegressor, TreeEnsembleClassifier and TreeEnsemble with small
/// operators around it, scalers and imputers included; any other operator is named in an error when the model is
/// created. It predicts what ONNX Runtime computes: features are rounded to `float` unless the file takes doubles,
/// class labels are the file's, NULL is NaN. Inputs are numbers. A file whose input is a matrix takes its columns by
/// position, as `f0`, `f1` …; INPUT names them. Inputs of one column keep their names.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateModel {
    pub name: Name,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub options: Options,
    pub origin: ModelOrigin,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelOrigin {
    /// Trained from a query; `text` is the query's own text, kept for `TRAIN MODEL`.
    #[allow(missing_docs)]
    Query {
        query: Box<ast::Query>,
        text: String,
    },
    /// Registered from a file.
    #[allow(missing_docs)]
    File {
        url: String,
        input: Vec<(String, SqlType)>,
    },
}

/// The canonical DDL.
impl fmt::Display for CreateModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE MODEL {}", self.name)?;
        if let ModelOrigin::File { url, input } = &self.origin {
            write!(f, "\nFROM {}", quote_literal(url))?;
            for (i, (name, ty)) in input.iter().enumerate() {
                let before = if i == 0 { "\nINPUT (" } else { ", " };
                write!(f, "{before}{} {ty}", quote_ident(name))?;
            }
            f.write_str(if input.is_empty() { "" } else { ")" })?;
        }
        if !self.options.entries.is_empty() {
            write!(f, "\nOPTIONS ({})", self.options)?;
        }
        match &self.origin {
            ModelOrigin::Query { text, .. } => write!(f, "\nAS {text}"),
            ModelOrigin::File { .. } => Ok(()),
        }
    }
}

impl Cursor<'_> {
    pub(crate) fn create_model(&mut self, or_replace: bool) -> Result<Statement> {
        self.expect_word("model")?;
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        if self.peek_word("transform") {
            return Err(self
                .unsupported("TRANSFORM is not supported yet")
                .hint("Compute the features in the training query and again where you predict."));
        }
        let mut options = self.model_options()?;
        let origin = if self.word("from") {
            let at = self.here();
            let url = self.string()?;
            let input = if self.word("input") {
                self.parenthesized(|c| Ok((c.ident()?, c.sql_type()?)))?
            } else {
                Vec::new()
            };
            if self.peek_word("output") {
                return Err(self
                    .unsupported("OUTPUT of a model is not supported")
                    .hint("The file says what the model gives."));
            }
            let more = self.model_options()?;
            if !more.entries.is_empty() && !options.entries.is_empty() {
                let text = "options of the model are given twice";
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, text).at(at));
            }
            options.entries.extend(more.entries);
            ModelOrigin::File { url, input }
        } else if self.word("as") {
            let (query, text) = self.query_to_end()?;
            ModelOrigin::Query { query, text }
        } else {
            return Err(self.syntax_error(&["options", "as", "from"]));
        };
        let model = CreateModel {
            name,
            or_replace,
            if_not_exists,
            options,
            origin,
        };
        Ok(Statement::CreateModel(model))
    }

    /// `[OPTIONS | WITH] (…)`
    fn model_options(&mut self) -> Result<Options> {
        let named = self.one_of(&["options", "with"]).is_some();
        if named || self.peek_symbol(&Token::LParen) {
            self.options()
        } else {
            Ok(Options::default())
        }
    }
}
