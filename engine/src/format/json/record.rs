//! A JSON object into the fields that are wanted of it, and whole records into columns.

use super::column::Column;
use super::lexer::{Kind, Lexer, Raw};
use super::moment::Numbers;
use super::text::unescaped;
use crate::catalog;
use crate::error::Result;
use crate::format::{Decoder, Fault};
use datafusion::arrow::array::ArrayRef;
use std::collections::HashMap;

/// Keys remembered by their place in the object.
const MEMO_MAX: usize = 512;

/// Finds the values of named fields in objects.
#[derive(Debug)]
pub(super) struct Fields {
    /// Field by name.
    exact: HashMap<Box<[u8]>, usize>,
    /// Field by lower-case name; `None` where several fields share one.
    folded: HashMap<String, Option<usize>>,
    /// What the keys of the last objects meant, by place: objects of a topic are alike.
    memo: Vec<Memo>,
    slots: Vec<Slot>,
    /// Counts objects, so that slots need no clearing.
    object: u64,
}

#[derive(Debug)]
struct Memo {
    key: Box<[u8]>,
    found: Option<Found>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    field: usize,
    exact: bool,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    object: u64,
    exact: bool,
    raw: Raw,
}

impl Fields {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut exact = HashMap::new();
        let mut folded: HashMap<String, Option<usize>> = HashMap::new();
        let mut count = 0;
        for (i, name) in names.enumerate() {
            exact.insert(name.as_bytes().into(), i);
            folded
                .entry(name.to_lowercase())
                .and_modify(|f| *f = None)
                .or_insert(Some(i));
            count = i + 1;
        }
        let slots = vec![
            Slot {
                object: 0,
                exact: false,
                raw: Raw::NULL
            };
            count
        ];
        Self {
            exact,
            folded,
            memo: Vec::new(),
            slots,
            object: 0,
        }
    }

    /// Reads an object. Of equal keys the last counts; a key that is exactly the field's name goes before one that
    /// differs in case.
    pub(super) fn read(&mut self, bytes: &[u8], lexer: &mut Lexer<'_>) -> Result<(), Fault> {
        self.object += 1;
        let mut place = 0;
        lexer.object(|key, value| {
            let found = match self.memo.get(place) {
                Some(memo) if key.kind == Kind::Text && *memo.key == *key.of(bytes) => memo.found,
                _ => self.find(place, key, bytes)?,
            };
            place += 1;
            if let Some(found) = found {
                let slot = &mut self.slots[found.field];
                if found.exact || slot.object != self.object || !slot.exact {
                    *slot = Slot {
                        object: self.object,
                        exact: found.exact,
                        raw: value,
                    };
                }
            }
            Ok(())
        })
    }

    /// The name of a field, for messages.
    pub(super) fn name(&self, field: usize) -> &str {
        let name = self
            .exact
            .iter()
            .find(|(_, f)| **f == field)
            .map(|(n, _)| n.as_ref());
        name.and_then(|n| std::str::from_utf8(n).ok())
            .unwrap_or_default()
    }

    /// The value of a field in the object read last.
    #[inline]
    pub(super) fn value(&self, field: usize) -> Raw {
        let slot = &self.slots[field];
        if slot.object == self.object {
            slot.raw
        } else {
            Raw::NULL
        }
    }

    fn find(&mut self, place: usize, key: Raw, bytes: &[u8]) -> Result<Option<Found>, Fault> {
        let name = unescaped(bytes, key)?;
        let found = match self.exact.get(name.as_bytes()) {
            Some(field) => Some(Found {
                field: *field,
                exact: true,
            }),
            None => {
                let folded = self.folded.get(&name.to_lowercase()).copied().flatten();
                folded.map(|field| Found {
                    field,
                    exact: false,
                })
            }
        };
        if key.kind == Kind::Text {
            let memo = Memo {
                key: key.of(bytes).into(),
                found,
            };
            let length = self.memo.len();
            match self.memo.get_mut(place) {
                Some(old) => *old = memo,
                None if length == place && place < MEMO_MAX => self.memo.push(memo),
                None => {}
            }
        }
        Ok(found)
    }
}

/// Decodes records that are JSON objects.
pub struct JsonDecoder {
    fields: Fields,
    columns: Vec<Declared>,
    rows: usize,
}

struct Declared {
    name: String,
    nullable: bool,
    column: Column,
}

impl JsonDecoder {
    /// A decoder for the declared columns; `wanted` says which of them are built.
    pub fn new(columns: &[catalog::Column], wanted: &[bool], numbers: Numbers) -> Self {
        let fields = Fields::new(columns.iter().map(|c| c.name.as_str()));
        let declared = columns.iter().enumerate().map(|(i, c)| Declared {
            name: c.name.clone(),
            nullable: c.nullable,
            column: Column::new(&c.ty, numbers, wanted.get(i).copied().unwrap_or(false)),
        });
        Self {
            fields,
            columns: declared.collect(),
            rows: 0,
        }
    }

    fn append(&mut self, bytes: &[u8], absent: bool) -> Result<(), Fault> {
        for (i, declared) in self.columns.iter_mut().enumerate() {
            let raw = if absent {
                Raw::NULL
            } else {
                self.fields.value(i)
            };
            if raw.kind == Kind::Null && !declared.nullable {
                let text = format!(
                    "null value in column \"{}\", which is NOT NULL",
                    declared.name
                );
                return Err(text.into());
            }
            let column = &mut declared.column;
            column
                .append(bytes, raw)
                .map_err(|fault| format!("column \"{}\": {fault}", declared.name))?;
        }
        Ok(())
    }

    /// Keeps a row that was appended whole; of another nothing stays.
    fn settle(&mut self, appended: Result<(), Fault>) -> Result<(), Fault> {
        match appended {
            Ok(()) => self.rows += 1,
            Err(_) => self
                .columns
                .iter_mut()
                .for_each(|d| d.column.truncate(self.rows)),
        }
        appended
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, value: &[u8]) -> Result<(), Fault> {
        if let Err(error) = std::str::from_utf8(value) {
            return Err(format!("not valid UTF-8 at byte {}", error.valid_up_to() + 1).into());
        }
        let mut lexer = Lexer::new(value);
        self.fields.read(value, &mut lexer)?;
        lexer.end()?;
        let appended = self.append(value, false);
        self.settle(appended)
    }

    fn absent(&mut self) -> Result<(), Fault> {
        let appended = self.append(&[], true);
        self.settle(appended)
    }

    fn finish(&mut self) -> Result<Vec<Option<ArrayRef>>> {
        self.rows = 0;
        self.columns.iter_mut().map(|d| d.column.finish()).collect()
    }
}
