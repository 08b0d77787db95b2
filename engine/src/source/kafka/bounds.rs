//! Predicates on partition, offset and timestamp as what there is to read.
//!
//! A predicate on one of these alone, put together from comparisons with constants, is a set of ranges. Partitions and
//! offsets are kept to exactly; of times only the lowest is used, since producers' times have no order, so the
//! predicate stays in the plan.

use crate::catalog::MetadataRole;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator};
use std::fmt;

/// Disjoint ranges of numbers in order, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    pub(super) fn all() -> Self {
        Ranges(vec![(i64::MIN, i64::MAX)])
    }

    fn compared(op: Operator, value: i64) -> Option<Self> {
        let below = || value.checked_sub(1).map(|end| (i64::MIN, end));
        let above = || value.checked_add(1).map(|begin| (begin, i64::MAX));
        Some(Ranges(match op {
            Operator::Eq => vec![(value, value)],
            Operator::NotEq => below().into_iter().chain(above()).collect(),
            Operator::Lt => below().into_iter().collect(),
            Operator::LtEq => vec![(i64::MIN, value)],
            Operator::Gt => above().into_iter().collect(),
            Operator::GtEq => vec![(value, i64::MAX)],
            _ => return None,
        }))
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|a| other.0.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
        let mut ranges: Vec<_> = pairs.filter(|(from, to)| from <= to).collect();
        ranges.sort_unstable();
        Ranges(ranges)
    }

    fn or(&self, other: &Self) -> Self {
        let mut all: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut ranges: Vec<(i64, i64)> = Vec::with_capacity(all.len());
        for (from, to) in all {
            match ranges.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => ranges.push((from, to)),
            }
        }
        Ranges(ranges)
    }

    fn not(&self) -> Self {
        let (mut ranges, mut next) = (Vec::new(), Some(i64::MIN));
        for (from, to) in &self.0 {
            if let (Some(begin), Some(end)) = (next, from.checked_sub(1)) {
                if begin <= end {
                    ranges.push((begin, end));
                }
            }
            next = to.checked_add(1);
        }
        ranges.extend(next.map(|begin| (begin, i64::MAX)));
        Ranges(ranges)
    }

    #[inline]
    pub(super) fn contains(&self, value: i64) -> bool {
        self.0.iter().any(|(from, to)| *from <= value && value <= *to)
    }

    pub(super) fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// The lowest and the highest number.
    pub(super) fn ends(&self) -> Option<(i64, i64)> {
        Some((self.0.first()?.0, self.0.last()?.1))
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (from, to)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match (*from, *to) {
                (i64::MIN, i64::MAX) => write!(f, "{comma}all")?,
                (i64::MIN, to) => write!(f, "{comma}..{to}")?,
                (from, i64::MAX) => write!(f, "{comma}{from}..")?,
                (from, to) if from == to => write!(f, "{comma}{from}")?,
                (from, to) => write!(f, "{comma}{from}..{to}")?,
            }
        }
        if self.0.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// What a scan reads.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) partitions: Ranges,
    pub(super) offsets: Ranges,
    /// Lowest time, milliseconds since 1970.
    pub(super) from_ms: Option<i64>,
}

impl Bounds {
    pub(super) fn all() -> Self {
        Self { partitions: Ranges::all(), offsets: Ranges::all(), from_ms: None }
    }

    /// Narrows by what [`of`] found.
    pub(super) fn narrow(&mut self, axis: Axis, ranges: &Ranges) {
        match axis {
            Axis::Partition => self.partitions = self.partitions.and(ranges),
            Axis::Offset => self.offsets = self.offsets.and(ranges),
            Axis::Timestamp => {
                let lowest = ranges.ends().map_or(i64::MAX, |(from, _)| from);
                if lowest > i64::MIN {
                    let millis = lowest.div_euclid(1000);
                    self.from_ms = Some(self.from_ms.map_or(millis, |known| known.max(millis)));
                }
            }
        }
    }
}

/// What a predicate is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Partition,
    Offset,
    /// Microseconds since 1970.
    Timestamp,
}

/// The ranges that a predicate means; `role` finds the role of a column.
pub(super) fn of(filter: &Expr, role: &dyn Fn(&Column) -> Option<MetadataRole>) -> Option<(Axis, Ranges)> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let ((axis, left), (other, right)) = (of(left, role)?, of(right, role)?);
            let joined = if *op == Operator::And { left.and(&right) } else { left.or(&right) };
            (axis == other).then_some((axis, joined))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match axis_of(left, role) {
            Some(axis) => Some((axis, Ranges::compared(*op, number(right, axis)?)?)),
            None => {
                let axis = axis_of(right, role)?;
                Some((axis, Ranges::compared(op.swap()?, number(left, axis)?)?))
            }
        },
        Expr::Between(Between { expr, negated, low, high }) => {
            let axis = axis_of(expr, role)?;
            let from = Ranges::compared(Operator::GtEq, number(low, axis)?)?;
            let ranges = from.and(&Ranges::compared(Operator::LtEq, number(high, axis)?)?);
            Some((axis, if *negated { ranges.not() } else { ranges }))
        }
        Expr::InList(list) => {
            let axis = axis_of(&list.expr, role)?;
            let mut ranges = Ranges(Vec::new());
            for item in &list.list {
                ranges = ranges.or(&Ranges::compared(Operator::Eq, number(item, axis)?)?);
            }
            Some((axis, if list.negated { ranges.not() } else { ranges }))
        }
        Expr::Not(inner) => of(inner, role).map(|(axis, ranges)| (axis, ranges.not())),
        _ => None,
    }
}

/// Whether an expression is such a column, perhaps widened; partition and offset are never NULL, and a NULL timestamp
/// meets no predicate that is used as a bound.
fn axis_of(expr: &Expr, role: &dyn Fn(&Column) -> Option<MetadataRole>) -> Option<Axis> {
    match expr {
        Expr::Column(column) => match role(column)? {
            MetadataRole::Partition => Some(Axis::Partition),
            MetadataRole::Offset => Some(Axis::Offset),
            MetadataRole::Timestamp => Some(Axis::Timestamp),
            MetadataRole::Key | MetadataRole::Headers | MetadataRole::Header(_) => None,
        },
        Expr::Cast(Cast { expr, field }) => {
            axis_of(expr, role).filter(|axis| *axis == Axis::Partition && field.data_type().is_integer())
        }
        _ => None,
    }
}

fn number(expr: &Expr, axis: Axis) -> Option<i64> {
    let Expr::Literal(value, _) = expr else { return None };
    if axis == Axis::Timestamp {
        return match value {
            ScalarValue::TimestampSecond(Some(v), _) => v.checked_mul(1_000_000),
            ScalarValue::TimestampMillisecond(Some(v), _) => v.checked_mul(1000),
            ScalarValue::TimestampMicrosecond(Some(v), _) => Some(*v),
            ScalarValue::TimestampNanosecond(Some(v), _) => Some(v.div_euclid(1000)),
            _ => None,
        };
    }
    match value {
        ScalarValue::Int8(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int16(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int32(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int64(Some(v)) => Some(*v),
        ScalarValue::UInt8(Some(v)) => Some(i64::from(*v)),
        ScalarValue::UInt16(Some(v)) => Some(i64::from(*v)),
        ScalarValue::UInt32(Some(v)) => Some(i64::from(*v)),
        ScalarValue::UInt64(Some(v)) => i64::try_from(*v).ok(),
        _ => None,
    }
}
