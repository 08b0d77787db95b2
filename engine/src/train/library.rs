//! Options that are parameters of the library: their canonical names, those that are refused, and their text.

use super::lightgbm;
use super::options::{OURS, bad};
use crate::error::{Error, Result};
use alcedo_sql::options::{OptionEntry, Options, Value, closest};
use std::collections::BTreeMap;

/// BigQuery's and scikit-learn's names of LightGBM parameters that LightGBM does not know itself.
const RENAMED: &[(&str, &str)] = &[
    ("max_iterations", "num_iterations"),
    ("learn_rate", "learning_rate"),
    ("max_tree_depth", "max_depth"),
    ("l1_reg", "lambda_l1"),
    ("l2_reg", "lambda_l2"),
    ("colsample_bylevel", "feature_fraction_bynode"),
    ("colsample_bynode", "feature_fraction_bynode"),
    ("min_tree_child_weight", "min_sum_hessian_in_leaf"),
    ("tree_learner_type", "tree_learner"),
    ("booster_type", "boosting"),
];

/// Parameters that open a file, reach the network or choose another program part.
const FORBIDDEN: &[&str] = &[
    "config",
    "data",
    "valid",
    "input_model",
    "output_model",
    "output_result",
    "convert_model",
    "convert_model_language",
    "forcedsplits_filename",
    "forcedbins_filename",
    "machines",
    "machine_list_filename",
    "local_listen_port",
    "num_machines",
    "time_out",
    "snapshot_freq",
    "save_binary",
    "saved_feature_importance_type",
    "parser_config_file",
    "position_filename",
    "initscore_filename",
    "valid_data_initscores",
    "two_round",
    "header",
    "task",
    "device_type",
    "gpu_platform_id",
    "gpu_device_id",
    "gpu_device_id_list",
    "gpu_use_dp",
    "num_gpu",
    "tree_learner",
    "precise_float_parser",
    "pre_partition",
    "ignore_column",
    "label_column",
    "weight_column",
    "num_class",
    "predict_leaf_index",
    "predict_contrib",
    "predict_raw_score",
    "start_iteration_predict",
    "num_iteration_predict",
    "predict_disable_shape_check",
    "pred_early_stop",
    "pred_early_stop_freq",
    "pred_early_stop_margin",
    "metric_freq",
    "is_provide_training_metric",
    "refit_decay_rate",
];

const RANKING: &[&str] = &[
    "group_col",
    "group_column",
    "init_score_col",
    "label_gain",
    "lambdarank_truncation_level",
    "eval_at",
];

/// What is left as parameters of the library, by their canonical names.
pub(super) fn library(options: Options) -> Result<BTreeMap<String, String>> {
    let aliases = lightgbm::aliases()?;
    let canonical = |key: &str| {
        let renamed = RENAMED
            .iter()
            .find(|(ours, _)| *ours == key)
            .map(|(_, theirs)| *theirs);
        let key = renamed.unwrap_or(key);
        let by_alias = || {
            aliases
                .iter()
                .find(|(_, others)| others.iter().any(|a| a == key))
                .map(|(n, _)| n.clone())
        };
        aliases
            .contains_key(key)
            .then(|| key.to_owned())
            .or_else(by_alias)
    };
    let mut parameters = BTreeMap::new();
    for entry in options.entries {
        if RANKING.contains(&entry.key.as_str()) {
            return Err(Error::unsupported(format!(
                "option \"{}\" is not supported yet",
                entry.key
            ))
            .at(entry.position));
        }
        let name = canonical(&entry.key).ok_or_else(|| unknown(&entry, &aliases))?;
        if FORBIDDEN.contains(&name.as_str()) {
            let text = format!("option \"{}\" cannot be set", entry.key);
            return Err(bad(text)
                .detail("Parameters that open files or the network, and those that the engine decides, are refused.")
                .at(entry.position));
        }
        let value = if name == "boosting" {
            boosting(&entry)?
        } else if name == "metric" {
            metric(&entry)?
        } else {
            rendered(&entry)?
        };
        if entry.key == "subsample" {
            parameters
                .entry("bagging_freq".to_owned())
                .or_insert_with(|| "1".to_owned());
        }
        let given = parameters.insert(name.clone(), value).is_some();
        if given && name != "bagging_freq" {
            return Err(bad(format!(
                "option \"{name}\" is given twice, also as \"{}\"",
                entry.key
            ))
            .at(entry.position));
        }
    }
    Ok(parameters)
}

fn unknown(entry: &OptionEntry, aliases: &BTreeMap<String, Vec<String>>) -> Error {
    let error = bad(format!("unrecognized model option \"{}\"", entry.key)).at(entry.position);
    let ours = OURS.iter().flat_map(|names| names.iter().copied());
    let renamed = RENAMED.iter().map(|(name, _)| *name);
    let theirs = aliases.iter().flat_map(|(name, others)| {
        std::iter::once(name.as_str()).chain(others.iter().map(String::as_str))
    });
    let allowed = theirs.filter(|n| !FORBIDDEN.contains(n));
    match closest(&entry.key, ours.chain(renamed).chain(allowed)) {
        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
        None => error.hint("LightGBM's parameters go by their own names; label, task, data_split_method and others are Alcedo's."),
    }
}

fn boosting(entry: &OptionEntry) -> Result<String> {
    let text = rendered(entry)?.to_lowercase();
    match text.as_str() {
        "gbtree" | "gbdt" | "gbrt" => Ok("gbdt".into()),
        "dart" => Ok(text),
        "rf" | "random_forest" => Ok("rf".into()),
        "goss" => Err(bad("boosting \"goss\" is data_sample_strategy = 'goss'").at(entry.position)),
        _ => Err(bad(format!("unrecognized booster type \"{text}\""))
            .hint("Booster types are: gbtree, dart, rf.")
            .at(entry.position)),
    }
}

/// Metrics by the library's names, which leaves out silently what it does not know.
const METRICS: &[&str] = &[
    "auc",
    "auc_mu",
    "average_precision",
    "binary",
    "binary_error",
    "binary_logloss",
    "cross_entropy",
    "cross_entropy_lambda",
    "custom",
    "fair",
    "gamma",
    "gamma_deviance",
    "huber",
    "kldiv",
    "kullback_leibler",
    "l1",
    "l2",
    "l2_root",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mse",
    "multi_error",
    "multi_logloss",
    "multiclass",
    "multiclass_ova",
    "multiclassova",
    "na",
    "none",
    "null",
    "ova",
    "ovr",
    "poisson",
    "quantile",
    "r2",
    "regression",
    "regression_l1",
    "regression_l2",
    "rmse",
    "root_mean_squared_error",
    "softmax",
    "tweedie",
    "xentlambda",
    "xentropy",
];

fn metric(entry: &OptionEntry) -> Result<String> {
    let text = rendered(entry)?.to_lowercase();
    let unknown = text
        .split(',')
        .find(|name| !name.is_empty() && !METRICS.contains(name));
    let Some(name) = unknown else {
        return Ok(text);
    };
    let error = bad(format!("unrecognized metric \"{name}\"")).at(entry.position);
    Err(match closest(name, METRICS.iter().copied()) {
        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
        None => error.hint("Metrics are those of LightGBM, such as auc, binary_logloss, rmse, l1 or multi_logloss."),
    })
}

/// A value as the library reads it: lists with commas, inner lists in brackets, no blanks.
fn rendered(entry: &OptionEntry) -> Result<String> {
    fn text(value: &Value, inner: bool) -> Option<String> {
        match value {
            Value::List(items) => {
                let parts: Option<Vec<String>> = items.iter().map(|v| text(v, true)).collect();
                let joined = parts?.join(",");
                Some(if inner { format!("[{joined}]") } else { joined })
            }
            other => other.as_text(),
        }
    }
    if let Value::Call(name, _) = &entry.value {
        return Err(
            Error::unsupported(format!("{name} is not supported: options take one value"))
                .at(entry.position),
        );
    }
    let value = text(&entry.value, false).filter(|t| !t.is_empty());
    let value = value.filter(|t| {
        !t.chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '=' || c == '#')
    });
    value.ok_or_else(|| {
        bad(format!(
            "option \"{}\" has a value that cannot be used",
            entry.key
        ))
        .at(entry.position)
    })
}
