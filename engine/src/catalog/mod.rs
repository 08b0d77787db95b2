//! What exists: an immutable [`Snapshot`] of every schema, relation, model and secret, swapped as a whole.
//!
//! `store` holds and changes it, `version` is its form on disk, `durable` the data directory, `synced` the local
//! object store that syncs, `secret` seals values.

pub mod durable;
mod secret;
pub mod store;
mod synced;
mod version;

use alcedo_sql::types::SqlType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The schema that a fresh catalog has.
pub const PUBLIC: &str = "public";
/// The one database.
pub const DATABASE: &str = "alcedo";
/// First oid of user objects, as in Postgres.
pub const FIRST_OID: u32 = 16384;

/// `schema.name`, resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[allow(missing_docs)]
pub struct ObjectName {
    pub schema: String,
    pub name: String,
}

impl From<ObjectName> for String {
    fn from(n: ObjectName) -> String {
        // A NUL cannot be part of an identifier.
        format!("{}\u{0}{}", n.schema, n.name)
    }
}

impl TryFrom<String> for ObjectName {
    type Error = &'static str;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        let (schema, name) = s
            .split_once('\u{0}')
            .ok_or("an object name without its schema")?;
        Ok(Self {
            schema: schema.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema == PUBLIC {
            f.write_str(&self.name)
        } else {
            write!(f, "{}.{}", self.schema, self.name)
        }
    }
}

/// One version of the whole catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Snapshot {
    /// Counts up by one with every change; 0 is the empty catalog.
    pub version: u64,
    pub next_oid: u32,
    pub schemas: BTreeMap<String, Schema>,
    pub relations: BTreeMap<ObjectName, Relation>,
    pub models: BTreeMap<ObjectName, Model>,
    pub secrets: BTreeMap<String, Secret>,
    /// Folders of dropped tables with the time of the drop: deleted after a grace period.
    #[serde(default)]
    pub dropped: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Schema {
    pub oid: u32,
    pub owner: String,
}

/// A table, view or source: they share one namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Relation {
    pub oid: u32,
    pub owner: String,
    pub created_at_us: i64,
    pub kind: RelationKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum RelationKind {
    Table(Table),
    External(External),
    View(View),
    Source(Source),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Column {
    pub name: String,
    /// The type's name as `format_type` shows it; see [`Column::sql_type`].
    #[serde(with = "type_text")]
    pub ty: SqlType,
    pub nullable: bool,
    /// SQL text of the default.
    pub default: Option<String>,
}

/// A managed table: Delta under the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Table {
    pub columns: Vec<Column>,
    /// Name and SQL text of the condition.
    pub checks: Vec<(String, String)>,
    /// Folder relative to the data directory: `tables/<uuid>`; never reused.
    pub path: String,
}

/// An external table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct External {
    pub columns: Vec<Column>,
    /// `parquet`, `csv`, `json` or `delta`.
    pub format: String,
    pub location: String,
    /// Partition columns (also in `columns`, last).
    pub partitioned_by: Vec<String>,
    pub options: BTreeMap<String, String>,
    /// Canonical DDL.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct View {
    pub columns: Vec<Column>,
    /// The query's own text.
    pub text: String,
    /// `search_path` in force when it was made.
    pub search_path: Vec<String>,
    pub relations: Vec<ObjectName>,
    pub models: Vec<ObjectName>,
}

/// A source over a Kafka topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Source {
    /// Value columns first, then metadata columns in their order of declaration.
    pub columns: Vec<Column>,
    pub metadata: Vec<MetadataColumn>,
    pub topic: String,
    /// Identifies this life of the topic; empty when the broker gives none.
    pub topic_id: String,
    /// librdkafka properties; values may be secrets by name.
    pub properties: BTreeMap<String, Property>,
    /// First offset of the source per partition, resolved once at CREATE; partitions that are not here start at 0.
    pub start: BTreeMap<i32, i64>,
    pub on_error: OnError,
    /// `timestamptz.handling.mode`
    pub timestamptz_mode: String,
    /// Canonical DDL, secrets by name.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MetadataColumn {
    pub name: String,
    pub role: MetadataRole,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum MetadataRole {
    Key,
    Partition,
    Offset,
    Timestamp,
    Headers,
    Header(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Property {
    Plain(String),
    Secret(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum OnError {
    DeadLetter,
    Fail,
}

/// A model with its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Model {
    pub oid: u32,
    pub owner: String,
    pub created_at_us: i64,
    /// `lightgbm`
    pub model_type: String,
    /// `regression`, `binary` or `multiclass`
    pub task: String,
    pub label: Option<String>,
    /// The training query's text; `None` for imported models and after a CASCADE drop of a training table.
    pub query: Option<String>,
    pub search_path: Vec<String>,
    /// Relations that the training query reads.
    pub relations: Vec<ObjectName>,
    /// The OPTIONS list as canonical SQL text (parsed again by TRAIN MODEL).
    pub options: String,
    pub versions: BTreeMap<u64, ModelVersion>,
    pub default_version: u64,
    /// Former default versions, the latest last: what ROLLBACK goes back to.
    pub former_defaults: Vec<u64>,
    pub aliases: BTreeMap<String, u64>,
    /// Never decreases, so that numbers are not reused.
    pub next_version: u64,
}

/// One immutable version of a model; its files lie under `path`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ModelVersion {
    /// Folder relative to the data directory: `models/<uuid>`, with `manifest.json` and the artifact.
    pub path: String,
    pub trained_at_us: i64,
    pub training_seconds: f64,
    pub train_rows: u64,
    pub eval_rows: u64,
    pub metrics: BTreeMap<String, f64>,
    pub features: Vec<String>,
    pub artifact_bytes: u64,
    /// `trained`, or the URL it was registered from.
    pub source: String,
    pub sha256: String,
}

/// A secret; values are sealed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Secret {
    pub oid: u32,
    pub owner: String,
    /// `generic` or `s3`
    pub kind: String,
    /// Longest matching prefix serves a LOCATION.
    pub scope: Option<String>,
    /// Sealed JSON object of the values, hexadecimal.
    pub sealed: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, <redacted>)", self.kind)
    }
}

impl Relation {
    /// Columns of any kind of relation.
    pub fn columns(&self) -> &[Column] {
        match &self.kind {
            RelationKind::Table(t) => &t.columns,
            RelationKind::External(e) => &e.columns,
            RelationKind::View(v) => &v.columns,
            RelationKind::Source(s) => &s.columns,
        }
    }
}

impl Snapshot {
    /// The empty catalog: schema `public`, nothing else.
    pub fn empty() -> Self {
        Self {
            version: 0,
            next_oid: FIRST_OID,
            schemas: BTreeMap::from([(
                PUBLIC.to_owned(),
                Schema {
                    oid: 2200,
                    owner: DATABASE.to_owned(),
                },
            )]),
            relations: BTreeMap::new(),
            models: BTreeMap::new(),
            secrets: BTreeMap::new(),
            dropped: BTreeMap::new(),
        }
    }

    /// Hands out the next oid.
    pub fn take_oid(&mut self) -> u32 {
        let oid = self.next_oid;
        self.next_oid += 1;
        oid
    }
}

/// Types as text in the stored catalog.
mod type_text {
    use super::SqlType;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(ty: &SqlType, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&ty.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<SqlType, D::Error> {
        let text = String::deserialize(d)?;
        alcedo_sql::parse_type(&text).map_err(serde::de::Error::custom)
    }
}
