//! `CREATE MODEL`: trained from a query, or registered from a file of another library.
//!
//! With OR REPLACE an existing model keeps its versions and aliases; the new version becomes its default, so
//! readers go on with the old one until the catalog names the new.

use super::Output;
use super::train_model::{Work, add_version, version};
use crate::catalog::{Model, ModelVersion, ObjectName, Snapshot};
use crate::error::datafusion::from_arrow;
use crate::error::{Error, Result};
use crate::model::manifest::{self, Input, InputKind, Manifest};
use crate::query::Context;
use crate::query::dependencies;
use alcedo_sql::options::Options;
use alcedo_sql::statement::{CreateModel, ModelOrigin};
use alcedo_sql::types::SqlType;
use alcedo_sql::{SqlState, ast};
use alcedo_udfs::error::ScoreError;
use alcedo_udfs::score::features::FeatureKind;
use alcedo_udfs::score::forest::{iterations, parse};
use alcedo_udfs::score::{Scorer, Task};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use object_store::ObjectStoreExt;
use std::collections::BTreeMap;
use std::sync::Arc;

const START_ITERATION: &str = "start_iteration";
const NUM_ITERATIONS: &str = "num_iterations";

/// A model file may have this many bytes at most.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Trains or registers a model.
pub(crate) async fn run(ctx: &Context, s: &CreateModel) -> Result<Output> {
    let name = ctx.name_for_create(&s.name)?;
    if ctx.snapshot.models.contains_key(&name) {
        if s.if_not_exists {
            ctx.notices
                .notice(format!("model \"{name}\" already exists, skipping"));
            return Ok(Output::done("CREATE MODEL"));
        }
        if !s.or_replace {
            return Err(exists(&name));
        }
    }
    match &s.origin {
        ModelOrigin::Query { query, text } => train(ctx, s, &name, query, text).await?,
        ModelOrigin::File { url, input } => register(ctx, s, &name, url, input).await?,
    }
    Ok(Output::done("CREATE MODEL"))
}

fn exists(name: &ObjectName) -> Error {
    Error::user(
        SqlState::DUPLICATE_OBJECT,
        format!("model \"{name}\" already exists"),
    )
    .hint("CREATE OR REPLACE MODEL makes a new version of it.")
}

async fn train(
    ctx: &Context,
    s: &CreateModel,
    name: &ObjectName,
    query: &ast::Query,
    text: &str,
) -> Result<()> {
    let needed = dependencies::of(ctx, query)?;
    let work = Work {
        name,
        options: &s.options,
        query,
        text,
    };
    work.run(ctx, |snapshot, trained| {
        let definition = Definition {
            model_type: "lightgbm",
            manifest: &trained.manifest,
            query: Some(text.to_owned()),
            relations: needed.relations.clone(),
        };
        publish(ctx, snapshot, s, name, &definition, version(trained))
    })
    .await
    .map(|_| ())
}

/// What a new version says of its model.
struct Definition<'a> {
    model_type: &'a str,
    manifest: &'a Manifest,
    query: Option<String>,
    relations: Vec<ObjectName>,
}

/// Puts a version into the catalog, with its model when that is new.
fn publish(
    ctx: &Context,
    snapshot: &mut Snapshot,
    s: &CreateModel,
    name: &ObjectName,
    definition: &Definition<'_>,
    entry: ModelVersion,
) -> Result<u64> {
    if !snapshot.schemas.contains_key(&name.schema) {
        return Err(Error::user(
            SqlState::INVALID_SCHEMA_NAME,
            format!("schema \"{}\" does not exist", name.schema),
        ));
    }
    if snapshot.models.contains_key(name) && !s.or_replace {
        return Err(exists(name));
    }
    let fresh = !snapshot.models.contains_key(name);
    let oid = if fresh { snapshot.take_oid() } else { 0 };
    let model = snapshot
        .models
        .entry(name.clone())
        .or_insert_with(|| Model {
            oid,
            owner: ctx.user.clone(),
            created_at_us: ctx.services.clock.now_us(),
            model_type: String::new(),
            task: String::new(),
            label: None,
            query: None,
            search_path: Vec::new(),
            relations: Vec::new(),
            options: String::new(),
            versions: BTreeMap::new(),
            default_version: 1,
            former_defaults: Vec::new(),
            aliases: BTreeMap::new(),
            next_version: 1,
        });
    definition.model_type.clone_into(&mut model.model_type);
    model.task.clone_from(&definition.manifest.task);
    model.label.clone_from(&definition.manifest.label);
    model.query.clone_from(&definition.query);
    model.search_path.clone_from(&ctx.search_path);
    model.relations.clone_from(&definition.relations);
    model.options = s.options.to_string();
    Ok(add_version(model, entry))
}

async fn register(
    ctx: &Context,
    s: &CreateModel,
    name: &ObjectName,
    url: &str,
    input: &[(String, SqlType)],
) -> Result<()> {
    let mut options = s.options.clone();
    let iterations = take_iterations(&mut options)?;
    let file = fetch(ctx, url).await?;
    let loading = tokio::task::spawn_blocking(move || load(file, iterations));
    let loaded = ctx
        .or_canceled(loading)
        .await?
        .map_err(|e| Error::internal(format!("loading a model failed: {e}")))?;
    let (bytes, kind, scorer) = loaded?;
    let manifest = describe(&scorer, kind, options, input)?;
    let mut manifest = Manifest {
        options: s.options.to_string(),
        ..manifest
    };
    // What the manifest says must fit the file before anything is written.
    crate::model::pin(&manifest, &bytes, name.to_string(), 1)?;
    let artifact_bytes = bytes.len() as u64;
    let written = manifest::write(ctx.services.catalog.data(), &mut manifest, bytes).await?;
    let entry = ModelVersion {
        path: written.path,
        trained_at_us: ctx.services.clock.now_us(),
        training_seconds: 0.0,
        train_rows: 0,
        eval_rows: 0,
        metrics: BTreeMap::new(),
        features: manifest.features.iter().map(|f| f.name.clone()).collect(),
        artifact_bytes,
        source: url.to_owned(),
        sha256: written.sha256,
    };
    let definition = Definition {
        model_type: kind,
        manifest: &manifest,
        query: None,
        relations: Vec::new(),
    };
    ctx.services
        .catalog
        .update(|snapshot| publish(ctx, snapshot, s, name, &definition, entry.clone()))
        .await
        .map(|_| ())
}

async fn fetch(ctx: &Context, url: &str) -> Result<bytes::Bytes> {
    let (store, _, path) = ctx.services.stores.locate(url)?;
    let reading = async {
        let meta = store.head(&path).await?;
        if meta.size > FILE_BYTES_MAX {
            return Ok(None);
        }
        store.get(&path).await?.bytes().await.map(Some)
    };
    let read = ctx.or_canceled(reading).await?;
    let read = read.map_err(|e: object_store::Error| crate::query::error::from_store(&e))?;
    read.ok_or_else(|| {
        Error::user(
            SqlState::BAD_FILE_FORMAT,
            format!("the model file has more than {FILE_BYTES_MAX} bytes"),
        )
    })
}

/// The first iteration and the number of iterations that options ask for.
type Iterations = (usize, Option<usize>);

fn take_iterations(options: &mut Options) -> Result<Option<Iterations>> {
    let mut take = |names: &[&str], least: usize| match options.take_i64(names)? {
        None => Ok(None),
        Some(number) => match usize::try_from(number) {
            Ok(number) if number >= least => Ok(Some(number)),
            _ => Err(Error::user(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("{} must be at least {least}", names[0]),
            )),
        },
    };
    let start = take(&[START_ITERATION], 0)?;
    let count = take(&[NUM_ITERATIONS, "num_iteration"], 1)?;
    Ok((start.is_some() || count.is_some()).then_some((start.unwrap_or(0), count)))
}

/// A file, or what is left of it with some iterations, and its model.
fn load(
    file: bytes::Bytes,
    iterations: Option<Iterations>,
) -> Result<(bytes::Bytes, &'static str, Arc<dyn Scorer>)> {
    let bytes = match iterations {
        None => file,
        Some((start, count)) if parse::detect(&file) => {
            let cut = iterations::cut(&file, start, count);
            cut.map_err(|error| match error {
                ScoreError::BadInput(text) => Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
                    .hint(format!("{START_ITERATION} counts from 0.")),
                error => crate::model::from_score(error),
            })?
            .into()
        }
        Some(_) => {
            return Err(Error::unsupported(
                "only LightGBM models have iterations to choose from",
            ));
        }
    };
    let (kind, scorer) = alcedo_udfs::score::load(&bytes).map_err(crate::model::from_score)?;
    Ok((bytes, kind, scorer))
}

/// The labels of a file's classes and their SQL type: the file's own, or else 0, 1, 2 …
fn own_labels(scorer: &Arc<dyn Scorer>, classes: usize) -> Result<(&'static str, Vec<String>)> {
    let Some(labels) = scorer.labels() else {
        return Ok(("bigint", (0..classes).map(|c| c.to_string()).collect()));
    };
    let sql_type = if labels.data_type() == &DataType::Int64 {
        "bigint"
    } else {
        "text"
    };
    let texts = cast(&labels, &DataType::Utf8).map_err(from_arrow)?;
    let texts = texts.as_string::<i32>().iter().flatten();
    Ok((sql_type, texts.map(str::to_owned).collect()))
}

/// The manifest of a file from elsewhere: names from INPUT or the file, labels from the options or the file.
#[allow(clippy::too_many_lines)] // one thing after the other, each small
fn describe(
    scorer: &Arc<dyn Scorer>,
    kind: &str,
    mut rest: Options,
    input: &[(String, SqlType)],
) -> Result<Manifest> {
    let label = rest.take_text(&["label", "input_label_cols", "label_col", "target"])?;
    let labels = rest.take_texts(&["labels"])?;
    if let Some(given) = rest.take_text(&["model_type"])?
        && !given.eq_ignore_ascii_case(kind)
    {
        return Err(Error::user(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("the file is a {kind} model, not \"{given}\""),
        ));
    }
    rest.finish(
        "model",
        &[
            "label",
            "labels",
            "model_type",
            START_ITERATION,
            NUM_ITERATIONS,
        ],
    )?;
    let features = scorer.features();
    if !input.is_empty() && input.len() != features.len() {
        return Err(Error::user(
            SqlState::UNDEFINED_FUNCTION,
            format!(
                "INPUT names {} features, but the file has {}",
                input.len(),
                features.len()
            ),
        ));
    }
    let classes = match (scorer.task(), labels) {
        (Task::Regression, None) => None,
        (Task::Regression, Some(_)) => {
            return Err(Error::user(
                SqlState::INVALID_PARAMETER_VALUE,
                "labels are for models that predict classes",
            ));
        }
        (Task::Binary, labels) => Some((labels, 2)),
        (Task::Multiclass { classes }, labels) => Some((labels, classes)),
    };
    let (label_type, classes) = match classes {
        None => ("double precision", None),
        Some((Some(labels), count)) if labels.len() == count => ("text", Some(labels)),
        Some((Some(labels), count)) => {
            return Err(Error::user(
                SqlState::INVALID_PARAMETER_VALUE,
                format!(
                    "labels has {} classes, but the model has {count}",
                    labels.len()
                ),
            ));
        }
        Some((None, count)) => {
            let (label_type, labels) = own_labels(scorer, count)?;
            (label_type, Some(labels))
        }
    };
    let inputs = features.iter().enumerate().map(|(i, feature)| {
        let (sql_type, kind) = match &feature.kind {
            FeatureKind::Numeric => (SqlType::Float8, InputKind::Numeric),
            FeatureKind::Code => (SqlType::Int8, InputKind::Code),
            FeatureKind::Text(dictionary) => {
                (SqlType::Text, InputKind::Text(dictionary.texts().to_vec()))
            }
        };
        let (name, sql_type) = match input.get(i) {
            Some((name, ty)) => (name.clone(), ty.clone()),
            None => (feature.name.clone(), sql_type),
        };
        Input {
            name,
            sql_type: sql_type.to_string(),
            kind,
        }
    });
    Ok(Manifest {
        format: 0,
        kind: kind.to_owned(),
        task: task_name(scorer.task()).to_owned(),
        label,
        label_type: Some(label_type.to_owned()),
        classes,
        features: inputs.collect(),
        options: String::new(),
        parameters: BTreeMap::new(),
        query: None,
        train_rows: 0,
        eval_rows: 0,
        metrics: BTreeMap::new(),
        importance: Vec::new(),
        sha256: String::new(),
    })
}

fn task_name(task: Task) -> &'static str {
    match task {
        Task::Regression => "regression",
        Task::Binary => "binary",
        Task::Multiclass { .. } => "multiclass",
    }
}
