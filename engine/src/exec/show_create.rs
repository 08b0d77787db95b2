//! `SHOW CREATE`: the statement that makes an object again. Secrets stand in it by name only.

use super::Output;
use crate::catalog::{Column, Model, ObjectName, RelationKind};
use crate::error::{Error, Result};
use crate::query::Context;
use alcedo_sql::statement::{Name, ObjectKind};
use alcedo_sql::{SqlState, quote_ident};

/// The DDL of an object as one text.
pub(crate) async fn run(ctx: &Context, kind: ObjectKind, name: &Name) -> Result<Output> {
    let text = match kind {
        ObjectKind::Model => {
            let (name, model) = ctx.model(name)?;
            model_text(&name, &model)?
        }
        _ => {
            let (found, relation) = ctx.relation(name)?;
            match (&relation.kind, kind) {
                (RelationKind::Table(table), ObjectKind::Table) => {
                    table_text(&found, &table.columns, &table.checks)
                }
                (RelationKind::External(external), ObjectKind::Table) => external.text.clone(),
                (RelationKind::Source(source), ObjectKind::Source) => source.text.clone(),
                (RelationKind::View(view), ObjectKind::View) => {
                    let columns: Vec<String> =
                        view.columns.iter().map(|c| quote_ident(&c.name)).collect();
                    format!(
                        "CREATE VIEW {} ({}) AS {}",
                        qualified(&found),
                        columns.join(", "),
                        view.text
                    )
                }
                _ => {
                    let what = match kind {
                        ObjectKind::View => "view",
                        ObjectKind::Source => "source",
                        _ => "table",
                    };
                    let text = format!("\"{}\" is not a {what}", found.name);
                    return Err(Error::user(SqlState::WRONG_OBJECT_TYPE, text));
                }
            }
        }
    };
    Output::texts(vec![("create_statement", vec![Some(text)])], "SHOW")
}

fn qualified(name: &ObjectName) -> String {
    format!("{}.{}", quote_ident(&name.schema), quote_ident(&name.name))
}

fn table_text(name: &ObjectName, columns: &[Column], checks: &[(String, String)]) -> String {
    let columns = columns.iter().map(|c| {
        let mut line = format!("{} {}", quote_ident(&c.name), c.ty);
        if !c.nullable {
            line.push_str(" NOT NULL");
        }
        if let Some(default) = &c.default {
            line.push_str(" DEFAULT ");
            line.push_str(default);
        }
        line
    });
    let checks = checks
        .iter()
        .map(|(name, text)| format!("CONSTRAINT {} CHECK ({text})", quote_ident(name)));
    let lines: Vec<String> = columns.chain(checks).map(|l| format!("    {l}")).collect();
    format!(
        "CREATE TABLE {} (\n{}\n)",
        qualified(name),
        lines.join(",\n")
    )
}

fn model_text(name: &ObjectName, model: &Model) -> Result<String> {
    let options = match model.options.as_str() {
        "" | "()" => String::new(),
        options if options.starts_with('(') => format!(" OPTIONS {options}"),
        options => format!(" OPTIONS ({options})"),
    };
    if let Some(query) = &model.query {
        return Ok(format!(
            "CREATE MODEL {}{options} AS {query}",
            qualified(name)
        ));
    }
    let source = model
        .versions
        .get(&model.default_version)
        .map(|v| v.source.as_str());
    match source {
        Some(url) if url != "trained" => Ok(format!(
            "CREATE MODEL {} FROM {}{options}",
            qualified(name),
            alcedo_sql::quote_literal(url)
        )),
        _ => Err(Error::user(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("model \"{name}\" has lost its training query"),
        )
        .hint("A table that the query read was dropped with CASCADE.")),
    }
}
