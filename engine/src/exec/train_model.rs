//! `TRAIN MODEL`: the stored query once more, into the next version, which becomes the default.

use super::Output;
use crate::catalog::{Model, ModelVersion, ObjectName, Snapshot};
use crate::error::{Error, Result};
use crate::query::Context;
use crate::train::{self, Request, Trained};
use alcedo_sql::SqlState;
use alcedo_sql::options::Options;
use alcedo_sql::{ast, statement};

/// Trains a model again.
pub(crate) async fn run(ctx: &Context, s: &statement::TrainModel) -> Result<Output> {
    let (name, model) = ctx.model(&s.name)?;
    let Some(text) = &model.query else {
        return Err(Error::user(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("model \"{name}\" has no training query"),
        )
        .hint("It was registered from a file, or a table of its query was dropped: use CREATE OR REPLACE MODEL."));
    };
    let query = alcedo_sql::parse_query(text).map_err(|e| Error::from(e).placeless())?;
    let options =
        alcedo_sql::parse_options(&model.options).map_err(|e| Error::from(e).placeless())?;
    // The query means what it meant when the model was made.
    let ctx = Context {
        search_path: model.search_path.clone(),
        ..ctx.clone()
    };
    let work = Work {
        name: &name,
        options: &options,
        query: &query,
        text,
    };
    work.run(&ctx, |snapshot, trained| {
        let known = snapshot
            .models
            .get_mut(&name)
            .filter(|m| m.oid == model.oid);
        let known = known.ok_or_else(|| gone(&name))?;
        trained.manifest.task.clone_into(&mut known.task);
        Ok(add_version(known, version(trained)))
    })
    .await
    .map_err(Error::placeless)?;
    Ok(Output::done("TRAIN MODEL"))
}

fn gone(name: &ObjectName) -> Error {
    Error::new(
        crate::error::Kind::Conflict,
        SqlState::SERIALIZATION_FAILURE,
        format!("model \"{name}\" was changed while it was trained"),
    )
    .hint("Run the statement again.")
}

/// A training that ends in a catalog change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub name: &'a ObjectName,
    pub options: &'a Options,
    pub query: &'a ast::Query,
    pub text: &'a str,
}

impl Work<'_> {
    /// Trains and publishes: `publish` changes the catalog and gives the version's number. The run is recorded
    /// however it ends.
    pub async fn run(
        &self,
        ctx: &Context,
        publish: impl Fn(&mut Snapshot, &Trained) -> Result<u64> + Send + Sync,
    ) -> Result<u64> {
        let run = ctx.services.trainings.begin(self.name).await?;
        let shown = self.name.to_string();
        let request = Request {
            name: &shown,
            options: self.options,
            query: self.query,
            text: self.text,
        };
        let outcome = async {
            let trained = train::train(ctx, &request, &run).await?;
            ctx.cancel.check()?;
            ctx.services
                .catalog
                .update(|snapshot| publish(snapshot, &trained))
                .await
        }
        .await;
        run.end(outcome.as_ref().copied()).await;
        outcome
    }
}

/// The catalog's entry of a trained version.
pub(super) fn version(trained: &Trained) -> ModelVersion {
    let manifest = &trained.manifest;
    ModelVersion {
        path: trained.written.path.clone(),
        trained_at_us: trained.at_us,
        training_seconds: trained.seconds,
        train_rows: manifest.train_rows,
        eval_rows: manifest.eval_rows,
        metrics: manifest.metrics.clone(),
        features: manifest.features.iter().map(|f| f.name.clone()).collect(),
        artifact_bytes: trained.written.artifact_bytes,
        source: "trained".to_owned(),
        sha256: trained.written.sha256.clone(),
    }
}

/// Adds a version and makes it the default.
pub(super) fn add_version(model: &mut Model, entry: ModelVersion) -> u64 {
    let number = model.next_version;
    model.versions.insert(number, entry);
    model.next_version = number + 1;
    if model.default_version != number {
        model.former_defaults.push(model.default_version);
    }
    model.default_version = number;
    number
}
