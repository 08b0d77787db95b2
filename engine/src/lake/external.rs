//! External tables: Parquet, CSV, JSON and Delta where others write them.
//!
//! Columns are declared or found when the table is made; files are listed by each query, so that new ones are seen.
//! Partition columns of Hive-style folders (`day=2024-01-01/`) come last.

use super::{Access, from_delta};
use crate::catalog::{Column, External};
use crate::error::datafusion::from_datafusion;
use crate::error::{Error, Kind, Result, from_store};
use crate::types::{arrow_field, arrow_type, sql_type};
use alcedo_sql::SqlState;
use alcedo_sql::options::Options;
use alcedo_sql::types::SqlType;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::GetExt;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::session_state::SessionState;
use deltalake_core::DeltaTable;
use deltalake_core::logstore::{StorageConfig, default_logstore};
use futures::StreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use url::Url;

/// Where an external table's files are.
struct Place {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// As DataFusion finds it, with a slash at the end when it is a folder.
    url: String,
}

impl Place {
    async fn of(access: &Access, location: &str) -> Result<Self> {
        let (store, base, path) = access.stores.locate(location)?;
        let file = match location.ends_with('/') {
            true => false,
            false => match store.head(&path).await {
                Ok(_) => true,
                Err(object_store::Error::NotFound { .. }) => false,
                Err(_) if location.starts_with("file:") => false,
                Err(error) => return Err(from_store(&error)),
            },
        };
        let slash = if file { "" } else { "/" };
        let url = format!("{}{path}{slash}", base.as_str());
        Ok(Self { store, path, url })
    }

    /// 58P01 when there is no file at all.
    async fn exists(&self, location: &str) -> Result<()> {
        match self.store.list(Some(&self.path)).next().await {
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) => return Err(from_store(&error)),
            None => {}
        }
        if !self.url.ends_with('/') {
            return Ok(());
        }
        Err(Error::user(SqlState::UNDEFINED_FILE, format!("there are no files at \"{location}\""))
            .hint("Put the files there first, or correct LOCATION."))
    }
}

/// What a statement says of the files.
#[derive(Debug)]
pub struct Declaration<'a> {
    /// `parquet`, `csv`, `json` or `delta`
    pub format: &'a str,
    /// A URL.
    pub location: &'a str,
    /// Columns as declared; none when they are to be found.
    pub columns: Vec<Column>,
    /// Partition columns as declared.
    pub partitioned_by: &'a [String],
    /// Options by name, checked.
    pub options: &'a BTreeMap<String, String>,
}

/// Options of a format; what is left over is an error with a suggestion.
pub fn options(format: &str, given: &Options) -> Result<BTreeMap<String, String>> {
    let known: &[&str] = match format {
        "csv" => &["header", "delimiter", "quote", "escape", "comment", "null", "compression", "newlines_in_values"],
        "json" => &["compression"],
        _ => &[],
    };
    let mut rest = given.clone();
    let mut found = BTreeMap::new();
    for name in known {
        if let Some(text) = rest.take_text(&[name, &format!("format.{name}")])? {
            found.insert((*name).to_owned(), text);
        }
    }
    rest.finish(known)?;
    file_format(format, &found)?;
    Ok(found)
}

fn file_format(format: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn FileFormat>> {
    let wrong = |name: &str, value: &str, what: &str| {
        let text = format!("invalid value for option \"{name}\": \"{value}\"");
        Error::user(SqlState::INVALID_PARAMETER_VALUE, text).hint(format!("It takes {what}."))
    };
    let compression = match options.get("compression") {
        None => FileCompressionType::UNCOMPRESSED,
        Some(text) => FileCompressionType::from_str(text)
            .map_err(|_| wrong("compression", text, "gzip, bzip2, xz, zstd or uncompressed"))?,
    };
    let byte = |name: &str| match options.get(name).map(String::as_str) {
        None | Some("") => Ok(None),
        Some("\\t") => Ok(Some(b'\t')),
        Some(text) if text.len() == 1 => Ok(Some(text.as_bytes()[0])),
        Some(text) => Err(wrong(name, text, "one character")),
    };
    let switch = |name: &str, default: bool| match options.get(name).map(|t| t.to_lowercase()) {
        None => Ok(default),
        Some(text) => match text.as_str() {
            "true" | "on" | "yes" | "1" | "match" => Ok(true),
            "false" | "off" | "no" | "0" => Ok(false),
            other => Err(wrong(name, other, "true or false")),
        },
    };
    Ok(match format {
        "csv" => {
            let mut csv = CsvFormat::default()
                .with_has_header(switch("header", true)?)
                .with_newlines_in_values(switch("newlines_in_values", false)?)
                .with_escape(byte("escape")?)
                .with_comment(byte("comment")?)
                .with_file_compression_type(compression);
            if let Some(delimiter) = byte("delimiter")? {
                csv = csv.with_delimiter(delimiter);
            }
            if let Some(quote) = byte("quote")? {
                csv = csv.with_quote(quote);
            }
            if let Some(null) = options.get("null") {
                let plain = null.chars().flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c]));
                csv = csv.with_null_regex(Some(format!("^{}$", plain.collect::<String>())));
            }
            Arc::new(csv)
        }
        "json" => Arc::new(JsonFormat::default().with_file_compression_type(compression)),
        _ => Arc::new(ParquetFormat::default().with_force_view_types(false)),
    })
}

fn listing(format: &str, options: &BTreeMap<String, String>, folder: bool) -> Result<ListingOptions> {
    let format = file_format(format, options)?;
    let mut extension = format.get_ext();
    if let Some(text) = options.get("compression") {
        let compression = FileCompressionType::from_str(text).unwrap_or(FileCompressionType::UNCOMPRESSED);
        extension.push_str(&compression.get_ext());
    }
    // A file is read whatever it is called.
    Ok(ListingOptions::new(format).with_file_extension(if folder { extension } else { String::new() }))
}

/// Finds the columns of files; partition columns come last.
///
/// # Errors
/// 58P01 when there are no files, 22P03 when they are not of the format.
pub async fn columns(access: &Access, declared: &Declaration<'_>, state: &SessionState) -> Result<(Vec<Column>, Vec<String>)> {
    let place = Place::of(access, declared.location).await?;
    place.exists(declared.location).await?;
    if declared.format == "delta" {
        let table = delta(&place).await?;
        let provider = delta_provider(&table, state).await?;
        return Ok((of_schema(&provider.schema()), Vec::new()));
    }
    let url = ListingTableUrl::parse(&place.url).map_err(from_datafusion)?;
    let listing = listing(declared.format, declared.options, place.url.ends_with('/'))?;
    let partitions = match declared.partitioned_by {
        [] if place.url.ends_with('/') => listing.infer_partitions(state, &url).await.map_err(from_datafusion)?,
        named => named.to_vec(),
    };
    let text = |name: &String| Column { name: name.clone(), ty: SqlType::Text, nullable: true, default: None };
    let mut columns = if declared.columns.iter().any(|c| !partitions.contains(&c.name)) {
        declared.columns.iter().filter(|c| !partitions.contains(&c.name)).cloned().collect()
    } else {
        let found = listing.infer_schema(state, &url).await.map_err(|e| bad_file(from_datafusion(e), declared))?;
        let mut found = of_schema(&found);
        found.retain(|c| !partitions.contains(&c.name));
        found
    };
    for name in &partitions {
        let declared = declared.columns.iter().find(|c| c.name == *name);
        columns.push(declared.cloned().unwrap_or_else(|| text(name)));
    }
    Ok((columns, partitions))
}

fn of_schema(schema: &Schema) -> Vec<Column> {
    let column = |field: &datafusion::arrow::datatypes::FieldRef| {
        let ty = if field.data_type().is_null() { SqlType::Text } else { sql_type(field) };
        Column { name: field.name().clone(), ty, nullable: true, default: None }
    };
    schema.fields().iter().map(column).collect()
}

/// Whatever the reader says of a broken file, it is the file's fault.
fn bad_file(error: Error, declared: &Declaration<'_>) -> Error {
    match error.fields().kind {
        Kind::Data | Kind::Internal | Kind::User if error.state() != SqlState::UNDEFINED_FILE => Error::user(
            SqlState::BAD_FILE_FORMAT,
            format!("the files at \"{}\" are not {}", declared.location, declared.format.to_uppercase()),
        )
        .detail(format!("{error}.")),
        _ => error,
    }
}

/// The table as queries read it.
pub async fn provider(access: &Access, external: &External, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let place = Place::of(access, &external.location).await?;
    if external.format == "delta" {
        let table = delta(&place).await?;
        return delta_provider(&table, state).await;
    }
    let url = ListingTableUrl::parse(&place.url).map_err(from_datafusion)?;
    let mut listing = listing(&external.format, &external.options, place.url.ends_with('/'))?;
    let (partitions, files): (Vec<&Column>, Vec<&Column>) =
        external.columns.iter().partition(|c| external.partitioned_by.contains(&c.name));
    let named = partitions.iter().map(|c| (c.name.clone(), arrow_type(&c.ty)));
    listing = listing.with_table_partition_cols(named.collect::<Vec<(String, DataType)>>());
    let schema = Schema::new(files.iter().map(|c| arrow_field(&c.name, &c.ty, true)).collect::<Vec<_>>());
    let config = ListingTableConfig::new(url).with_listing_options(listing).with_schema(Arc::new(schema));
    Ok(Arc::new(ListingTable::try_new(config).map_err(from_datafusion)?))
}

async fn delta(place: &Place) -> Result<DeltaTable> {
    let location = Url::parse(&place.url).map_err(|e| Error::internal(format!("no URL of a location: {e}")))?;
    let prefixed = Arc::new(PrefixStore::new(Arc::clone(&place.store), place.path.clone()));
    let log = default_logstore(prefixed, Arc::clone(&place.store), &location, &StorageConfig::default());
    let mut table = DeltaTable::new(log);
    table.load().await.map_err(from_delta)?;
    Ok(table)
}

async fn delta_provider(table: &DeltaTable, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let builder = table.table_provider().with_session(Arc::new(state.clone()));
    Ok(Arc::new(builder.build().await.map_err(from_datafusion)?))
}
