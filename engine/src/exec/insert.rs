//! `INSERT`: rows of a query into a managed table, or into the topic of a source.

use super::Output;
use super::assign::{Rules, project};
use super::insert_values::{adapt, too_many};
use crate::catalog::{Column, ObjectName, Relation, RelationKind, Table};
use crate::error::datafusion::from_datafusion;
use crate::error::{Error, Kind, Result};
use crate::lake::managed::{self, Change};
use crate::lake::scan::DataFile;
use crate::lake::stored::file_schema;
use crate::lake::writer::TableWriter;
use crate::query::Context;
use crate::source;
use alcedo_sql::options::closest;
use alcedo_sql::statement::Insert;
use alcedo_sql::{SqlState, ast};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use futures::StreamExt;

/// Lost races after which a change gives up.
const TRIES_MAX: u64 = 20;

/// Races that a change has lost: only on a shared data directory, where other processes change tables too.
#[derive(Debug, Default)]
pub(super) struct Tries(u64);

impl Tries {
    /// Waits a little before the next try, longer each time.
    ///
    /// # Errors
    /// The error itself when it is no lost race, or one too many.
    pub(super) async fn again(&mut self, ctx: &Context, error: Error) -> Result<()> {
        self.0 += 1;
        if error.state() != SqlState::SERIALIZATION_FAILURE || self.0 >= TRIES_MAX {
            return Err(error);
        }
        // Any random bits do: two that met shall not meet again.
        let random = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
        let pause = std::time::Duration::from_millis(self.0 * 5 + random * self.0 / 16);
        ctx.or_canceled(tokio::time::sleep(pause)).await
    }
}

/// The rows of an INSERT on their way.
pub(super) struct Incoming {
    /// The statement's context, knowing the types of parameters.
    ctx: Context,
    pub name: ObjectName,
    relation: Relation,
    /// The columns that the statement gives.
    given: Vec<String>,
    /// Rows as the table takes them; for a source, as it is given them.
    pub plan: LogicalPlan,
}

/// Plans the rows of an INSERT.
pub(super) async fn plan(ctx: &Context, s: &Insert) -> Result<Incoming> {
    let (name, relation) = ctx.relation(&s.table)?;
    let columns = target_columns(&name, &relation)?;
    let input = Input::of(s, &name, columns, ctx.parameter_types.clone())?;
    let ctx = Context {
        parameter_types: input.types.clone(),
        ..ctx.clone()
    };
    let plan = input.plan(&ctx, s).await?;
    let count = match s.query {
        Some(_) => plan.schema().fields().len(),
        None => 0,
    };
    let wanted: Vec<Column> = input
        .targets
        .iter()
        .take(count)
        .map(|t| columns[*t].clone())
        .collect();
    let plan = if let RelationKind::Source(_) = relation.kind {
        let sources: Vec<Option<usize>> = (0..count).map(Some).collect();
        project(&ctx, plan, &wanted, &sources).await?
    } else {
        project(&ctx, plan, columns, &input.sources(columns.len(), count)).await?
    };
    let given = wanted.into_iter().map(|c| c.name).collect();
    Ok(Incoming {
        ctx,
        name,
        relation,
        given,
        plan,
    })
}

/// Inserts all rows, or none.
pub(crate) async fn run(ctx: &Context, s: &Insert) -> Result<Output> {
    let Incoming {
        ctx,
        name,
        relation,
        given,
        plan,
    } = plan(ctx, s).await?;
    let rows = ctx.stream(plan).await?;
    let count = match &relation.kind {
        RelationKind::Source(source) => {
            let produced = source::produce(ctx.source_access(), &name, source, &given, rows);
            produced.await.map_err(|e| ctx.cancel.named(e))?
        }
        RelationKind::Table(table) => append(&ctx, &name, table, rows).await?,
        RelationKind::View(_) | RelationKind::External(_) => 0,
    };
    Ok(Output::done(format!("INSERT 0 {count}")))
}

/// Types of the parameters: those that stand where a column's value goes have its type.
pub(crate) async fn prepare(ctx: &Context, s: &Insert) -> Result<Vec<FieldRef>> {
    let (name, relation) = ctx.relation(&s.table)?;
    let columns = target_columns(&name, &relation)?;
    let input = Input::of(s, &name, columns, ctx.parameter_types.clone())?;
    let Some(query) = &input.query else {
        return Ok(Vec::new());
    };
    let ctx = Context {
        parameter_types: input.types.clone(),
        ..ctx.clone()
    };
    Ok(ctx.prepare_query(query).await?.parameters)
}

fn target_columns<'a>(name: &ObjectName, relation: &'a Relation) -> Result<&'a [Column]> {
    let refused = |what: &str, hint: &str| {
        Err(Error::user(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot insert into {what} \"{}\"", name.name),
        )
        .hint(hint))
    };
    match &relation.kind {
        RelationKind::Table(_) | RelationKind::Source(_) => Ok(relation.columns()),
        RelationKind::View(_) => refused("view", "Insert into the table that the view reads."),
        RelationKind::External(_) => refused(
            "external table",
            "External tables are only read: put files into their folder, or use CREATE TABLE AS.",
        ),
    }
}

/// The query of an INSERT with its values adapted to the columns they go to.
struct Input {
    /// Table columns in the order of the query's.
    targets: Vec<usize>,
    query: Option<ast::Query>,
    types: Vec<Option<FieldRef>>,
}

impl Input {
    fn of(
        s: &Insert,
        name: &ObjectName,
        columns: &[Column],
        mut types: Vec<Option<FieldRef>>,
    ) -> Result<Self> {
        let mut targets: Vec<usize> = (0..columns.len()).collect();
        if !s.columns.is_empty() {
            targets.clear();
            for column in &s.columns {
                let Some(at) = columns.iter().position(|c| c.name == *column) else {
                    return Err(no_column(name, columns, column));
                };
                if targets.contains(&at) {
                    let text = format!("column \"{column}\" specified more than once");
                    return Err(Error::user(SqlState::DUPLICATE_COLUMN, text));
                }
                targets.push(at);
            }
        }
        let query = match &s.query {
            None => None,
            Some(query) => {
                let mut query = query.as_ref().clone();
                let wanted: Vec<&Column> = targets.iter().map(|t| &columns[*t]).collect();
                adapt(&mut query, &wanted, &mut types)?;
                Some(query)
            }
        };
        Ok(Self {
            targets,
            query,
            types,
        })
    }

    /// Plans the query and lets `targets` be as many as it has columns.
    async fn plan(&self, ctx: &Context, s: &Insert) -> Result<LogicalPlan> {
        let Some(query) = &self.query else {
            let one = alcedo_sql::parse_query("SELECT 1")?;
            return ctx.plan_query(&one).await;
        };
        let plan = ctx.plan_query(query).await?;
        let given = plan.schema().fields().len();
        if given > self.targets.len() {
            return Err(too_many());
        }
        if given < self.targets.len() && !s.columns.is_empty() {
            return Err(Error::user(
                SqlState::SYNTAX_ERROR,
                "INSERT has more target columns than expressions",
            ));
        }
        Ok(plan)
    }

    /// For each table column that of the query, which has `given`, or its default.
    fn sources(&self, count: usize, given: usize) -> Vec<Option<usize>> {
        let mut sources = vec![None; count];
        for (i, target) in self.targets.iter().take(given).enumerate() {
            sources[*target] = Some(i);
        }
        sources
    }
}

/// 42703 of a column that a table does not have.
pub(super) fn no_column(name: &ObjectName, columns: &[Column], column: &str) -> Error {
    let text = format!(
        "column \"{column}\" of relation \"{}\" does not exist",
        name.name
    );
    let error = Error::user(SqlState::UNDEFINED_COLUMN, text);
    match closest(column, columns.iter().map(|c| c.name.as_str())) {
        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
        None => error,
    }
}

/// Writes rows into new files and commits these; gives the number of rows.
async fn append(
    ctx: &Context,
    name: &ObjectName,
    table: &Table,
    rows: SendableRecordBatchStream,
) -> Result<u64> {
    let access = ctx.lake();
    let rules = Rules::of(ctx, &name.name, &table.columns, &table.checks).await?;
    let files = write(ctx, &table.path, &table.columns, &rules, rows).await?;
    let count = files.iter().filter_map(|f| f.rows).sum();
    if files.is_empty() {
        return Ok(0);
    }
    let committed = async {
        let _alone = ctx.or_canceled(managed::writer(&access, table)).await?;
        let mut tries = Tries::default();
        loop {
            still_there(ctx, name, table)?;
            let version = managed::newest(&access, table).await?;
            match version.commit(&access, &[], &files, Change::Insert).await {
                Err(error) => tries.again(ctx, error).await?,
                done => return done,
            }
        }
    }
    .await;
    if let Err(error) = committed {
        managed::undo(&access, table, &files).await;
        return Err(error);
    }
    Ok(count)
}

/// A table that was dropped or altered since the statement was planned takes no rows of it.
pub(super) fn still_there(ctx: &Context, name: &ObjectName, table: &Table) -> Result<()> {
    let now = ctx.services.catalog.snapshot();
    match now.relations.get(name).map(|r| &r.kind) {
        Some(RelationKind::Table(found)) if found == table => Ok(()),
        Some(RelationKind::Table(found)) if found.path == table.path => Err(Error::new(
            Kind::Conflict,
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("relation \"{name}\" was altered meanwhile"),
        )
        .hint("Run the statement again.")),
        _ => Err(Error::new(
            Kind::Conflict,
            SqlState::UNDEFINED_TABLE,
            format!("relation \"{name}\" was dropped meanwhile"),
        )),
    }
}

/// Writes rows by the rules of a table into files that are not visible yet.
pub(super) async fn write(
    ctx: &Context,
    folder: &str,
    columns: &[Column],
    rules: &Rules,
    mut rows: SendableRecordBatchStream,
) -> Result<Vec<DataFile>> {
    let mut writer = TableWriter::new(ctx.lake(), folder, file_schema(columns));
    let written = async {
        while let Some(batch) = rows.next().await {
            let batch = rules.apply(&batch.map_err(from_datafusion)?)?;
            writer.write(&batch).await?;
        }
        ctx.cancel.check()
    }
    .await;
    match written {
        Ok(()) => writer.finish().await,
        Err(error) => {
            writer.discard().await;
            Err(error)
        }
    }
}
