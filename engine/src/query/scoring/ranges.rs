//! What facts about columns say about a model's features.

use super::facts::{Fact, Test, column};
use alcedo_udfs::predict::Predict;
use alcedo_udfs::score::features::{Feature, FeatureKind};
use alcedo_udfs::score::known::Known;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator};

/// Conditions, and values of a list, that are written out in a plan.
const SHOWN_MAX: usize = 4;

/// What is known of each feature of a call's model, and the conditions it comes from as text; `None` when nothing is.
pub(super) fn known(
    predict: &Predict,
    args: &[Expr],
    facts: &[Fact],
) -> Option<(Vec<Known>, String)> {
    let features = predict.model().features();
    let mut known = vec![Known::ANYTHING; features.len()];
    let mut shown: Vec<String> = Vec::new();
    for (at, arg) in predict.inputs().iter().zip(args) {
        let feature = &features[*at];
        if let Expr::Literal(value, _) = arg {
            if let Some(number) = constant(feature, value) {
                known[*at] = Known::value(number);
                shown.push(format!("{} = {value}", feature.name));
            }
            continue;
        }
        let Some(column) = column(arg) else {
            continue;
        };
        for fact in facts.iter().filter(|fact| fact.column == *column) {
            let Some(range) = range(feature, &fact.test) else {
                continue;
            };
            known[*at] = known[*at].and(range);
            let text = describe(&feature.name, &fact.test);
            if !shown.contains(&text) {
                shown.push(text);
            }
        }
    }
    if shown.is_empty() {
        return None;
    }
    let more = shown.len().saturating_sub(SHOWN_MAX);
    shown.truncate(SHOWN_MAX);
    let mut text = shown.join(" and ");
    if more > 0 {
        text += &format!(" and {more} more");
    }
    Some((known, text))
}

/// The numbers of a feature that pass a test.
fn range(feature: &Feature, test: &Test) -> Option<Known> {
    match test {
        Test::Null => Some(Known::value(f64::NAN)),
        // NaN is not NULL, but missing too.
        Test::NotNull => None,
        Test::In(values) => {
            let mut all = Known::NOTHING;
            for value in values {
                all = all.or(Known::value(number(feature, value)?));
            }
            Some(all)
        }
        Test::Compared(Operator::Eq, value) => Some(Known::value(number(feature, value)?)),
        // The order of texts is not that of their codes.
        Test::Compared(..) if feature.kind != FeatureKind::Numeric => None,
        Test::Compared(op, value) => {
            let bound = number(feature, value).filter(|bound| !bound.is_nan())?;
            match op {
                // NaN is above or, with a minus, below every number.
                Operator::Lt | Operator::LtEq => Some(Known {
                    missing: floats(value),
                    ..Known::up_to(bound)
                }),
                Operator::Gt | Operator::GtEq => Some(Known {
                    missing: floats(value),
                    ..Known::from(bound)
                }),
                _ => None,
            }
        }
    }
}

/// Whether a column that is compared with such a constant may hold NaN.
fn floats(value: &ScalarValue) -> bool {
    value.data_type().is_floating()
}

/// A constant argument as the model reads it.
pub(super) fn constant(feature: &Feature, value: &ScalarValue) -> Option<f64> {
    if value.is_null() {
        return Some(f64::NAN);
    }
    number(feature, value)
}

/// A constant as the model reads it; NULL is compared with nothing.
fn number(feature: &Feature, value: &ScalarValue) -> Option<f64> {
    if value.is_null() {
        return None;
    }
    let column = feature.read(&value.to_array().ok()?).ok()?;
    Some(column.value(0))
}

fn describe(name: &str, test: &Test) -> String {
    match test {
        Test::Compared(op, value) => format!("{name} {op} {value}"),
        Test::In(values) => {
            let first: Vec<String> = values
                .iter()
                .take(SHOWN_MAX)
                .map(ToString::to_string)
                .collect();
            let more = if values.len() > SHOWN_MAX {
                ", …"
            } else {
                ""
            };
            format!("{name} in ({}{more})", first.join(", "))
        }
        Test::Null => format!("{name} is null"),
        Test::NotNull => format!("{name} is not null"),
    }
}
