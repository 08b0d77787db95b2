//! Finding names for a statement: relations, models, schemas, and the tables behind relations.

use super::{Context, TARGET, system};
use crate::catalog::{DATABASE, Model, ObjectName, Relation, RelationKind};
use crate::error::{Error, Result};
use crate::{lake, source};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use alcedo_sql::statement::Name;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use std::sync::Arc;

impl Context {
    /// Finds a relation through the search path; 42P01 when there is none.
    pub fn relation(&self, name: &Name) -> Result<(ObjectName, Relation)> {
        self.schemas_of(name)
            .into_iter()
            .find_map(|schema| {
                let key = ObjectName {
                    schema,
                    name: name.name.clone(),
                };
                self.snapshot
                    .relations
                    .get(&key)
                    .map(|r| (key.clone(), r.clone()))
            })
            .ok_or_else(|| self.no_relation(name.schema.as_deref(), &name.name))
    }

    /// Finds a model through the search path; 42704 when there is none.
    pub fn model(&self, name: &Name) -> Result<(ObjectName, Model)> {
        self.schemas_of(name)
            .into_iter()
            .find_map(|schema| {
                let key = ObjectName {
                    schema,
                    name: name.name.clone(),
                };
                self.snapshot
                    .models
                    .get(&key)
                    .map(|m| (key.clone(), m.clone()))
            })
            .ok_or_else(|| {
                let error = Error::user(
                    SqlState::UNDEFINED_OBJECT,
                    format!(
                        "model \"{}\" does not exist",
                        written(name.schema.as_deref(), &name.name)
                    ),
                );
                match closest(
                    &name.name,
                    self.snapshot.models.keys().map(|k| k.name.as_str()),
                ) {
                    Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
                    None => error,
                }
            })
    }

    /// Where a new object goes: its schema as written, else the first of the search path that exists.
    pub fn name_for_create(&self, name: &Name) -> Result<ObjectName> {
        let schema = match &name.schema {
            Some(schema) => schema.clone(),
            None => self
                .search_path
                .iter()
                .find(|s| self.snapshot.schemas.contains_key(*s))
                .cloned()
                .ok_or_else(|| {
                    Error::user(
                        SqlState::INVALID_SCHEMA_NAME,
                        "no schema has been selected to create in",
                    )
                })?,
        };
        if system::SCHEMAS.contains(&schema.as_str()) {
            return Err(Error::user(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to create in schema \"{schema}\""),
            )
            .detail("System catalog modifications are disallowed."));
        }
        if !self.snapshot.schemas.contains_key(&schema) {
            return Err(self.no_schema(&schema));
        }
        Ok(ObjectName {
            schema,
            name: name.name.clone(),
        })
    }

    /// 3F000 for a schema that is not there.
    pub fn no_schema(&self, schema: &str) -> Error {
        let error = Error::user(
            SqlState::INVALID_SCHEMA_NAME,
            format!("schema \"{schema}\" does not exist"),
        );
        match closest(schema, self.snapshot.schemas.keys().map(String::as_str)) {
            Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
            None => error,
        }
    }

    /// The table that reads a relation; views are planned by [`Context::plan_query`], not here.
    pub async fn provider(
        &self,
        name: &ObjectName,
        relation: &Relation,
    ) -> Result<Arc<dyn TableProvider>> {
        match &relation.kind {
            RelationKind::Table(table) => lake::managed::provider(&self.lake(), table).await,
            RelationKind::External(external) => {
                lake::external::provider(&self.lake(), external, &self.state()?).await
            }
            RelationKind::Source(source) => {
                source::provider(self.source_access(), name, source).await
            }
            RelationKind::View(view) => self.view(view).await,
        }
    }

    /// What the lake needs of this statement.
    pub fn lake(&self) -> lake::Access {
        lake::Access {
            catalog: Arc::clone(&self.services.catalog),
            stores: Arc::clone(&self.services.stores),
            pins: self.pins.clone(),
        }
    }

    /// What sources need of this statement.
    pub fn source_access(&self) -> source::Access {
        let (notices, warnings) = (self.notices.clone(), self.notices.clone());
        source::Access {
            catalog: Arc::clone(&self.services.catalog),
            snapshot: Arc::clone(&self.snapshot),
            dead_letters: Arc::clone(&self.services.dead_letters),
            cancel: self.cancel.token.clone(),
            notice: Arc::new(move |text| notices.notice(text)),
            warn: Arc::new(move |text| warnings.warning(text)),
        }
    }

    /// The table a reference in a query means; `None` when there is no such relation.
    pub(super) async fn table(
        &self,
        reference: &TableReference,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        if reference
            .catalog()
            .is_some_and(|catalog| catalog != DATABASE)
        {
            let text = format!("cross-database references are not implemented: \"{reference}\"");
            return Err(Error::unsupported(text));
        }
        let name = reference.table();
        if name == TARGET {
            return Ok(self.target.clone());
        }
        if reference.schema().is_none()
            && let Some(found) = system::table(self, "pg_catalog", name)
        {
            return found.map(Some);
        }
        let name = Name {
            schema: reference.schema().map(str::to_owned),
            name: name.to_owned(),
        };
        for schema in self.schemas_of(&name) {
            if let Some(found) = system::table(self, &schema, &name.name) {
                return found.map(Some);
            }
            let key = ObjectName {
                schema,
                name: name.name.clone(),
            };
            if let Some(relation) = self.snapshot.relations.get(&key) {
                return Box::pin(self.provider(&key, relation)).await.map(Some);
            }
        }
        Ok(None)
    }

    /// 42P01, or 3F000 when not even the schema is there.
    pub(super) fn no_relation(&self, schema: Option<&str>, name: &str) -> Error {
        if let Some(schema) = schema.filter(|s| system::table(self, s, name).is_some()) {
            return Error::user(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{schema}.{name}\" is a system catalog"),
            );
        }
        let error = Error::user(
            SqlState::UNDEFINED_TABLE,
            format!("relation \"{}\" does not exist", written(schema, name)),
        );
        let known = self
            .snapshot
            .relations
            .keys()
            .filter(|k| schema.is_none_or(|s| s == k.schema));
        match closest(name, known.map(|k| k.name.as_str())) {
            Some(meant) => error.hint(format!("Did you mean \"{}\"?", written(schema, meant))),
            None => error,
        }
    }

    fn schemas_of(&self, name: &Name) -> Vec<String> {
        match &name.schema {
            Some(schema) => vec![schema.clone()],
            None => self.search_path.clone(),
        }
    }
}

fn written(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{schema}.{name}"),
        None => name.to_owned(),
    }
}
