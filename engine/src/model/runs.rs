//! Trainings that run and that have ended, with what each round measured: `ml.training_runs` and
//! `ml.training_iterations`.
//!
//! Each run is one file `training_runs/<id>.json` under the data directory, written when it starts and
//! when it ends. A file that still says `running` when a local directory is opened belongs to a process
//! that died: the run failed. The newest [`RUNS_MAX`] are kept.

use super::manifest::from_store;
use crate::catalog::ObjectName;
use crate::catalog::store::Catalog;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs kept.
const RUNS_MAX: usize = 200;
const FOLDER: &str = "training_runs";

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    Canceled,
}

impl Status {
    /// As `ml.training_runs` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// A training.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Run {
    pub run_id: String,
    pub model: ObjectName,
    pub version: Option<u64>,
    pub status: Status,
    pub started_at_us: i64,
    pub ended_at_us: Option<i64>,
    pub rows: Option<u64>,
    pub error: Option<String>,
    /// Names of the metrics, in the order of the iterations' values.
    pub metrics: Vec<String>,
    pub iterations: Vec<Iteration>,
}

/// What a round measured; a list is empty when the data set was not measured in this round, and a value
/// is missing when it is not finite.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Iteration {
    pub iteration: u32,
    pub elapsed_ms: u64,
    pub train: Vec<Option<f64>>,
    pub eval: Vec<Option<f64>>,
}

/// Every training this data directory remembers.
#[derive(Debug)]
pub struct Runs {
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    /// By id; ids sort by the time of the start.
    runs: Mutex<BTreeMap<String, Arc<Mutex<Run>>>>,
}

/// A run in progress; dropping it without [`Active::end`] marks it as canceled.
#[derive(Debug)]
pub struct Active {
    runs: Arc<Runs>,
    run: Arc<Mutex<Run>>,
    ended: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runs {
    /// Reads what earlier processes left.
    pub async fn open(catalog: Arc<Catalog>, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let runs = Arc::new(Self {
            catalog,
            clock,
            runs: Mutex::default(),
        });
        let store = Arc::clone(&runs.catalog.data().store);
        let alone = runs.catalog.data().local.is_some();
        let mut files: Vec<_> = store
            .list(Some(&Path::from(FOLDER)))
            .map_ok(|meta| meta.location)
            .try_collect()
            .await
            .map_err(from_store)?;
        files.sort();
        let old = files.len().saturating_sub(RUNS_MAX);
        for path in files.drain(..old) {
            // A file that is gone already needs no deleting.
            let _ = store.delete(&path).await;
        }
        for path in files {
            let bytes = store
                .get(&path)
                .await
                .map_err(from_store)?
                .bytes()
                .await
                .map_err(from_store)?;
            let Ok(mut run) = serde_json::from_slice::<Run>(&bytes) else {
                tracing::warn!(path = %path, "a record of a training does not parse and is left out");
                continue;
            };
            if alone && run.status == Status::Running {
                run.status = Status::Failed;
                run.ended_at_us = Some(runs.clock.now_us());
                run.error = Some("the server stopped during the training".to_owned());
                runs.write(&run).await?;
            }
            lock(&runs.runs).insert(run.run_id.clone(), Arc::new(Mutex::new(run)));
        }
        Ok(runs)
    }

    /// Records the start of a training.
    pub async fn begin(self: &Arc<Self>, model: &ObjectName) -> Result<Active> {
        let started_at_us = self.clock.now_us();
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let run = Run {
            run_id: format!("{started_at_us:020}-{}", &nonce[..8]),
            model: model.clone(),
            version: None,
            status: Status::Running,
            started_at_us,
            ended_at_us: None,
            rows: None,
            error: None,
            metrics: Vec::new(),
            iterations: Vec::new(),
        };
        self.write(&run).await?;
        let id = run.run_id.clone();
        let run = Arc::new(Mutex::new(run));
        let oldest = {
            let mut runs = lock(&self.runs);
            runs.insert(id, Arc::clone(&run));
            if runs.len() > RUNS_MAX {
                runs.pop_first().map(|(id, _)| id)
            } else {
                None
            }
        };
        if let Some(id) = oldest {
            // The record may have been deleted by another process.
            let _ = self.catalog.data().store.delete(&file(&id)).await;
        }
        Ok(Active {
            runs: Arc::clone(self),
            run,
            ended: false,
        })
    }

    /// Every run as it is now, oldest first.
    pub fn all(&self) -> Vec<Run> {
        let runs: Vec<_> = lock(&self.runs).values().cloned().collect();
        runs.iter().map(|run| lock(run).clone()).collect()
    }

    async fn write(&self, run: &Run) -> Result<()> {
        let bytes = serde_json::to_vec(run)
            .map_err(|e| Error::internal(format!("a training's record cannot be written: {e}")))?;
        let put = self
            .catalog
            .data()
            .store
            .put(&file(&run.run_id), PutPayload::from(bytes))
            .await;
        put.map_err(from_store).map(|_| ())
    }
}

fn file(id: &str) -> Path {
    Path::from(format!("{FOLDER}/{id}.json"))
}

impl Active {
    /// Notes the number of rows.
    pub fn rows(&self, rows: u64) {
        lock(&self.run).rows = Some(rows);
    }

    /// Where rounds are recorded from the training's own thread.
    pub fn record(&self) -> Record {
        Record(Arc::clone(&self.run))
    }

    /// Ends the run with the version that came of it, or with what went wrong.
    pub async fn end(mut self, outcome: std::result::Result<u64, &Error>) {
        self.ended = true;
        let now = self.runs.clock.now_us();
        finish(&self.run, outcome, now);
        let run = lock(&self.run).clone();
        if let Err(error) = self.runs.write(&run).await {
            tracing::warn!(run = run.run_id, %error, "a training's end could not be recorded");
        }
    }
}

fn finish(run: &Mutex<Run>, outcome: std::result::Result<u64, &Error>, now: i64) {
    let mut run = lock(run);
    run.ended_at_us = Some(now);
    match outcome {
        Ok(version) => {
            run.version = Some(version);
            run.status = Status::Succeeded;
        }
        Err(error) => {
            let canceled = error.fields().kind == Kind::Canceled;
            run.status = if canceled {
                Status::Canceled
            } else {
                Status::Failed
            };
            run.error = Some(error.to_string());
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // The client went away in the middle: its statement ends as a canceled one does.
        finish(&self.run, Err(&Error::canceled()), self.runs.clock.now_us());
        let (runs, run) = (Arc::clone(&self.runs), lock(&self.run).clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = runs.write(&run).await {
                    tracing::warn!(run = run.run_id, %error, "a training's end could not be recorded");
                }
            });
        }
    }
}

/// Where a training's thread writes what it measures.
#[derive(Debug, Clone)]
pub struct Record(Arc<Mutex<Run>>);

impl Record {
    /// Names the metrics.
    pub fn metrics(&self, names: &[String]) {
        lock(&self.0).metrics = names.to_vec();
    }

    /// Adds a round.
    pub fn iteration(&self, iteration: Iteration) {
        lock(&self.0).iterations.push(iteration);
    }
}
