//! What the user asked, as data: one variant per statement, no handles, no futures.
//!
//! A statement of our own has a file beside this one with its struct, its parser, its `Display` (the
//! canonical text kept in the catalog and shown by `SHOW CREATE`) and the doc that is the user's text.
//! Statements that PostgreSQL shares with us carry sqlparser's AST.

mod alter_model;
mod alter_table;
mod column;
mod create_external_table;
mod create_model;
mod create_schema;
mod create_secret;
mod create_source;
mod create_table;
mod create_view;
mod delete;
mod describe;
mod discard;
mod drop;
mod explain;
mod export_model;
mod insert;
pub(crate) mod refused;
mod set;
mod show;
mod train_model;
mod transaction;
mod truncate;
mod update;

pub use alter_model::{AlterModel, AlterModelAction};
pub use alter_table::{AlterTable, AlterTableAction};
pub use column::ColumnDef;
pub use create_external_table::{CreateExternalTable, ExternalFormat};
pub use create_model::{CreateModel, ModelOrigin};
pub use create_schema::CreateSchema;
pub use create_secret::CreateSecret;
pub use create_source::{CreateSource, Include, IncludeRole};
pub use create_table::CreateTable;
pub use create_view::CreateView;
pub use delete::Delete;
pub use discard::Discard;
pub use drop::Drop;
pub use explain::Explain;
pub use export_model::ExportModel;
pub use insert::Insert;
pub use set::Set;
pub use train_model::TrainModel;
pub use transaction::Transaction;
pub use update::Update;

use sqlparser::ast;

/// `schema.name` as written; a missing schema is found through `search_path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema, when it was written.
    pub schema: Option<String>,
    /// The object's own name, case-folded unless quoted.
    pub name: String,
}

/// One statement of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What was asked.
    pub statement: Statement,
    /// The statement's own text, without the semicolon.
    pub text: String,
    /// Characters before the statement in the script: added to positions in its errors.
    pub offset: usize,
    /// Line of the script on which the statement starts, from 1; spans in the AST count from the script's start.
    pub line: u64,
    /// Column in that line, from 1.
    pub column: u64,
}

impl Parsed {
    /// 1-based character position in the script of a line and column from a span in the statement's AST;
    /// 0 when the span is unknown (line 0).
    pub fn position(&self, line: u64, column: u64) -> usize {
        let Some(down) = line.checked_sub(self.line).filter(|_| line > 0) else {
            return 0;
        };
        let column = usize::try_from(column).unwrap_or(1).max(1);
        if down == 0 {
            let first = usize::try_from(self.column).unwrap_or(1);
            return self.offset + column.saturating_sub(first) + 1;
        }
        let down = usize::try_from(down).unwrap_or(usize::MAX);
        let before: usize = self
            .text
            .split_inclusive('\n')
            .take(down)
            .map(|l| l.chars().count())
            .sum();
        self.offset + before + column
    }
}

/// Every statement Alcedo takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `SELECT`, `VALUES`, `WITH … SELECT`, `TABLE t`
    Query(Box<ast::Query>),
    /// `EXPLAIN [ANALYZE] [VERBOSE] [(FORMAT TEXT|JSON …)] statement`
    Explain(Explain),
    /// `INSERT INTO t [(columns)] query`
    Insert(Insert),
    /// `UPDATE t SET … [WHERE …]`
    Update(Update),
    /// `DELETE FROM t [WHERE …]`
    Delete(Delete),
    /// `TRUNCATE [TABLE] t, …`
    Truncate(Vec<Name>),
    /// `CREATE SCHEMA`
    CreateSchema(CreateSchema),
    /// `CREATE TABLE`
    CreateTable(CreateTable),
    /// `CREATE EXTERNAL TABLE`
    CreateExternalTable(CreateExternalTable),
    /// `CREATE VIEW`
    CreateView(CreateView),
    /// `CREATE SOURCE`, `CREATE STREAMING TABLE`
    CreateSource(CreateSource),
    /// `CREATE SECRET`
    CreateSecret(CreateSecret),
    /// `CREATE MODEL`
    CreateModel(CreateModel),
    /// `ALTER TABLE`
    AlterTable(AlterTable),
    /// `ALTER MODEL`
    AlterModel(AlterModel),
    /// `ALTER SECRET n AS 'value'`
    AlterSecret(CreateSecret),
    /// `DROP TABLE | VIEW | SOURCE | SCHEMA | MODEL | SECRET`
    Drop(Drop),
    /// `TRAIN MODEL`
    TrainModel(TrainModel),
    /// `EXPORT MODEL`
    ExportModel(ExportModel),
    /// `SHOW MODELS [LIKE 'pattern']`
    ShowModels(Option<String>),
    /// `DESCRIBE MODEL m`
    DescribeModel(Name),
    /// `SHOW CREATE TABLE | VIEW | SOURCE | MODEL name`
    ShowCreate(ObjectKind, Name),
    /// `SET [SESSION | LOCAL] name = value`, `SET TIME ZONE …`, `SET TRANSACTION …`
    Set(Set),
    /// `SHOW name`, `SHOW ALL`
    Show(Option<String>),
    /// `RESET name`, `RESET ALL`
    Reset(Option<String>),
    /// `DISCARD ALL | PLANS | SEQUENCES | TEMP`, `CLOSE ALL`, `DEALLOCATE ALL`, `UNLISTEN *`: what pools send
    Discard(Discard),
    /// `DEALLOCATE name`: forgets a statement prepared through the protocol
    Deallocate(String),
    /// `BEGIN`, `COMMIT`, `ROLLBACK`, …
    Transaction(Transaction),
}

/// Kinds of named objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ObjectKind {
    Table,
    View,
    Source,
    Schema,
    Model,
    Secret,
}
