//! What the catalog's tables list: schemas, relations, roles and constraints with their oids.
//!
//! System relations have the oids that PostgreSQL gives them where clients know these by heart, and numbers
//! below the first oid of users otherwise.

use super::{columns, streams};
use crate::catalog::{DATABASE, FIRST_OID, ObjectName, Relation, RelationKind};
use crate::query::Context;
use crate::types::sql_type;
use alcedo_sql::types::SqlType;
use datafusion::arrow::datatypes::SchemaRef;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The schema that every search path starts with.
pub(super) const PG_CATALOG: &str = "pg_catalog";
/// The oid of the one database.
pub(super) const DATABASE_OID: u32 = 5;
/// The oid of the user `alcedo`, who owns what nobody else owns.
pub(super) const OWNER_OID: u32 = 10;

/// Schemas of the system with their oids.
const SYSTEM: &[(&str, u32)] = &[
    (PG_CATALOG, 11),
    ("information_schema", 13000),
    ("ml", 13001),
    ("streams", 13002),
];

/// Oids that clients compare with, or that `classoid` columns hold.
const KNOWN: &[(&str, u32)] = &[
    ("pg_type", 1247),
    ("pg_attribute", 1249),
    ("pg_proc", 1255),
    ("pg_class", 1259),
    ("pg_authid", 1260),
    ("pg_auth_members", 1261),
    ("pg_database", 1262),
    ("pg_tablespace", 1213),
    ("pg_foreign_server", 1417),
    ("pg_foreign_data_wrapper", 2328),
    ("pg_am", 2601),
    ("pg_attrdef", 2604),
    ("pg_cast", 2605),
    ("pg_constraint", 2606),
    ("pg_depend", 2608),
    ("pg_description", 2609),
    ("pg_index", 2610),
    ("pg_inherits", 2611),
    ("pg_language", 2612),
    ("pg_namespace", 2615),
    ("pg_operator", 2617),
    ("pg_rewrite", 2618),
    ("pg_trigger", 2620),
    ("pg_extension", 3079),
    ("pg_collation", 3456),
    ("pg_event_trigger", 3466),
    ("pg_enum", 3501),
];

/// Where the columns of an object stand.
#[derive(Debug, Clone)]
enum Columns<'a> {
    User(&'a Relation),
    System(&'static [columns::Column]),
    Fields(SchemaRef),
}

/// A relation of users or of the system.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    pub(super) oid: u32,
    pub(super) schema: &'a str,
    pub(super) schema_oid: u32,
    pub(super) name: &'a str,
    pub(super) owner: &'a str,
    /// `r`, `v` or `f`, as in `pg_class.relkind`.
    pub(super) kind: &'static str,
    columns: Columns<'a>,
}

/// A column of an object.
#[derive(Debug)]
pub(super) struct Attribute<'a> {
    /// From 1.
    pub(super) number: i32,
    pub(super) name: Cow<'a, str>,
    pub(super) ty: Cow<'a, SqlType>,
    pub(super) nullable: bool,
    pub(super) default: Option<&'a str>,
}

impl<'a> Object<'a> {
    /// Whether a user made it.
    pub(super) fn is_user(&self) -> bool {
        self.oid >= FIRST_OID
    }

    /// Its entry in the catalog.
    pub(super) fn relation(&self) -> Option<&'a Relation> {
        match self.columns {
            Columns::User(relation) => Some(relation),
            _ => None,
        }
    }

    /// How many columns it has.
    pub(super) fn width(&self) -> usize {
        match &self.columns {
            Columns::User(relation) => relation.columns().len(),
            Columns::System(columns) => columns.len(),
            Columns::Fields(schema) => schema.fields().len(),
        }
    }

    /// Its columns.
    pub(super) fn attributes(&self) -> Vec<Attribute<'a>> {
        let mut number = 0;
        let mut next = || {
            number += 1;
            number
        };
        match &self.columns {
            Columns::User(relation) => relation
                .columns()
                .iter()
                .map(|c| Attribute {
                    number: next(),
                    name: Cow::Borrowed(c.name.as_str()),
                    ty: Cow::Borrowed(&c.ty),
                    nullable: c.nullable,
                    default: c.default.as_deref(),
                })
                .collect(),
            Columns::System(columns) => columns
                .iter()
                .map(|c| Attribute {
                    number: next(),
                    name: Cow::Borrowed(c.name),
                    ty: Cow::Borrowed(&c.ty),
                    nullable: c.nullable,
                    default: None,
                })
                .collect(),
            Columns::Fields(schema) => schema
                .fields()
                .iter()
                .map(|f| Attribute {
                    number: next(),
                    name: Cow::Owned(f.name().clone()),
                    ty: Cow::Owned(sql_type(f)),
                    nullable: f.is_nullable(),
                    default: None,
                })
                .collect(),
        }
    }
}

/// Every relation: the users' first, in the order of schemas and names.
pub(super) fn all(ctx: &Context) -> Vec<Object<'_>> {
    let users = ctx
        .snapshot
        .relations
        .iter()
        .map(|(name, relation)| user(ctx, name, relation));
    users.chain(system(ctx).iter().cloned()).collect()
}

fn user<'a>(ctx: &'a Context, name: &'a ObjectName, relation: &'a Relation) -> Object<'a> {
    Object {
        oid: relation.oid,
        schema: &name.schema,
        schema_oid: ctx.snapshot.schemas.get(&name.schema).map_or(0, |s| s.oid),
        name: &name.name,
        owner: &relation.owner,
        kind: match relation.kind {
            RelationKind::Table(_) => "r",
            RelationKind::View(_) => "v",
            RelationKind::External(_) | RelationKind::Source(_) => "f",
        },
        columns: Columns::User(relation),
    }
}

/// The system's relations: always the same.
fn system(ctx: &Context) -> &'static [Object<'static>] {
    static OBJECTS: OnceLock<Vec<Object<'static>>> = OnceLock::new();
    OBJECTS.get_or_init(|| {
        let mut objects = Vec::new();
        for (schema, schema_oid) in SYSTEM {
            let tables = columns::names(schema).into_iter();
            let mut tables: Vec<(&'static str, Columns<'static>)> =
                tables.filter_map(|n| Some((n, Columns::System(columns::of(schema, n)?)))).collect();
            if *schema == "streams" {
                let fields = |n: &&'static str| Some((*n, Columns::Fields(streams::schema(ctx, n)?)));
                tables.extend(streams::NAMES.iter().filter_map(fields));
            }
            for (name, columns) in tables {
                let known = KNOWN.iter().find(|(n, _)| *n == name).filter(|_| *schema == PG_CATALOG);
                let free = FIRST_OID - 3000 + u32::try_from(objects.len()).unwrap_or(0);
                // PostgreSQL's catalogs have columns that are never NULL, its views do not know.
                let table = matches!(&columns, Columns::System(c) if !c.first().is_some_and(|c| c.nullable));
                objects.push(Object {
                    oid: known.map_or(free, |(_, oid)| *oid),
                    schema,
                    schema_oid: *schema_oid,
                    name,
                    owner: DATABASE,
                    kind: if table { "r" } else { "v" },
                    columns,
                });
            }
        }
        objects
    })
}

/// The relation of an oid.
pub(super) fn by_oid(ctx: &Context, oid: u32) -> Option<Object<'_>> {
    let found = ctx.snapshot.relations.iter().find(|(_, r)| r.oid == oid);
    match found {
        Some((name, relation)) => Some(user(ctx, name, relation)),
        None => system(ctx).iter().find(|o| o.oid == oid).cloned(),
    }
}

/// The relation that a name means, through the search path when no schema is given.
pub(super) fn lookup<'a>(ctx: &'a Context, schema: Option<&str>, name: &str) -> Option<Object<'a>> {
    let path: Vec<&str> = match schema {
        Some(schema) => vec![schema],
        None => std::iter::once(PG_CATALOG)
            .chain(ctx.search_path.iter().map(String::as_str))
            .collect(),
    };
    path.into_iter().find_map(|schema| {
        let key = ObjectName {
            schema: schema.to_owned(),
            name: name.to_owned(),
        };
        match ctx.snapshot.relations.get_key_value(&key) {
            Some((name, relation)) => Some(user(ctx, name, relation)),
            None => system(ctx)
                .iter()
                .find(|o| o.schema == schema && o.name == name)
                .cloned(),
        }
    })
}

/// Every schema: oid, name, owner.
pub(super) fn schemas(ctx: &Context) -> Vec<(u32, &str, &str)> {
    let users = ctx
        .snapshot
        .schemas
        .iter()
        .map(|(name, s)| (s.oid, name.as_str(), s.owner.as_str()));
    let system = SYSTEM.iter().map(|(name, oid)| (*oid, *name, DATABASE));
    system.chain(users).collect()
}

/// The oid of a schema.
pub(super) fn schema_oid(ctx: &Context, name: &str) -> Option<u32> {
    schemas(ctx)
        .into_iter()
        .find(|(_, n, _)| *n == name)
        .map(|(oid, ..)| oid)
}

/// The name of a schema.
pub(super) fn schema_name(ctx: &Context, oid: u32) -> Option<&str> {
    schemas(ctx)
        .into_iter()
        .find(|(o, ..)| *o == oid)
        .map(|(_, name, _)| name)
}

/// Users that own something, and who asks.
pub(super) fn roles(ctx: &Context) -> Vec<(u32, String)> {
    let snapshot = &ctx.snapshot;
    let owners = snapshot.relations.values().map(|r| &r.owner);
    let owners = owners.chain(snapshot.schemas.values().map(|s| &s.owner));
    let owners = owners
        .chain(snapshot.models.values().map(|m| &m.owner))
        .chain([&ctx.user]);
    let mut names: BTreeSet<String> = owners.cloned().collect();
    names.insert(DATABASE.to_owned());
    names
        .into_iter()
        .map(|name| (role_oid(&name), name))
        .collect()
}

/// The oid of a user: there are no roles that could hold one, so it is made of the name.
pub(super) fn role_oid(name: &str) -> u32 {
    if name == DATABASE {
        return OWNER_OID;
    }
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| {
        (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
    });
    hash | 0x4000_0000
}

/// The user of an oid.
pub(super) fn role_name(ctx: &Context, oid: u32) -> Option<String> {
    roles(ctx)
        .into_iter()
        .find(|(o, _)| *o == oid)
        .map(|(_, name)| name)
}

/// A CHECK constraint.
#[derive(Debug)]
pub(super) struct Check<'a> {
    pub(super) oid: u32,
    pub(super) object: Object<'a>,
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

/// Every CHECK constraint.
pub(super) fn checks(ctx: &Context) -> Vec<Check<'_>> {
    let mut checks = Vec::new();
    // They have no oids of their own in the catalog: numbers above all others, by place.
    let mut oid = 0xf000_0000;
    for object in all(ctx) {
        let Some(Relation {
            kind: RelationKind::Table(table),
            ..
        }) = object.relation()
        else {
            continue;
        };
        for (name, text) in &table.checks {
            oid += 1;
            checks.push(Check {
                oid,
                object: object.clone(),
                name,
                text,
            });
        }
    }
    checks
}
