//! Session variables: one table ([`VARS`]) from which SET, SHOW, the docs and ParameterStatus derive, and
//! the values of one session ([`Vars`]) with what a transaction block changes and takes back.

mod table;
mod value;

pub use table::{VARS, VarDef};
pub use value::Kind;

use crate::error::{Result, SqlError};
use crate::options::closest;
use crate::sqlstate::SqlState;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The variables of one session.
#[derive(Debug, Clone)]
pub struct Vars {
    /// What RESET goes back to: start-up parameters over the table's defaults; by lower-case name.
    start: BTreeMap<String, String>,
    /// Set in the session.
    session: BTreeMap<String, String>,
    /// Set until the block ends.
    local: BTreeMap<String, String>,
    /// `session` as it was when the block began.
    saved: Option<BTreeMap<String, String>>,
    /// Last value told to the client, of reported variables.
    reported: BTreeMap<&'static str, String>,
    /// Whether a value may have changed since.
    touched: bool,
}

/// What was set in a session up to a savepoint.
#[derive(Debug, Clone)]
pub struct Savepoint {
    session: BTreeMap<String, String>,
    local: BTreeMap<String, String>,
}

impl Default for Vars {
    fn default() -> Self {
        Self::new()
    }
}

impl Vars {
    /// Every variable at its default.
    pub fn new() -> Self {
        Self {
            start: BTreeMap::new(),
            session: BTreeMap::new(),
            local: BTreeMap::new(),
            saved: None,
            reported: BTreeMap::new(),
            touched: true,
        }
    }

    /// A start-up parameter of the connection: the value that RESET goes back to.
    pub fn start(&mut self, name: &str, value: &str) -> Result<()> {
        let (key, value) = checked(name, &[value.to_owned()])?;
        self.touched = true;
        self.start.insert(key, value);
        Ok(())
    }

    /// A fact of the session that users may read but not set, as `session_authorization`.
    pub fn fix(&mut self, name: &str, value: &str) {
        self.touched = true;
        self.start.insert(name.to_lowercase(), value.to_owned());
    }

    /// The value as SHOW prints it; `None` for an unknown name.
    pub fn get(&self, name: &str) -> Option<String> {
        let key = name.to_lowercase();
        let set = [&self.local, &self.session, &self.start]
            .into_iter()
            .find_map(|m| m.get(&key));
        set.cloned()
            .or_else(|| find(&key).map(|def| def.default.to_owned()))
    }

    /// The value, or 42704 with a suggestion.
    pub fn show(&self, name: &str) -> Result<String> {
        self.get(name).ok_or_else(|| unknown(name))
    }

    /// SET; no values mean the default. LOCAL has no effect outside a block, as in PostgreSQL
    /// (which warns: see [`Vars::in_block`]).
    pub fn set(&mut self, name: &str, values: &[String], local: bool) -> Result<()> {
        self.touched = true;
        if values.is_empty() {
            return if local {
                self.set_local_default(name)
            } else {
                self.reset(name)
            };
        }
        let (key, value) = checked(name, values)?;
        if !local {
            self.local.remove(&key);
            self.session.insert(key, value);
        } else if self.in_block() {
            self.local.insert(key, value);
        }
        Ok(())
    }

    fn set_local_default(&mut self, name: &str) -> Result<()> {
        let key = settable(name)?;
        let value = self.start.get(&key).cloned();
        let default = value.or_else(|| find(&key).map(|def| def.default.to_owned()));
        if let (true, Some(value)) = (self.in_block(), default) {
            self.local.insert(key, value);
        }
        Ok(())
    }

    /// RESET name.
    pub fn reset(&mut self, name: &str) -> Result<()> {
        let key = settable(name)?;
        self.touched = true;
        self.session.remove(&key);
        self.local.remove(&key);
        Ok(())
    }

    /// RESET ALL.
    pub fn reset_all(&mut self) {
        self.touched = true;
        self.session.clear();
        self.local.clear();
    }

    /// Name, value and description of every variable, in the order of names.
    pub fn show_all(&self) -> Vec<(String, String, String)> {
        let mut rows: Vec<_> = VARS
            .iter()
            .map(|def| {
                let value = self.get(def.name).unwrap_or_default();
                (def.name.to_owned(), value, def.doc.to_owned())
            })
            .collect();
        let custom: BTreeSet<&String> = self
            .start
            .keys()
            .chain(self.session.keys())
            .chain(self.local.keys())
            .collect();
        for name in custom.into_iter().filter(|n| find(n).is_none()) {
            rows.push((
                name.clone(),
                self.get(name).unwrap_or_default(),
                String::new(),
            ));
        }
        rows.sort_by_key(|(name, _, _)| name.to_lowercase());
        rows
    }

    /// A block begins.
    pub fn begin(&mut self) {
        if self.saved.is_none() {
            self.saved = Some(self.session.clone());
        }
    }

    /// A block ends well: SET stays, SET LOCAL goes.
    pub fn commit(&mut self) {
        self.touched = true;
        self.saved = None;
        self.local.clear();
    }

    /// A block ends badly: what it SET goes, too.
    pub fn rollback(&mut self) {
        self.touched = true;
        if let Some(saved) = self.saved.take() {
            self.session = saved;
        }
        self.local.clear();
    }

    /// What is set now, for going back to it within the block.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint {
            session: self.session.clone(),
            local: self.local.clone(),
        }
    }

    /// Takes back what was set after a savepoint.
    pub fn rollback_to(&mut self, savepoint: &Savepoint) {
        self.touched = true;
        self.session.clone_from(&savepoint.session);
        self.local.clone_from(&savepoint.local);
    }

    /// Whether a block is open.
    pub fn in_block(&self) -> bool {
        self.saved.is_some()
    }

    /// Reported variables whose values the client does not know yet; at first, all of them.
    pub fn take_reported_changes(&mut self) -> Vec<(String, String)> {
        let mut changes = Vec::new();
        if !std::mem::take(&mut self.touched) {
            return changes;
        }
        for def in VARS.iter().filter(|d| d.reported) {
            let value = self.get(def.name).unwrap_or_default();
            if self.reported.get(def.name) != Some(&value) {
                self.reported.insert(def.name, value.clone());
                changes.push((def.name.to_owned(), value));
            }
        }
        changes
    }

    /// `statement_timeout`; `None` when it is off.
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.milliseconds("statement_timeout")
    }

    /// `idle_in_transaction_session_timeout`; `None` when it is off.
    pub fn idle_in_transaction_session_timeout(&self) -> Option<Duration> {
        self.milliseconds("idle_in_transaction_session_timeout")
    }

    fn milliseconds(&self, name: &str) -> Option<Duration> {
        let ms = value::parse_duration_ms(&self.get(name)?)?;
        u64::try_from(ms)
            .ok()
            .filter(|ms| *ms > 0)
            .map(Duration::from_millis)
    }

    /// `TimeZone`: a name of the zone database, or an offset as `+02:00`.
    pub fn time_zone(&self) -> String {
        self.get("timezone").unwrap_or_else(|| "UTC".to_owned())
    }

    /// `search_path` with `"$user"` replaced.
    pub fn search_path(&self, user: &str) -> Vec<String> {
        let path =
            value::split_list(&self.get("search_path").unwrap_or_default()).unwrap_or_default();
        path.into_iter()
            .map(|s| if s == "$user" { user.to_owned() } else { s })
            .collect()
    }

    /// `batch_size`: rows per batch.
    pub fn batch_size(&self) -> Option<usize> {
        self.number("batch_size")
    }

    /// `target_partitions`: threads of a query; `None` is the number of processors.
    pub fn target_partitions(&self) -> Option<usize> {
        self.number("target_partitions").filter(|n| *n > 0)
    }

    /// `extra_float_digits`
    pub fn extra_float_digits(&self) -> i32 {
        self.number("extra_float_digits").unwrap_or(1)
    }

    /// `client_min_messages`: `debug5` … `error`.
    pub fn client_min_messages(&self) -> String {
        self.get("client_min_messages").unwrap_or_default()
    }

    /// `bytea_output`: `hex` or `escape`.
    pub fn bytea_output(&self) -> String {
        self.get("bytea_output").unwrap_or_default()
    }

    /// `IntervalStyle`
    pub fn interval_style(&self) -> String {
        self.get("intervalstyle").unwrap_or_default()
    }

    /// `application_name`
    pub fn application_name(&self) -> String {
        self.get("application_name").unwrap_or_default()
    }

    /// Whether writes are refused: `transaction_read_only` in a block, else `default_transaction_read_only`.
    pub fn read_only(&self) -> bool {
        let on = |name: &str| self.get(name).as_deref() == Some("on");
        on("transaction_read_only") || on("default_transaction_read_only")
    }

    /// Whether a write in a block is an error instead of a warning: `transaction_writes = 'error'`.
    pub fn transaction_writes_error(&self) -> bool {
        self.get("transaction_writes").as_deref() == Some("error")
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }
}

/// The definition of a name in lower case.
fn find(key: &str) -> Option<&'static VarDef> {
    VARS.iter().find(|def| def.name.eq_ignore_ascii_case(key))
}

fn unknown(name: &str) -> SqlError {
    let text = format!("unrecognized configuration parameter \"{name}\"");
    let error = SqlError::new(SqlState::UNDEFINED_OBJECT, text);
    match closest(name, VARS.iter().map(|def| def.name)) {
        Some(known) => error.hint(format!("Did you mean \"{known}\"?")),
        None => error,
    }
}

/// The key of a variable that users may set.
fn settable(name: &str) -> Result<String> {
    let key = name.to_lowercase();
    match find(&key) {
        Some(def) if def.read_only => Err(SqlError::new(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{}\" cannot be changed", def.name),
        )),
        Some(_) => Ok(key),
        // Names with a dot belong to applications, as in PostgreSQL.
        None if key.contains('.') => Ok(key),
        None => Err(unknown(name)),
    }
}

/// Key and canonical value of an assignment.
fn checked(name: &str, values: &[String]) -> Result<(String, String)> {
    let key = settable(name)?;
    let value = match find(&key) {
        Some(def) => value::check(def, values)?,
        None => values.join(", "),
    };
    Ok((key, value))
}

#[cfg(test)]
mod tests;
