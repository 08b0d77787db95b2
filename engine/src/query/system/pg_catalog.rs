//! The rows of `pg_catalog`. Tables that are not listed here are empty: there is nothing of their kind.

use super::columns::{Cell, Row, row};
use super::objects::{self, Attribute, DATABASE_OID, OWNER_OID, Object};
use super::{settings, types};
use crate::catalog::{DATABASE, RelationKind};
use crate::error::Result;
use crate::query::Context;
use crate::source::kafka::options::shown_properties;

/// What makes the rows of a table, which it is given the name of.
type Maker = fn(&Context, &str) -> Result<Vec<Row>>;

/// Tables that have rows.
const TABLES: &[(&str, Maker)] = &[
    ("pg_am", |_, _| Ok(am())),
    ("pg_attrdef", |ctx, _| Ok(attrdef(ctx))),
    ("pg_attribute", |ctx, _| Ok(attribute(ctx))),
    ("pg_authid", |ctx, table| Ok(roles(ctx, table))),
    ("pg_class", |ctx, _| Ok(class(ctx))),
    ("pg_collation", |_, _| Ok(collation())),
    ("pg_constraint", |ctx, _| Ok(constraint(ctx))),
    ("pg_database", |_, _| Ok(database())),
    ("pg_foreign_data_wrapper", |_, _| Ok(wrappers())),
    ("pg_foreign_server", |_, _| Ok(servers())),
    ("pg_foreign_table", |ctx, _| Ok(foreign_tables(ctx))),
    ("pg_language", |_, _| Ok(language())),
    ("pg_namespace", |ctx, _| Ok(namespace(ctx))),
    ("pg_roles", |ctx, table| Ok(roles(ctx, table))),
    ("pg_settings", |ctx, _| settings::rows(ctx)),
    ("pg_shadow", |ctx, _| Ok(users(ctx))),
    ("pg_stat_activity", |ctx, _| activity(ctx)),
    ("pg_tables", |ctx, _| Ok(tables(ctx))),
    ("pg_tablespace", |_, _| Ok(tablespace())),
    ("pg_type", |_, _| Ok(type_())),
    ("pg_user", |ctx, _| Ok(users(ctx))),
    ("pg_views", |ctx, _| Ok(views(ctx))),
];

/// The rows of a table.
pub(super) fn rows(ctx: &Context, table: &str) -> Result<Vec<Row>> {
    match TABLES.iter().find(|(name, _)| *name == table) {
        Some((name, make)) => make(ctx, name),
        None => Ok(Vec::new()),
    }
}

/// Whether a table can have rows.
pub(super) fn has_rows(table: &str) -> bool {
    TABLES.iter().any(|(name, _)| *name == table)
}

fn am() -> Vec<Row> {
    vec![
        row!["oid" => 2, "amname" => "heap", "amhandler" => "heap_tableam_handler", "amtype" => "t"],
    ]
}

fn class(ctx: &Context) -> Vec<Row> {
    objects::all(ctx)
        .iter()
        .map(|o| {
            let checks = match o.relation().map(|r| &r.kind) {
                Some(RelationKind::Table(table)) => table.checks.len(),
                _ => 0,
            };
            row![
                "oid" => o.oid,
                "relname" => o.name,
                "relnamespace" => o.schema_oid,
                "relowner" => objects::role_oid(o.owner),
                "relam" => if o.kind == "r" { 2 } else { 0 },
                "relfilenode" => if o.kind == "r" { o.oid } else { 0 },
                // Not known, as for a table that was never analysed.
                "reltuples" => -1,
                "relpersistence" => "p",
                "relkind" => o.kind,
                "relnatts" => o.width(),
                "relchecks" => checks,
                "relispopulated" => true,
                "relreplident" => if o.kind == "r" { "d" } else { "n" },
            ]
        })
        .collect()
}

fn attribute(ctx: &Context) -> Vec<Row> {
    let mut rows = Vec::new();
    for object in objects::all(ctx) {
        for a in object.attributes() {
            let oid = a.ty.oids().0;
            let Some(ty) = types::by_oid(oid) else {
                continue;
            };
            rows.push(row![
                "attrelid" => object.oid,
                "attname" => &*a.name,
                "atttypid" => oid,
                "attstattarget" => -1,
                "attlen" => ty.len,
                "attnum" => a.number,
                "attndims" => i32::from(ty.category == "A"),
                "attcacheoff" => -1,
                "atttypmod" => a.ty.typmod(),
                "attbyval" => ty.by_value,
                "attalign" => ty.align,
                "attstorage" => ty.storage,
                "attnotnull" => !a.nullable && object.kind != "v",
                "atthasdef" => a.default.is_some(),
                "attislocal" => true,
                "attcollation" => ty.collation,
            ]);
        }
    }
    rows
}

fn defaults(ctx: &Context) -> Vec<(Object<'_>, Attribute<'_>)> {
    let objects = objects::all(ctx).into_iter();
    let attributes = objects.flat_map(|o| o.attributes().into_iter().map(move |a| (o.clone(), a)));
    attributes.filter(|(_, a)| a.default.is_some()).collect()
}

fn attrdef(ctx: &Context) -> Vec<Row> {
    // They have no oids of their own in the catalog: numbers below those of constraints, by place.
    (0xe000_0000_u32..)
        .zip(defaults(ctx))
        .map(|(oid, (o, a))| row!["oid" => oid, "adrelid" => o.oid, "adnum" => a.number, "adbin" => a.default])
        .collect()
}

fn constraint(ctx: &Context) -> Vec<Row> {
    objects::checks(ctx)
        .iter()
        .map(|c| {
            row![
                "oid" => c.oid,
                "conname" => c.name,
                "connamespace" => c.object.schema_oid,
                "contype" => "c",
                "convalidated" => true,
                "conrelid" => c.object.oid,
                "confupdtype" => " ",
                "confdeltype" => " ",
                "confmatchtype" => " ",
                "conislocal" => true,
                "conbin" => c.text,
            ]
        })
        .collect()
}

/// The systems that foreign tables stand for, each a wrapper with one server of the same name.
const SYSTEMS: &[(&str, u32)] = &[("kafka", 13100), ("lake", 13101)];

fn wrappers() -> Vec<Row> {
    let row =
        |&(name, oid): &(&str, u32)| row!["oid" => oid, "fdwname" => name, "fdwowner" => OWNER_OID];
    SYSTEMS.iter().map(row).collect()
}

fn servers() -> Vec<Row> {
    let row = |&(name, oid): &(&str, u32)| row!["oid" => oid, "srvname" => name, "srvowner" => OWNER_OID, "srvfdw" => oid];
    SYSTEMS.iter().map(row).collect()
}

/// Sources, and tables over files that lie elsewhere.
fn foreign_tables(ctx: &Context) -> Vec<Row> {
    let foreign = |object: &Object<'_>| {
        let (system, options) = match &object.relation()?.kind {
            RelationKind::Source(source) => ("kafka", shown_properties(source)),
            RelationKind::External(external) => {
                let own = [
                    ("format", &external.format),
                    ("location", &external.location),
                ];
                let others = external.options.iter().map(|(k, v)| (k.as_str(), v));
                let all = own.into_iter().chain(others);
                (
                    "lake",
                    all.map(|(k, v)| (k.to_owned(), v.clone())).collect(),
                )
            }
            RelationKind::Table(_) | RelationKind::View(_) => return None,
        };
        let (_, server) = SYSTEMS.iter().find(|(name, _)| *name == system)?;
        let options: Vec<String> = options
            .into_iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        Some(row!["ftrelid" => object.oid, "ftserver" => *server, "ftoptions" => options])
    };
    objects::all(ctx).iter().filter_map(foreign).collect()
}

fn namespace(ctx: &Context) -> Vec<Row> {
    objects::schemas(ctx)
        .into_iter()
        .map(|(oid, name, owner)| row!["oid" => oid, "nspname" => name, "nspowner" => objects::role_oid(owner)])
        .collect()
}

fn database() -> Vec<Row> {
    vec![row![
        "oid" => DATABASE_OID,
        "datname" => DATABASE,
        "datdba" => OWNER_OID,
        "encoding" => 6,
        "datlocprovider" => "c",
        "datallowconn" => true,
        "datconnlimit" => -1,
        "dattablespace" => 1663,
        "datcollate" => "C",
        "datctype" => "C",
    ]]
}

fn tablespace() -> Vec<Row> {
    [(1663, "pg_default"), (1664, "pg_global")]
        .into_iter()
        .map(|(oid, name)| row!["oid" => oid, "spcname" => name, "spcowner" => OWNER_OID])
        .collect()
}

fn language() -> Vec<Row> {
    [(12, "internal"), (14, "sql")]
        .into_iter()
        .map(|(oid, name)| row!["oid" => oid, "lanname" => name, "lanowner" => OWNER_OID, "lanpltrusted" => oid == 14])
        .collect()
}

fn collation() -> Vec<Row> {
    [(100, "default", "d"), (950, "C", "c"), (951, "POSIX", "c")]
        .into_iter()
        .map(|(oid, name, provider)| {
            let locale = if provider == "c" {
                Cell::from(name)
            } else {
                Cell::Null
            };
            row![
                "oid" => oid,
                "collname" => name,
                "collnamespace" => 11,
                "collowner" => OWNER_OID,
                "collprovider" => provider,
                "collisdeterministic" => true,
                "collencoding" => -1,
                "collcollate" => locale.clone(),
                "collctype" => locale,
            ]
        })
        .collect()
}

fn roles(ctx: &Context, table: &str) -> Vec<Row> {
    objects::roles(ctx)
        .into_iter()
        .map(|(oid, name)| {
            let password = if table == "pg_roles" {
                Cell::from("********")
            } else {
                Cell::Null
            };
            row![
                "oid" => oid,
                "rolname" => name,
                "rolsuper" => true,
                "rolinherit" => true,
                "rolcreaterole" => false,
                "rolcreatedb" => false,
                "rolcanlogin" => true,
                "rolreplication" => false,
                "rolbypassrls" => true,
                "rolconnlimit" => -1,
                "rolpassword" => password,
            ]
        })
        .collect()
}

fn users(ctx: &Context) -> Vec<Row> {
    objects::roles(ctx)
        .into_iter()
        .map(|(oid, name)| {
            row![
                "usename" => name,
                "usesysid" => oid,
                "usecreatedb" => false,
                "usesuper" => true,
                "userepl" => false,
                "usebypassrls" => true,
                "passwd" => "********",
            ]
        })
        .collect()
}

/// The session that asks; what others do is theirs until there are roles.
fn activity(ctx: &Context) -> Result<Vec<Row>> {
    Ok(vec![row![
        "datid" => DATABASE_OID,
        "datname" => DATABASE,
        "pid" => ctx.pid,
        "usesysid" => objects::role_oid(&ctx.user),
        "usename" => ctx.user.as_str(),
        "application_name" => settings::vars(ctx)?.application_name(),
        "query_start" => ctx.started_us,
        "state_change" => ctx.started_us,
        "state" => "active",
        "backend_type" => "client backend",
    ]])
}

fn tables(ctx: &Context) -> Vec<Row> {
    objects::all(ctx)
        .iter()
        .filter(|o| o.kind == "r")
        .map(|o| {
            row![
                "schemaname" => o.schema,
                "tablename" => o.name,
                "tableowner" => o.owner,
                "hasindexes" => false,
                "hasrules" => false,
                "hastriggers" => false,
                "rowsecurity" => false,
            ]
        })
        .collect()
}

fn views(ctx: &Context) -> Vec<Row> {
    objects::all(ctx)
        .iter()
        .filter(|o| o.kind == "v")
        .map(|o| {
            let definition = match o.relation().map(|r| &r.kind) {
                Some(RelationKind::View(view)) => Cell::from(format!("{};", view.text)),
                _ => Cell::Null,
            };
            row![
                "schemaname" => o.schema,
                "viewname" => o.name,
                "viewowner" => o.owner,
                "definition" => definition,
            ]
        })
        .collect()
}

fn type_() -> Vec<Row> {
    types::all()
        .iter()
        .map(|t| {
            let [input, output, receive, send] = t.functions;
            row![
                "oid" => t.oid,
                "typname" => t.name,
                "typnamespace" => 11,
                "typowner" => OWNER_OID,
                "typlen" => t.len,
                "typbyval" => t.by_value,
                "typtype" => t.kind,
                "typcategory" => t.category,
                "typispreferred" => t.preferred,
                "typisdefined" => true,
                "typdelim" => ",",
                "typsubscript" => if t.element == 0 { "-" } else { "array_subscript_handler" },
                "typelem" => t.element,
                "typarray" => t.array,
                "typinput" => input,
                "typoutput" => output,
                "typreceive" => receive,
                "typsend" => send,
                "typmodin" => "-",
                "typmodout" => "-",
                "typanalyze" => "-",
                "typalign" => t.align,
                "typstorage" => t.storage,
                "typtypmod" => -1,
                "typcollation" => t.collation,
            ]
        })
        .collect()
}
