//! DataFusion set up: functions, rules and limits once per engine, variables once per statement.

use super::Context;
use super::arithmetic::CheckedArithmetic;
use super::correlated::CorrelatedSubqueries;
use super::error::from_datafusion;
use super::float_comparisons::FloatComparisons;
use super::json_arrow::JsonArrow;
use super::literals::ArrayLiterals;
use super::multisets::Multisets;
use super::operators::Operators;
use super::scoring::{CallsTogether, Scoring, SharedScores, SkippedRowGroups, TopKScores};
use super::short_circuit::ShortCircuits;
use super::sole::{Sole, SoleValue};
use super::sql_types::SqlTypes;
use crate::config::Config;
use crate::error::{Error, Result};
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::optimizer::{Analyzer, Optimizer};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The engine's runtime: one memory pool that spills, one place for spilled files, our object stores.
pub fn runtime(config: &Config, stores: Arc<dyn ObjectStoreRegistry>) -> Result<Arc<RuntimeEnv>> {
    let bytes = config
        .memory_bytes_max
        .unwrap_or_else(|| machine_memory() / 10 * 6);
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let top = NonZeroUsize::new(3).expect("three is not zero");
    let spill = match &config.temp_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(TrackConsumersPool::new(
            FairSpillPool::new(bytes),
            top,
        )))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(spill))
        .with_object_store_registry(stores)
        // New files are seen by the next query.
        .with_object_list_cache_limit(0)
        .build_arc()
        .map_err(from_datafusion)
}

/// The state that statements clone: every function and rule registered.
pub fn template(runtime: Arc<RuntimeEnv>) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_information_schema(false)
        .with_default_catalog_and_schema(crate::catalog::DATABASE, crate::catalog::PUBLIC);
    let options = config.options_mut();
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.collect_spans = true;
    options.execution.parquet.schema_force_view_types = false;
    options.execution.parquet.pushdown_filters = true;
    let mut rules = PhysicalOptimizer::new().rules;
    rules.splice(
        0..0,
        [Arc::new(ShortCircuits) as _, Arc::new(TopKScores) as _],
    );
    rules.push(Arc::new(SharedScores));
    rules.push(Arc::new(CallsTogether));
    rules.push(Arc::new(SkippedRowGroups));
    let mut analyzer_rules = Analyzer::new().rules;
    analyzer_rules.insert(0, Arc::new(FloatComparisons));
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_type_planner(Arc::new(SqlTypes))
        .with_physical_optimizer_rules(rules)
        .with_analyzer_rules(analyzer_rules)
        .with_optimizer_rules(Scoring::among(Optimizer::new().rules))
        .build();
    // Ahead of the package's own reading of `->`, whose values have no type that clients know.
    state
        .register_expr_planner(Arc::new(JsonArrow))
        .map_err(from_datafusion)?;
    datafusion_functions_json::register_all(&mut state).map_err(from_datafusion)?;
    let functions = alcedo_udfs::all();
    let arithmetic = CheckedArithmetic::new(&functions)
        .ok_or_else(|| Error::internal("the checked integer functions are not registered"))?;
    state.add_analyzer_rule(Arc::new(arithmetic));
    state.add_analyzer_rule(Arc::new(CorrelatedSubqueries));
    state.add_analyzer_rule(Arc::new(Multisets));
    register(&mut state, functions)?;
    let aggregates =
        alcedo_udfs::aggregate::all(|name| state.aggregate_functions().get(name).cloned());
    for function in aggregates {
        state.register_udaf(function).map_err(from_datafusion)?;
    }
    register_aliases(&mut state)?;
    if let Some(characters) = state.scalar_functions().get("character_length").cloned() {
        let length = alcedo_udfs::scalar::length::Length::new(characters);
        register(&mut state, vec![Arc::new(length.into())])?;
    }
    register(&mut state, vec![Arc::new(SoleValue::default().into())])?;
    state
        .register_udaf(Arc::new(Sole::default().into()))
        .map_err(from_datafusion)?;
    state
        .register_expr_planner(Arc::new(ArrayLiterals))
        .map_err(from_datafusion)?;
    state
        .register_expr_planner(Arc::new(Operators))
        .map_err(from_datafusion)?;
    Ok(state)
}

/// PostgreSQL's names of functions that DataFusion has under another.
const SCALAR_ALIASES: &[(&str, &str)] = &[("signum", "sign")];
const AGGREGATE_ALIASES: &[(&str, &str)] = &[("bool_and", "every"), ("var_samp", "variance")];

fn register_aliases(state: &mut SessionState) -> Result<()> {
    for (name, alias) in SCALAR_ALIASES {
        if let Some(function) = state.scalar_functions().get(*name).cloned() {
            let function = function.as_ref().clone().with_aliases([*alias]);
            state
                .register_udf(Arc::new(function))
                .map_err(from_datafusion)?;
        }
    }
    for (name, alias) in AGGREGATE_ALIASES {
        if let Some(function) = state.aggregate_functions().get(*name).cloned() {
            let function = function.as_ref().clone().with_aliases([*alias]);
            state
                .register_udaf(Arc::new(function))
                .map_err(from_datafusion)?;
        }
    }
    Ok(())
}

/// Adds functions to a state under all their names.
pub(super) fn register(
    state: &mut SessionState,
    functions: Vec<Arc<datafusion::logical_expr::ScalarUDF>>,
) -> Result<()> {
    for function in functions {
        state.register_udf(function).map_err(from_datafusion)?;
    }
    Ok(())
}

impl Context {
    /// This statement's DataFusion state: the engine's, with the session's variables.
    pub fn state(&self) -> Result<SessionState> {
        let mut state = self.services.template.clone();
        {
            let vars = self
                .vars
                .lock()
                .map_err(|_| Error::internal("session variables are poisoned"))?;
            let options = state.config_mut().options_mut();
            options.execution.time_zone = Some(vars.time_zone());
            if let Some(rows) = vars.batch_size() {
                options.execution.batch_size =
                    ConfigNonZeroUsize::try_new(rows).map_err(from_datafusion)?;
            }
            if let Some(partitions) = vars.target_partitions() {
                options.execution.target_partitions = partitions;
            }
        }
        let started = chrono::DateTime::from_timestamp_micros(self.started_us);
        state.execution_props_mut().query_execution_start_time = started;
        Ok(state)
    }
}

/// Bytes of memory of this machine, or of its control group when that is less.
fn machine_memory() -> u64 {
    // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
    let (pages, size) = unsafe {
        (
            libc::sysconf(libc::_SC_PHYS_PAGES),
            libc::sysconf(libc::_SC_PAGESIZE),
        )
    };
    let machine = u64::try_from(pages)
        .unwrap_or(0)
        .saturating_mul(u64::try_from(size).unwrap_or(0));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|t| t.trim().parse().ok());
    group.unwrap_or(machine).min(machine).max(512 << 20)
}
