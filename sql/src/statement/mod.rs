//! What the user asked, as data: one variant per statement, no handles, no futures.
//!
//! A statement of our own has a file beside this one with its struct, its parser, its `Display` (the
//! canonical text kept in the catalog and shown by `SHOW CREATE`) and the doc that is the user's text.
//! Statements that PostgreSQL shares with us carry sqlparser's AST.

use crate::options::Options;
use crate::types::SqlType;
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
    /// `BEGIN`, `COMMIT`, `ROLLBACK`, …
    Transaction(Transaction),
}

/// Kinds of named objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ObjectKind { Table, View, Source, Schema, Model, Secret }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Explain { pub analyze: bool, pub verbose: bool, pub json: bool, pub statement: Box<Statement> }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Insert { pub table: Name, pub columns: Vec<String>, pub query: Option<Box<ast::Query>> }

/// `query == None` means `DEFAULT VALUES` for [`Insert`]; `value == None` means `DEFAULT` for an assignment.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Update { pub table: Name, pub alias: Option<String>, pub assignments: Vec<(String, Option<ast::Expr>)>, pub selection: Option<ast::Expr> }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Delete { pub table: Name, pub alias: Option<String>, pub selection: Option<ast::Expr> }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSchema { pub name: String, pub if_not_exists: bool }

/// A column as declared.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct ColumnDef { pub name: String, pub ty: SqlType, pub nullable: bool, pub default: Option<ast::Expr> }

/// `CREATE TABLE [IF NOT EXISTS] n (columns, CHECK (…))` or `… [(names)] AS query`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub columns: Vec<ColumnDef>,
    /// Name (given or made as Postgres makes it) and condition.
    pub checks: Vec<(String, ast::Expr)>,
    pub query: Option<Box<ast::Query>>,
    /// Column names before AS, when given.
    pub query_columns: Vec<String>,
}

/// `CREATE EXTERNAL TABLE [IF NOT EXISTS] n [(columns)] STORED AS format [PARTITIONED BY (c, …)] LOCATION 'url' [OPTIONS (…)]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateExternalTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub columns: Vec<ColumnDef>,
    pub format: ExternalFormat,
    /// Names; types come from `columns` when declared there, else text or inferred from the folders.
    pub partitioned_by: Vec<String>,
    pub location: String,
    pub options: Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ExternalFormat { Parquet, Csv, Json, Delta }

/// `CREATE [OR REPLACE] VIEW [IF NOT EXISTS] n [(columns)] AS query`; `text` is the query's own text.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateView { pub name: Name, pub or_replace: bool, pub if_not_exists: bool, pub columns: Vec<String>, pub query: Box<ast::Query>, pub text: String }

/// `CREATE {SOURCE | STREAMING TABLE} [IF NOT EXISTS] n (columns) [INCLUDE …] WITH (…) FORMAT PLAIN ENCODE JSON [(…)]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSource {
    pub name: Name,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub columns: Vec<ColumnDef>,
    pub include: Vec<Include>,
    pub with: Options,
    /// Upper case, as `PLAIN`.
    pub format: String,
    /// Upper case, as `JSON`.
    pub encode: String,
    pub encode_options: Options,
    /// Canonical DDL with secrets by name, for `SHOW CREATE SOURCE`.
    pub text: String,
}

/// `INCLUDE role [AS name]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Include { pub role: IncludeRole, pub alias: Option<String> }

#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IncludeRole { Key, Partition, Offset, Timestamp, Headers, Header(String) }

/// `CREATE SECRET [IF NOT EXISTS] n [WITH (…)] AS 'value'` or `CREATE SECRET n (TYPE s3, KEY_ID '…', …)`
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSecret { pub name: String, pub if_not_exists: bool, pub or_replace: bool, pub value: Option<String>, pub options: Options }

impl std::fmt::Debug for CreateSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreateSecret {{ name: {:?}, <redacted> }}", self.name)
    }
}

/// `CREATE [OR REPLACE] MODEL [IF NOT EXISTS] m {OPTIONS | WITH} (…) AS query` or `… FROM 'url' [OPTIONS (…)]`
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
    Query { query: Box<ast::Query>, text: String },
    /// Registered from a file.
    File { url: String, input: Vec<(String, SqlType)> },
}

/// `TRAIN MODEL m`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct TrainModel { pub name: Name }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct AlterModel { pub name: Name, pub action: AlterModelAction }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum AlterModelAction { SetDefaultVersion(u64), Rollback, SetAlias { alias: String, version: u64 }, DropAlias(String), DropVersion(u64), Rename(String) }

/// `EXPORT MODEL m [VERSION n] TO 'url' [(FORMAT lightgbm)]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct ExportModel { pub name: Name, pub version: Option<u64>, pub url: String }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct AlterTable { pub name: Name, pub if_exists: bool, pub action: AlterTableAction }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum AlterTableAction { Rename(String), AddColumn { column: ColumnDef, if_not_exists: bool } }

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Drop { pub kind: ObjectKind, pub if_exists: bool, pub names: Vec<Name>, pub cascade: bool }

/// Values of `SET` as text, as Postgres keeps them; several (`search_path = a, b`) keep their order; empty = DEFAULT.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Set { pub name: String, pub values: Vec<String>, pub local: bool }

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Discard { All, Plans, Sequences, Temp, CloseAll, DeallocateAll, Unlisten }

#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Transaction {
    Begin { read_only: bool },
    Commit { chain: bool },
    Rollback { chain: bool },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
}
