//! The arguments of `predict` and its kin: by position, by name or by star, put into the model's order.

use super::{Bound, classes};
use crate::error::{Error, Result};
use crate::query::names::normal;
use alcedo_sql::ast::{self, CastKind, Expr, FunctionArg, FunctionArgExpr, Ident, Value};
use alcedo_sql::options::closest;
use alcedo_sql::{Span, SqlState};
use alcedo_udfs::predict::Output;
use alcedo_udfs::score::features::FeatureKind;

/// A call as the model takes it.
pub(super) struct Call {
    pub output: Output,
    /// The inputs in the model's order.
    pub inputs: Vec<Expr>,
    /// Whether they are columns of the features' names, from `USING *`.
    pub by_name: bool,
}

/// Reads a call's arguments behind the model; `place` is where it stands.
pub(super) fn arguments(
    bound: &Bound,
    kind: &str,
    given: Vec<FunctionArg>,
    place: Span,
) -> Result<Call> {
    let features = bound.model.features();
    let mut output = match kind {
        "predict" => Output::Predict,
        "predict_raw" => Output::Raw,
        _ => Output::Proba,
    };
    let (mut positional, mut named, mut wildcard) = (Vec::new(), Vec::new(), None);
    for arg in given {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => positional.push(expr),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => wildcard = Some(Vec::new()),
            FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(path)) => {
                wildcard = Some(
                    path.0
                        .iter()
                        .filter_map(|p| p.as_ident())
                        .cloned()
                        .collect(),
                );
            }
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(value),
                ..
            } => {
                let name = normal(&name);
                if kind == "predict_proba"
                    && name == "class"
                    && !features.iter().any(|f| f.name == name)
                {
                    output = Output::ProbaOf(class(bound, &value)?);
                } else {
                    named.push((name, value));
                }
            }
            other => {
                return Err(Error::unsupported(format!(
                    "argument {other} of {kind} is not supported"
                )));
            }
        }
    }
    let starred = wildcard.is_some();
    let exprs = match (wildcard, named.is_empty(), positional.is_empty()) {
        (Some(relation), true, true) => features
            .iter()
            .map(|f| column(&relation, &f.name, place))
            .collect(),
        (None, false, true) => by_name(bound, named)?,
        (None, true, _) => positional,
        _ => {
            return Err(Error::unsupported(format!(
                "{kind} takes its features by position, by name or all by *, not mixed"
            )));
        }
    };
    if exprs.len() != features.len() {
        return Err(wrong_count(bound, exprs.len()));
    }
    let typed = exprs
        .into_iter()
        .zip(features)
        .map(|(expr, feature)| typed(expr, &feature.kind))
        .collect();
    Ok(Call {
        output,
        inputs: typed,
        by_name: starred,
    })
}

/// The column of a feature, standing where the call does.
fn column(relation: &[Ident], feature: &str, place: Span) -> Expr {
    let column = Ident::with_quote_and_span('"', place, feature);
    if relation.is_empty() {
        return Expr::Identifier(column);
    }
    let mut parts = relation.to_vec();
    parts.iter_mut().for_each(|part| part.span = place);
    parts.push(column);
    Expr::CompoundIdentifier(parts)
}

fn wrong_count(bound: &Bound, given: usize) -> Error {
    let names: Vec<&str> = bound
        .model
        .features()
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    let features = if names.len() == 1 {
        "feature"
    } else {
        "features"
    };
    let were = if given == 1 { "was" } else { "were" };
    Error::user(
        SqlState::UNDEFINED_FUNCTION,
        format!(
            "model \"{}\" takes {} {features}, but {given} {were} given",
            bound.name,
            names.len()
        ),
    )
    .hint(format!(
        "Its features are: {}. With USING * they are found by name.",
        names.join(", ")
    ))
}

/// Named values in the model's order: exact names first, then a unique match without regard to case.
fn by_name(bound: &Bound, named: Vec<(String, Expr)>) -> Result<Vec<Expr>> {
    let features = bound.model.features();
    let mut slots: Vec<Option<Expr>> = vec![None; features.len()];
    for (name, value) in named {
        let exact = features.iter().position(|f| f.name == name);
        let alike: Vec<usize> = (0..features.len())
            .filter(|i| features[*i].name.eq_ignore_ascii_case(&name))
            .collect();
        let at = exact.or(if let [one] = alike[..] {
            Some(one)
        } else {
            None
        });
        let Some(at) = at else {
            let error = Error::user(
                SqlState::UNDEFINED_COLUMN,
                format!("model \"{}\" has no feature \"{name}\"", bound.name),
            );
            return Err(
                match closest(&name, features.iter().map(|f| f.name.as_str())) {
                    Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
                    None => error,
                },
            );
        };
        if slots[at].replace(value).is_some() {
            return Err(Error::user(
                SqlState::DUPLICATE_COLUMN,
                format!("feature \"{}\" is given twice", features[at].name),
            ));
        }
    }
    let missing: Vec<&str> = slots
        .iter()
        .zip(features)
        .filter(|(s, _)| s.is_none())
        .map(|(_, f)| f.name.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(Error::user(
            SqlState::UNDEFINED_COLUMN,
            format!(
                "features of model \"{}\" are missing: {}",
                bound.name,
                missing.join(", ")
            ),
        ));
    }
    Ok(slots.into_iter().flatten().collect())
}

/// A parameter gets the input's type, so that clients are told it.
fn typed(expr: Expr, kind: &FeatureKind) -> Expr {
    let bare = match &expr {
        Expr::Nested(inner) => inner.as_ref(),
        other => other,
    };
    let placeholder = matches!(bare, Expr::Value(v) if matches!(v.value, Value::Placeholder(_)));
    if !placeholder {
        return expr;
    }
    let data_type = match kind {
        FeatureKind::Numeric => ast::DataType::DoublePrecision,
        FeatureKind::Code => ast::DataType::BigInt(None),
        FeatureKind::Text(_) => ast::DataType::Text,
    };
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

/// The class that `class => 'yes'` means.
fn class(bound: &Bound, value: &Expr) -> Result<usize> {
    let text = match value {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => Some(text.clone()),
            Value::Boolean(b) => Some(b.to_string()),
            _ => None,
        },
        _ => None,
    };
    let text =
        text.ok_or_else(|| Error::unsupported("class of predict_proba must be a literal"))?;
    bound.model.class_index(&text).ok_or_else(|| {
        let known = classes(&bound.model);
        let error = Error::user(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("model \"{}\" has no class \"{text}\"", bound.name),
        );
        match (
            closest(&text, known.iter().map(String::as_str)),
            known.is_empty(),
        ) {
            (Some(meant), _) => error.hint(format!("Did you mean \"{meant}\"?")),
            (None, false) => error.hint(format!("Its classes are: {}.", known.join(", "))),
            (None, true) => error.hint("It predicts a number."),
        }
    })
}
