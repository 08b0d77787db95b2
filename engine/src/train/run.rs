//! One training from its query to the files of a version: spool, split, settle the task, boost, evaluate,
//! write. Everything is checked for cancellation; nothing is visible until the catalog names the version.

use super::dataset::{Data, Target};
use super::intake;
use super::lightgbm::{self, Booster, Dataset, TRAINING};
use super::options::{TrainOptions, bad};
use super::settle::{check_rows, settle_task, weigh};
use super::split;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::manifest::{self, Manifest, Written};
use crate::model::metrics::Evaluation;
use crate::model::runs::{Active, Iteration, Record};
use crate::query::{Cancel, Context, Notices};
use alcedo_sql::ast;
use alcedo_sql::options::{Options, parse_bool};
use alcedo_udfs::score::Scratch;
use alcedo_udfs::score::features::{Column, Features};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

/// What the library takes for every round there is.
const ALL_ROUNDS: u32 = 0;
/// Between two notices of progress.
const NOTICE_EVERY: Duration = Duration::from_secs(2);
/// Above this many rows the training data is measured in every tenth round only.
const MEASURED_ROWS_MAX: usize = 200_000;

/// What to train.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Request<'a> {
    /// For notices.
    pub name: &'a str,
    pub options: &'a Options,
    pub query: &'a ast::Query,
    pub text: &'a str,
}

/// A trained version, written but not yet in the catalog.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Trained {
    pub written: Written,
    pub manifest: Manifest,
    pub seconds: f64,
    /// When it was ready, microseconds since 1970 UTC.
    pub at_us: i64,
}

/// What the training thread needs.
struct Job {
    data: Data,
    parameters: BTreeMap<String, String>,
    text: CString,
    options: TrainOptions,
    task: &'static str,
    name: String,
    record: Record,
    notices: Notices,
    cancel: Cancel,
    stop: tokio_util::sync::CancellationToken,
    clock: Arc<dyn Clock>,
}

struct Fitted {
    job: Job,
    artifact: String,
    importance: Vec<(f64, f64)>,
    metrics: BTreeMap<String, f64>,
}

/// Trains; the run's end is recorded by the caller, who also publishes the version.
///
/// # Errors
/// See the settled points of the dialect: 22023 for options, 22000 for data, 57014 when cancelled.
#[allow(clippy::too_many_lines)] // the steps of a training in their order
pub async fn train(ctx: &Context, request: &Request<'_>, run: &Active) -> Result<Trained> {
    let clock = Arc::clone(&ctx.services.clock);
    let begun = clock.instant();
    let options = TrainOptions::read(request.options)?;
    if options.labels.is_some() {
        return Err(bad(
            "option \"labels\" is for models registered from a file",
        ));
    }
    let plan = ctx.plan_query(request.query).await?;
    let rows = ctx.stream(plan).await?;
    let mut data = intake::read(ctx, &options, rows).await?;
    run.rows(data.rows() as u64);
    if data.unlabelled > 0 {
        ctx.notices.notice(format!(
            "{} rows without a label are left out",
            data.unlabelled
        ));
    }
    let objective = settle_task(&mut data, &options, &ctx.notices)?;
    let held = split::held_out(&options, data.rows(), &data.order)?;
    weigh(&mut data, &options, &held)?;
    data.finish(held);
    check_rows(&data, &options)?;
    let parameters = parameters(&data, &options, &objective);
    let task = match (&data.target, objective.as_str()) {
        (Target::Numbers(_), _) => "regression",
        (Target::Classes { .. }, "binary") => "binary",
        (Target::Classes { .. }, _) => "multiclass",
    };
    let one_at_a_time = match TRAINING.try_lock() {
        Ok(guard) => guard,
        Err(_) => {
            ctx.notices.notice("waiting for another training to end");
            ctx.or_canceled(TRAINING.lock()).await?
        }
    };
    // A statement that is dropped in the middle stops its thread at the next round.
    let stop = ctx.cancel.token.child_token();
    let stopping = stop.clone().drop_guard();
    let job = Job {
        text: lightgbm::parameters(&parameters)?,
        data,
        parameters,
        options,
        task,
        name: request.name.to_owned(),
        record: run.record(),
        notices: ctx.notices.clone(),
        cancel: ctx.cancel.clone(),
        stop,
        clock: Arc::clone(&clock),
    };
    // The lock goes with the thread: a statement that is dropped must not let the next training in early.
    let fitting = tokio::task::spawn_blocking(move || {
        let _held = one_at_a_time;
        fit(job)
    });
    let fitted = fitting
        .await
        .map_err(|e| Error::internal(format!("training failed: {e}")))??;
    stopping.disarm();
    let mut manifest = describe(&fitted, request);
    let written = manifest::write(
        ctx.services.catalog.data(),
        &mut manifest,
        fitted.artifact.into(),
    )
    .await?;
    let seconds = clock.instant().duration_since(begun).as_secs_f64();
    Ok(Trained {
        written,
        manifest,
        seconds,
        at_us: clock.now_us(),
    })
}

/// Everything the library is told.
fn parameters(data: &Data, options: &TrainOptions, objective: &str) -> BTreeMap<String, String> {
    let mut all = options.parameters.clone();
    let mut set = |key: &str, value: String| all.insert(key.to_owned(), value);
    set("objective", objective.to_owned());
    set("num_threads", options.threads.to_string());
    if let Some(seed) = options.seed {
        set("seed", seed.to_string());
    }
    if let (Target::Classes { labels, .. }, true) = (&data.target, objective != "binary") {
        set("num_class", labels.len().to_string());
    }
    let texts = |i: &manifest::Input| matches!(i.kind, manifest::InputKind::Text(_));
    let categorical: Vec<String> = data
        .inputs
        .iter()
        .enumerate()
        .filter(|(_, i)| texts(i))
        .map(|(n, _)| n.to_string())
        .collect();
    if !categorical.is_empty() {
        set("categorical_feature", categorical.join(","));
    }
    all
}

/// Bins, boosts and evaluates; on one thread from start to end.
fn fit(job: Job) -> Result<Fitted> {
    lightgbm::listen();
    let linear = job
        .parameters
        .get("linear_tree")
        .and_then(|v| parse_bool(v))
        .unwrap_or(false);
    let (train, held) = (job.data.part(false), job.data.part(true));
    let threads = job.options.threads;
    let binned = Dataset::build(&train, &job.text, threads, linear, None)?;
    job.check()?;
    let eval = match held.rows() {
        0 => None,
        _ => Some(Dataset::build(
            &held,
            &job.text,
            threads,
            linear,
            Some(&binned),
        )?),
    };
    job.check()?;
    let mut booster = Booster::new(&binned, eval.as_ref(), &job.text)?;
    let rounds = boost(&job, &mut booster, train.rows(), eval.is_some())?;
    let artifact = booster.save(rounds)?;
    let importance = booster.importance(rounds, train.columns())?;
    drop(booster);
    drop(eval);
    drop(binned);
    let metrics = evaluate(&job, &artifact)?;
    Ok(Fitted {
        artifact,
        importance,
        metrics,
        job,
    })
}

/// Adds rounds until the number asked for, until nothing gets better, or until cancelled; how many to keep,
/// [`ALL_ROUNDS`] for all.
fn boost(job: &Job, booster: &mut Booster<'_>, rows: usize, eval: bool) -> Result<u32> {
    let names = booster.metrics()?;
    job.record.metrics(&names);
    let begun = job.clock.instant();
    let mut told = begun;
    let mut progress = Progress::new(&names);
    let mut grown = 0;
    let total = job.options.iterations;
    if job.options.patience.is_some() && names.is_empty() {
        return Err(bad("early stopping needs a metric"));
    }
    for round in 1..=total {
        job.check()?;
        // A round that finds no split is taken back by the library; with sampling the next one may find some.
        grown += u32::from(booster.advance()?);
        let measured = if eval {
            booster.eval(1, names.len())?
        } else {
            Vec::new()
        };
        let often = rows <= MEASURED_ROWS_MAX || round % 10 == 0 || round == total;
        let train = if often {
            booster.eval(0, names.len())?
        } else {
            Vec::new()
        };
        let now = job.clock.instant();
        let elapsed_ms = now.duration_since(begun).as_millis() as u64;
        if now.duration_since(told) >= NOTICE_EVERY {
            told = now;
            job.tell(round, &names, &train, &measured);
        }
        let stop = eval && progress.stops(&measured, round, grown, &job.options);
        let (train, eval) = (finite(&train), finite(&measured));
        job.record.iteration(Iteration {
            iteration: round,
            elapsed_ms,
            train,
            eval,
        });
        if stop {
            let best = progress.best();
            job.notices.notice(format!(
                "training {} stopped early after {round} rounds, {best} are kept",
                job.name
            ));
            return Ok(best);
        }
    }
    Ok(if job.options.patience.is_some() {
        progress.best()
    } else {
        ALL_ROUNDS
    })
}

fn finite(values: &[f64]) -> Vec<Option<f64>> {
    values
        .iter()
        .map(|v| Some(*v).filter(|v| v.is_finite()))
        .collect()
}

impl Job {
    fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() {
            Err(self.cancel.error())
        } else {
            Ok(())
        }
    }

    fn tell(&self, round: u32, names: &[String], train: &[f64], eval: &[f64]) {
        let (values, which) = if eval.is_empty() {
            (train, "training")
        } else {
            (eval, "held-out")
        };
        let figures = match (names.first(), values.first()) {
            (Some(name), Some(value)) => format!(", {which} {name} {value:.6}"),
            _ => String::new(),
        };
        self.notices.notice(format!(
            "training {}: round {round} of {}{figures}",
            self.name, self.options.iterations
        ));
    }
}

/// The best round so far by each metric of the held-out rows.
struct Progress {
    more_is_better: Vec<bool>,
    best: Vec<Option<Best>>,
    /// The metric that stopped the training.
    stopped_by: usize,
}

#[derive(Clone, Copy)]
struct Best {
    value: f64,
    round: u32,
    /// Rounds in the model at that time.
    grown: u32,
}

impl Progress {
    fn new(names: &[String]) -> Self {
        let more_is_better: Vec<bool> = names.iter().map(|n| lightgbm::more_is_better(n)).collect();
        Self {
            best: vec![None; more_is_better.len()],
            more_is_better,
            stopped_by: 0,
        }
    }

    /// Takes a round's measures; true when one of the metrics has waited too long.
    fn stops(&mut self, measured: &[f64], round: u32, grown: u32, options: &TrainOptions) -> bool {
        let watched = if options.first_metric_only {
            1
        } else {
            measured.len()
        };
        for (index, value) in measured.iter().enumerate().take(watched) {
            let better = self.best[index].is_none_or(|best| {
                let gain = if self.more_is_better[index] {
                    value - best.value
                } else {
                    best.value - value
                };
                gain > options.min_delta + options.min_rel_progress * best.value.abs()
            });
            if better {
                self.best[index] = Some(Best {
                    value: *value,
                    round,
                    grown,
                });
                continue;
            }
            let waited = self.best[index].map_or(0, |best| round - best.round);
            if options.patience.is_some_and(|p| waited >= p) {
                self.stopped_by = index;
                return true;
            }
        }
        false
    }

    /// Rounds to keep: those up to the best one.
    fn best(&self) -> u32 {
        self.best
            .get(self.stopped_by)
            .copied()
            .flatten()
            .map_or(ALL_ROUNDS, |best| best.grown)
    }
}

/// The figures of the held-out rows, by the scorer that will answer queries.
fn evaluate(job: &Job, artifact: &str) -> Result<BTreeMap<String, f64>> {
    let (_, scorer) =
        alcedo_udfs::score::load(artifact.as_bytes()).map_err(crate::model::from_score)?;
    let part = job.data.part(true);
    let mut evaluation = Evaluation::new(scorer.task());
    let (width, columns) = (evaluation.width(), part.columns());
    let mut scratch = Scratch::default();
    part.each(&mut |chunk| {
        job.check()?;
        let column = |c: usize| {
            Column::Values(
                chunk
                    .values
                    .iter()
                    .skip(c)
                    .step_by(columns)
                    .copied()
                    .collect::<Vec<_>>()
                    .into(),
            )
        };
        let features = Features::new((0..columns).map(column).collect(), chunk.rows.len())
            .map_err(crate::model::from_score)?;
        let mut scores = vec![0.0; chunk.rows.len() * width];
        scorer
            .score(&features, &mut scratch, &mut scores)
            .map_err(crate::model::from_score)?;
        scorer.transform(&mut scores);
        for (row, scores) in chunk.rows.iter().zip(scores.chunks_exact(width)) {
            let truth = match &job.data.target {
                Target::Numbers(values) => values[*row],
                Target::Classes { codes, .. } => f64::from(codes[*row]),
            };
            evaluation.push(truth, scores);
        }
        Ok(())
    })?;
    Ok(evaluation.finish())
}

fn describe(fitted: &Fitted, request: &Request<'_>) -> Manifest {
    let (job, data) = (&fitted.job, &fitted.job.data);
    let classes = match &data.target {
        Target::Numbers(_) => None,
        Target::Classes { labels, .. } => Some(labels.clone()),
    };
    Manifest {
        format: 0,
        kind: "lightgbm".to_owned(),
        task: job.task.to_owned(),
        label: Some(data.label.0.clone()),
        label_type: Some(data.label.1.to_string()),
        classes,
        features: data.inputs.clone(),
        options: request.options.to_string(),
        parameters: job.parameters.clone(),
        query: Some(request.text.to_owned()),
        train_rows: data.part(false).rows() as u64,
        eval_rows: data.part(true).rows() as u64,
        metrics: fitted.metrics.clone(),
        importance: fitted.importance.clone(),
        sha256: String::new(),
    }
}
