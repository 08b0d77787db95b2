//! Conditions on where a record lies in its topic, as places to read. The role of a column makes a condition one of
//! these, not its name.
//!
//! | condition | |
//! |---|---|
//! | partition `=`, `IN`, `OR` of these | other partitions are not read |
//! | offset `=`, `<`, `<=`, `>`, `>=`, `BETWEEN` | reading begins and ends there |
//! | timestamp `=`, `>`, `>=`, `BETWEEN` | reading begins at the first record that is not older; times are not in order, so the condition is checked again |

use crate::catalog::{MetadataColumn, MetadataRole};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{
    Between, BinaryExpr, Expr, Operator, TableProviderFilterPushDown as PushDown,
};
use std::collections::BTreeSet;
use std::fmt;

/// Which records are read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) struct Seek {
    /// All when `None`.
    pub partitions: Option<BTreeSet<i32>>,
    /// Offsets from here …
    pub from: i64,
    /// … to before here.
    pub to: i64,
    /// Milliseconds since 1970: no record that is certainly older.
    pub since_ms: Option<i64>,
}

impl Default for Seek {
    fn default() -> Self {
        Self {
            partitions: None,
            from: 0,
            to: i64::MAX,
            since_ms: None,
        }
    }
}

impl fmt::Display for Seek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(partitions) = &self.partitions {
            let all: Vec<String> = partitions.iter().map(i32::to_string).collect();
            parts.push(format!("partition in ({})", all.join(", ")));
        }
        if self.from > 0 {
            parts.push(format!("offset >= {}", self.from));
        }
        if self.to < i64::MAX {
            parts.push(format!("offset < {}", self.to));
        }
        if let Some(since) = self.since_ms {
            parts.push(format!("timestamp >= {since} ms"));
        }
        f.write_str(&parts.join(" and "))
    }
}

impl Seek {
    /// What filters that are all to hold say.
    pub(super) fn of<'a>(
        metadata: &[MetadataColumn],
        filters: impl IntoIterator<Item = &'a Expr>,
    ) -> Self {
        let mut seek = Self::default();
        for filter in filters {
            seek.narrow(metadata, filter);
        }
        seek
    }

    /// Takes a condition in, as far as it can be, and says how far.
    pub(super) fn narrow(&mut self, metadata: &[MetadataColumn], filter: &Expr) -> PushDown {
        if let Some(partitions) = partition_set(metadata, filter) {
            self.partitions = Some(match self.partitions.take() {
                Some(known) => known.intersection(&partitions).copied().collect(),
                None => partitions,
            });
            return PushDown::Exact;
        }
        match filter {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::And,
                right,
            }) => {
                let (left, right) = (self.narrow(metadata, left), self.narrow(metadata, right));
                match (left, right) {
                    (PushDown::Exact, PushDown::Exact) => PushDown::Exact,
                    (PushDown::Unsupported, PushDown::Unsupported) => PushDown::Unsupported,
                    _ => PushDown::Inexact,
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                match (role(metadata, left), role(metadata, right)) {
                    (Some(role), None) => self.compare(role, *op, right),
                    (None, Some(role)) => match op.swap() {
                        Some(op) => self.compare(role, op, left),
                        None => PushDown::Unsupported,
                    },
                    _ => PushDown::Unsupported,
                }
            }
            Expr::Between(Between {
                expr,
                negated: false,
                low,
                high,
            }) => match role(metadata, expr) {
                Some(role) => {
                    let low = self.compare(role, Operator::GtEq, low);
                    let high = self.compare(role, Operator::LtEq, high);
                    match (low, high) {
                        (PushDown::Exact, PushDown::Exact) => PushDown::Exact,
                        (PushDown::Unsupported, PushDown::Unsupported) => PushDown::Unsupported,
                        _ => PushDown::Inexact,
                    }
                }
                None => PushDown::Unsupported,
            },
            _ => PushDown::Unsupported,
        }
    }

    fn compare(&mut self, role: &MetadataRole, op: Operator, value: &Expr) -> PushDown {
        let Expr::Literal(value, _) = value else {
            return PushDown::Unsupported;
        };
        match role {
            MetadataRole::Offset => self.offset(op, value),
            MetadataRole::Timestamp => {
                let lower = matches!(op, Operator::Eq | Operator::Gt | Operator::GtEq);
                let Some(micros) = micros(value).filter(|_| lower) else {
                    return PushDown::Unsupported;
                };
                let millis = micros.div_euclid(1000);
                self.since_ms = Some(self.since_ms.map_or(millis, |known| known.max(millis)));
                PushDown::Inexact
            }
            _ => PushDown::Unsupported,
        }
    }

    fn offset(&mut self, op: Operator, value: &ScalarValue) -> PushDown {
        let Some(value) = integer(value) else {
            return PushDown::Unsupported;
        };
        let (from, to) = match op {
            Operator::Eq => (value, value.saturating_add(1)),
            Operator::Gt => (value.saturating_add(1), i64::MAX),
            Operator::GtEq => (value, i64::MAX),
            Operator::Lt => (0, value),
            Operator::LtEq => (0, value.saturating_add(1)),
            _ => return PushDown::Unsupported,
        };
        self.from = self.from.max(from);
        self.to = self.to.min(to);
        PushDown::Exact
    }
}

/// The partitions that a condition on nothing else leaves.
fn partition_set(metadata: &[MetadataColumn], filter: &Expr) -> Option<BTreeSet<i32>> {
    let is_partition = |expr| matches!(role(metadata, expr), Some(MetadataRole::Partition));
    // A number that no partition can have leaves none.
    let number = |expr: &Expr| match expr {
        Expr::Literal(value, _) => integer(value).map(|v| i32::try_from(v).unwrap_or(-1)),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let mut left = partition_set(metadata, left)?;
            left.extend(partition_set(metadata, right)?);
            Some(left)
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => {
            let value = if is_partition(left) {
                number(right)?
            } else if is_partition(right) {
                number(left)?
            } else {
                return None;
            };
            Some(BTreeSet::from([value]))
        }
        Expr::InList(list) if !list.negated && is_partition(&list.expr) => {
            list.list.iter().map(number).collect()
        }
        _ => None,
    }
}

/// The role of a column; a wider integer is the same column.
fn role<'a>(metadata: &'a [MetadataColumn], expr: &Expr) -> Option<&'a MetadataRole> {
    match expr {
        Expr::Column(column) => metadata
            .iter()
            .find(|m| m.name == column.name)
            .map(|m| &m.role),
        Expr::Cast(cast) if cast.field.data_type().is_signed_integer() => {
            role(metadata, &cast.expr).filter(|r| matches!(r, MetadataRole::Partition))
        }
        _ => None,
    }
}

fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int8(v) => v.map(i64::from),
        ScalarValue::Int16(v) => v.map(i64::from),
        ScalarValue::Int32(v) => v.map(i64::from),
        ScalarValue::Int64(v) => *v,
        _ => None,
    }
}

fn micros(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampSecond(Some(v), Some(_)) => v.checked_mul(1_000_000),
        ScalarValue::TimestampMillisecond(Some(v), Some(_)) => v.checked_mul(1_000),
        ScalarValue::TimestampMicrosecond(Some(v), Some(_)) => Some(*v),
        ScalarValue::TimestampNanosecond(Some(v), Some(_)) => Some(v.div_euclid(1_000)),
        _ => None,
    }
}
