//! External tables: files that others write, read where they lie. Their names are listed anew by every statement.

use super::file_options::{self, FILE_EXTENSION};
use super::{Access, from_delta};
use crate::catalog::{Column, External};
use crate::error::datafusion::from_datafusion;
use crate::error::{Error, Kind, Result, from_store};
use crate::types::{TYPE_KEY, arrow_field, arrow_type, sql_type};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use alcedo_sql::types::SqlType;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::common::metadata::FieldMetadata;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use deltalake_core::DeltaTable;
use deltalake_core::logstore::{StorageConfig, default_logstore};
use futures::{StreamExt, TryStreamExt};
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// The table as queries read it.
pub async fn provider(
    access: &Access,
    table: &External,
    state: &SessionState,
) -> Result<Arc<dyn TableProvider>> {
    if table.format == "delta" {
        return delta_provider(access, table, state).await;
    }
    let (_, url) = place(access, &table.location).await?;
    let reader = file_options::format(&table.format, &table.options, state)?;
    let partitions = table
        .partitioned_by
        .iter()
        .filter_map(|name| table.columns.iter().find(|c| c.name == *name));
    let partitions = partitions
        .map(|c| (c.name.clone(), arrow_type(&c.ty)))
        .collect();
    let in_files = table
        .columns
        .iter()
        .filter(|c| !table.partitioned_by.contains(&c.name));
    let fields: Vec<_> = in_files
        .map(|c| arrow_field(&c.name, &c.ty, true))
        .collect();
    let options = ListingOptions::new(reader)
        .with_file_extension(extension(&table.options, &url))
        .with_table_partition_cols(partitions);
    let config = ListingTableConfig::new(url)
        .with_listing_options(options)
        .with_schema(Arc::new(Schema::new(fields)));
    Ok(Arc::new(
        ListingTable::try_new(config).map_err(from_datafusion)?,
    ))
}

/// What is declared of a table before its files are looked at.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Declared<'a> {
    pub format: &'a str,
    pub location: &'a str,
    pub options: &'a mut BTreeMap<String, String>,
    /// Empty when the files tell.
    pub columns: Vec<Column>,
    pub partitioned_by: Vec<String>,
}

/// The columns of a table, partition columns last, and the names of these; what is not declared is found in the files.
///
/// # Errors
/// 58P01 when there are no files, 22P03 when one cannot be read.
pub async fn discover(
    access: &Access,
    state: &SessionState,
    it: Declared<'_>,
) -> Result<(Vec<Column>, Vec<String>)> {
    if it.format == "delta" {
        return discover_delta(access, &it).await;
    }
    let (store, url) = place(access, it.location).await?;
    if url.is_collection() && !it.options.contains_key(FILE_EXTENSION) {
        let found = found_extension(&store, &url, it.format, it.location).await?;
        it.options.insert(FILE_EXTENSION.to_owned(), found);
    }
    let reader = file_options::format(it.format, it.options, state)?;
    let options = ListingOptions::new(reader).with_file_extension(extension(it.options, &url));
    let found = options.infer_partitions(state, &url).await.map_err(|e| {
        Error::user(
            SqlState::INVALID_TABLE_DEFINITION,
            "the partition folders of the files differ in their columns",
        )
        .detail(format!("{}.", from_datafusion(e)))
    })?;
    let partitions = match it.partitioned_by.is_empty() {
        true => found,
        false if found.is_empty() || found.starts_with(&it.partitioned_by) => {
            it.partitioned_by.clone()
        }
        false => {
            return Err(Error::user(
                SqlState::INVALID_TABLE_DEFINITION,
                format!("the folders are partitioned by ({})", found.join(", ")),
            )
            .hint("Name the same columns in PARTITIONED BY, or leave it out."));
        }
    };
    let (last, mut columns): (Vec<Column>, Vec<Column>) = it
        .columns
        .into_iter()
        .partition(|c| partitions.contains(&c.name));
    let of_files = inferred(&options, state, &store, &url, it.location).await?;
    if columns.is_empty() {
        let fields = of_files
            .fields()
            .iter()
            .filter(|f| !partitions.contains(f.name()));
        columns = fields.map(|f| column(f.name(), sql_type(f))).collect();
    }
    for name in &partitions {
        let declared = last.iter().find(|c| c.name == *name);
        columns.push(
            declared
                .cloned()
                .unwrap_or_else(|| column(name, SqlType::Text)),
        );
    }
    Ok((columns, partitions))
}

fn column(name: &str, ty: SqlType) -> Column {
    Column {
        name: name.to_owned(),
        ty,
        nullable: true,
        default: None,
    }
}

/// The store and DataFusion's URL of a location: with a slash at the end unless it is a single file.
async fn place(access: &Access, location: &str) -> Result<(Arc<dyn ObjectStore>, ListingTableUrl)> {
    let (store, base, path) = access.stores.locate(location)?;
    let single = !location.ends_with('/') && store.head(&path).await.is_ok();
    let mut url = Url::parse(base.as_str())
        .map_err(|e| Error::internal(format!("no URL of a store: {e}")))?;
    let slash = if single || path.as_ref().is_empty() {
        ""
    } else {
        "/"
    };
    url.set_path(&format!("/{path}{slash}"));
    let url = ListingTableUrl::try_new(url, None).map_err(from_datafusion)?;
    Ok((store, url))
}

/// The ending that a table's files have; a single file has none that matters.
fn extension(options: &BTreeMap<String, String>, url: &ListingTableUrl) -> String {
    let given = options.get(FILE_EXTENSION).filter(|_| url.is_collection());
    given.cloned().unwrap_or_default()
}

/// Looks for the first file with an ending that the format's files usually have.
async fn found_extension(
    store: &Arc<dyn ObjectStore>,
    url: &ListingTableUrl,
    format: &str,
    location: &str,
) -> Result<String> {
    let mut files = store.list(Some(url.prefix()));
    let mut other = None;
    while let Some(file) = files.next().await {
        let file = file.map_err(|e| from_store(&e))?;
        let Some(name) = file
            .location
            .filename()
            .filter(|n| !n.starts_with(['.', '_']))
        else {
            continue;
        };
        if let Some(known) = file_options::usual_extensions(format)
            .iter()
            .find(|e| name.ends_with(**e))
        {
            return Ok((*known).to_owned());
        }
        other.get_or_insert_with(|| name.to_owned());
    }
    let error = Error::user(
        SqlState::UNDEFINED_FILE,
        format!("no {format} files at \"{location}\""),
    );
    Err(match other {
        Some(name) => error
            .detail(format!("There are other files, as \"{name}\"."))
            .hint("Name the ending of the files with OPTIONS (file_extension '…')."),
        None => {
            error.hint("Check the LOCATION: the files must be there before the table is created.")
        }
    })
}

/// The columns that the files have.
async fn inferred(
    options: &ListingOptions,
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    url: &ListingTableUrl,
    location: &str,
) -> Result<Arc<Schema>> {
    let files: Vec<ObjectMeta> = url
        .list_all_files(state, store.as_ref(), &options.file_extension)
        .await
        .map_err(from_datafusion)?
        .try_filter(|f| std::future::ready(f.size > 0))
        .try_collect()
        .await
        .map_err(from_datafusion)?;
    if files.is_empty() {
        return Err(Error::user(
            SqlState::UNDEFINED_FILE,
            format!("no files at \"{location}\""),
        )
        .hint("Check the LOCATION: the files must be there before the table is created."));
    }
    let together = match options.format.infer_schema(state, store, &files).await {
        Ok(schema) => return Ok(schema),
        Err(error) => from_reading(error),
    };
    if together.fields().kind != Kind::Data {
        return Err(together);
    }
    // One of the files is broken, or they differ.
    for file in files {
        if let Err(error) = options
            .format
            .infer_schema(state, store, std::slice::from_ref(&file))
            .await
        {
            let cause = from_reading(error);
            return Err(match cause.fields().kind {
                Kind::Data => unreadable(file.location.as_ref(), &cause),
                _ => cause,
            });
        }
    }
    Err(Error::user(
        SqlState::DATATYPE_MISMATCH,
        "the files differ in the types of their columns",
    )
    .detail(format!("{together}."))
    .hint("Declare the columns in CREATE EXTERNAL TABLE."))
}

/// 22P03
fn unreadable(file: &str, cause: &Error) -> Error {
    Error::new(
        Kind::Data,
        SqlState::BAD_FILE_FORMAT,
        format!("file \"/{file}\" cannot be read"),
    )
    .detail(format!("{cause}."))
}

/// What a reader of files says, told apart from what the store says.
fn from_reading(error: DataFusionError) -> Error {
    let error = from_datafusion(error);
    match error.fields().kind {
        Kind::Unavailable | Kind::Canceled => error,
        _ if [SqlState::UNDEFINED_FILE, SqlState::INSUFFICIENT_PRIVILEGE]
            .contains(&error.state()) =>
        {
            error
        }
        _ => Error::new(Kind::Data, SqlState::BAD_FILE_FORMAT, error.to_string()),
    }
}

/// A Delta table of others, in its newest version.
async fn delta_table(access: &Access, location: &str) -> Result<DeltaTable> {
    let (store, base, path) = access.stores.locate(location)?;
    let mut url = Url::parse(base.as_str())
        .map_err(|e| Error::internal(format!("no URL of a store: {e}")))?;
    url.set_path(&format!("/{path}/"));
    let folder: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&store), path));
    let mut table = DeltaTable::new(default_logstore(
        folder,
        store,
        &url,
        &StorageConfig::default(),
    ));
    if !table
        .verify_deltatable_existence()
        .await
        .map_err(from_delta)?
    {
        return Err(Error::user(
            SqlState::UNDEFINED_FILE,
            format!("no Delta table at \"{location}\""),
        )
        .hint("A Delta table has a folder _delta_log."));
    }
    table.load().await.map_err(from_delta)?;
    Ok(table)
}

async fn discover_delta(access: &Access, it: &Declared<'_>) -> Result<(Vec<Column>, Vec<String>)> {
    let table = delta_table(access, it.location).await?;
    let snapshot = table.snapshot().map_err(from_delta)?.snapshot();
    let partitions = snapshot.metadata().partition_columns().to_vec();
    if !it.partitioned_by.is_empty() && it.partitioned_by != *partitions {
        return Err(Error::user(
            SqlState::INVALID_TABLE_DEFINITION,
            format!(
                "the Delta table is partitioned by ({})",
                partitions.join(", ")
            ),
        )
        .hint("Leave PARTITIONED BY out: Delta tables know their partitions."));
    }
    let fields = snapshot.arrow_schema();
    let columns: Vec<Column> = fields
        .fields()
        .iter()
        .map(|f| column(f.name(), sql_type(f)))
        .collect();
    if it.columns.is_empty() {
        return Ok((columns, partitions.to_vec()));
    }
    for declared in &it.columns {
        if !columns.iter().any(|c| c.name == declared.name) {
            let text = format!("the Delta table has no column \"{}\"", declared.name);
            let error = Error::user(SqlState::UNDEFINED_COLUMN, text);
            return Err(
                match closest(&declared.name, columns.iter().map(|c| c.name.as_str())) {
                    Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
                    None => error,
                },
            );
        }
    }
    Ok((it.columns.clone(), partitions.to_vec()))
}

/// The newest version with its columns cast to the types that the catalog has.
async fn delta_provider(
    access: &Access,
    table: &External,
    state: &SessionState,
) -> Result<Arc<dyn TableProvider>> {
    let delta = delta_table(access, &table.location).await?;
    let files: Arc<dyn TableProvider> = delta
        .table_provider()
        .with_session(Arc::new(state.clone()))
        .await
        .map_err(from_datafusion)?;
    let scan = LogicalPlanBuilder::scan("files", provider_as_source(files), None)
        .map_err(from_datafusion)?;
    let columns = table.columns.iter().map(|c| {
        let (qualifier, field) = scan
            .schema()
            .qualified_field_with_unqualified_name(&c.name)
            .map_err(|_| {
                Error::user(
                    SqlState::UNDEFINED_COLUMN,
                    format!("the Delta table has lost column \"{}\"", c.name),
                )
            })?;
        let wanted = arrow_field(&c.name, &c.ty, true);
        let value = Expr::from((qualifier, field));
        Ok(labelled(value, field, &wanted))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let plan = scan
        .project(columns)
        .and_then(|b| b.build())
        .map_err(from_datafusion)?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

fn labelled(value: Expr, from: &Field, wanted: &Arc<Field>) -> Expr {
    let value = match from.data_type() == wanted.data_type() {
        true => value,
        false => Expr::Cast(Cast::new_from_field(Box::new(value), Arc::clone(wanted))),
    };
    let ty = wanted
        .metadata()
        .get(TYPE_KEY)
        .map(|ty| BTreeMap::from([(TYPE_KEY.to_owned(), ty.clone())]));
    value.alias_with_metadata(wanted.name(), ty.map(FieldMetadata::from))
}
