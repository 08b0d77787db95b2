//! What a training is for, settled once its rows are known: the task, the weights, and whether the rows will do.

use super::dataset::{Data, Target};
use super::lightgbm;
use super::options::{TrainOptions, Wanted, bad};
use crate::error::{Error, Result};
use crate::query::Notices;
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;

/// An integer label with at most this many distinct values may be meant as classes.
const FEW_VALUES: usize = 20;

/// The library's objective; makes classes of a numeric label where the task asks for it.
pub(super) fn settle_task(
    data: &mut Data,
    options: &TrainOptions,
    notices: &Notices,
) -> Result<String> {
    let given = options.objective.as_deref();
    let classes = match (options.wanted, given) {
        (Some(Wanted::Regression), _) => false,
        (Some(_), _) => true,
        (None, Some(objective)) => lightgbm::classifies(objective),
        (None, None) => by_label(data, notices),
    };
    if !classes {
        if let Target::Classes { .. } = data.target {
            return Err(bad(format!(
                "a label of type {} has classes, not numbers",
                data.label.1
            ))
            .hint("Leave task and objective out, or name a numeric label."));
        }
        if options.positive_class.is_some() {
            return Err(bad("positive_class needs a classification"));
        }
        return Ok(given.unwrap_or("regression").to_owned());
    }
    data.classify()?;
    let Target::Classes { labels, .. } = &data.target else {
        return Err(Error::internal("a classification without classes"));
    };
    let count = labels.len();
    if count < 2 {
        return Err(Error::user(
            SqlState::DATA_EXCEPTION,
            format!(
                "the label has one class only: \"{}\"",
                labels.first().map_or("", String::as_str)
            ),
        ));
    }
    let objective = match (given, options.wanted) {
        (Some(objective), _) => objective,
        (None, Some(Wanted::Multiclass)) => "multiclass",
        (None, Some(Wanted::Binary)) => "binary",
        (None, _) if count == 2 => "binary",
        (None, _) => "multiclass",
    };
    if objective == "binary" && count != 2 {
        return Err(Error::user(
            SqlState::DATA_EXCEPTION,
            format!("a binary classification needs two classes, and the label has {count}"),
        ));
    }
    if let Some(class) = &options.positive_class {
        if objective != "binary" {
            return Err(bad("positive_class needs a label with two classes"));
        }
        data.put_last(class)?;
    }
    Ok(objective.to_owned())
}

/// What the label's type and values say: text and boolean are classes, so are integers that are all 0 or 1.
fn by_label(data: &Data, notices: &Notices) -> bool {
    let Target::Numbers(values) = &data.target else {
        return true;
    };
    if !matches!(data.label.1, SqlType::Int2 | SqlType::Int4 | SqlType::Int8) {
        return false;
    }
    match Data::distinct(values, FEW_VALUES) {
        Some(distinct) if distinct.iter().all(|v| *v == 0.0 || *v == 1.0) => true,
        Some(distinct) => {
            notices.notice(format!(
                "label \"{}\" has {} different whole numbers: use task = 'classification' if they are classes",
                data.label.0,
                distinct.len()
            ));
            false
        }
        None => false,
    }
}

/// Multiplies the weights of classes into those of rows.
pub(super) fn weigh(data: &mut Data, options: &TrainOptions, held: &[bool]) -> Result<()> {
    if !options.auto_class_weights && options.class_weights.is_none() {
        return Ok(());
    }
    let Target::Classes { codes, labels } = &data.target else {
        return Err(bad("class weights need a classification"));
    };
    let mut factors = vec![1.0; labels.len()];
    if let Some(given) = &options.class_weights {
        for (class, weight) in given {
            let at = labels.iter().position(|l| l == class).ok_or_else(|| {
                bad(format!(
                    "class_weights names \"{class}\", which is no class of the label"
                ))
                .hint(format!("Its classes are: {}.", labels.join(", ")))
            })?;
            factors[at] = *weight;
        }
    } else {
        let mut counts = vec![0.0; labels.len()];
        for (code, held) in codes.iter().zip(held) {
            counts[*code as usize] += f64::from(u8::from(!held));
        }
        let rows: f64 = counts.iter().sum();
        for (factor, count) in factors.iter_mut().zip(&counts) {
            *factor = if *count > 0.0 {
                rows / (labels.len() as f64 * count)
            } else {
                1.0
            };
        }
    }
    let weights = match data.weights.take() {
        Some(weights) => codes
            .iter()
            .zip(weights)
            .map(|(c, w)| w * factors[*c as usize] as f32)
            .collect(),
        None => codes.iter().map(|c| factors[*c as usize] as f32).collect(),
    };
    data.weights = Some(weights);
    Ok(())
}

/// Guards against data that cannot be learnt from.
pub(super) fn check_rows(data: &Data, options: &TrainOptions) -> Result<()> {
    let (train, eval) = (data.part(false).rows(), data.part(true).rows());
    if train < 2 {
        return Err(Error::user(
            SqlState::DATA_EXCEPTION,
            "a training needs at least two rows",
        ));
    }
    if let Target::Classes { codes, .. } = &data.target {
        let mut seen = codes
            .iter()
            .zip(data.held())
            .filter(|(_, held)| !**held)
            .map(|(code, _)| *code);
        let first = seen.next();
        if seen.all(|code| Some(code) == first) {
            return Err(Error::user(
                SqlState::DATA_EXCEPTION,
                "the training rows have one class only",
            )
            .hint("Use another split or another seed."));
        }
    }
    if options.patience.is_some() {
        if eval == 0 {
            return Err(Error::user(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                "early stopping needs held-out rows, and the split has none",
            )
            .hint("Set data_split_method, or leave early stopping out."));
        }
        if options
            .parameters
            .get("boosting")
            .is_some_and(|b| b == "dart")
        {
            return Err(bad(
                "early stopping does not work with booster_type = 'dart'",
            ));
        }
    }
    Ok(())
}
