//! The only place that talks to LightGBM's C library: data sets filled as a stream, a booster advanced round
//! by round, errors as texts.
//!
//! What the library imposes. Its number of threads is one per process and sizes its buffers, hence one
//! training at a time ([`TRAINING`]). Its log callback and its last error belong to the calling thread,
//! hence everything of a training happens on one. With `linear_tree` its streaming entry resizes the
//! raw values to the piece pushed and writes behind them, hence such data goes in as one matrix. Parameters
//! of the data set (bins, categories) count when it is made, hence the same text is given everywhere.
//! The sample that bins are found from is chosen by the library itself, over all rows, so that bins and
//! trees are those of a matrix in memory.

use super::dataset::Part;
use crate::error::{Error, Kind, Result};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use lightgbm3_sys as sys;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

/// Held while a training runs: the library's threads belong to the process.
pub static TRAINING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Values nearer to zero than this are zero to the library.
const ZERO: f64 = 1e-35_f32 as f64;
const F64: c_int = sys::C_API_DTYPE_FLOAT64 as c_int;
const F32: c_int = sys::C_API_DTYPE_FLOAT32 as c_int;
const NAME_BYTES: usize = 256;

/// Parameters by canonical name, with their other names.
pub fn aliases() -> Result<BTreeMap<String, Vec<String>>> {
    let text = text(|length, out_length, out| {
        // SAFETY: `out` has `length` bytes; the library writes no more and tells how many it needs.
        unsafe { sys::LGBM_DumpParamAliases(length, out_length, out) }
    })?;
    serde_json::from_str(&text)
        .map_err(|e| Error::internal(format!("the library's parameters do not parse: {e}")))
}

/// Whether an objective learns classes.
pub fn classifies(objective: &str) -> bool {
    matches!(objective, "binary" | "multiclass" | "multiclassova")
}

/// The library's own name of an objective.
///
/// # Errors
/// 22023 for unknown ones, 0A000 for rankings.
pub fn objective_name(name: &str) -> Result<String> {
    const NAMES: &[(&str, &[&str])] = &[
        (
            "regression",
            &[
                "regression_l2",
                "l2",
                "mean_squared_error",
                "mse",
                "l2_root",
                "root_mean_squared_error",
                "rmse",
            ],
        ),
        ("regression_l1", &["l1", "mean_absolute_error", "mae"]),
        ("huber", &[]),
        ("fair", &[]),
        ("poisson", &[]),
        ("quantile", &[]),
        ("mape", &["mean_absolute_percentage_error"]),
        ("gamma", &[]),
        ("tweedie", &[]),
        ("binary", &[]),
        ("multiclass", &["softmax"]),
        ("multiclassova", &["multiclass_ova", "ova", "ovr"]),
        ("cross_entropy", &["xentropy"]),
        ("cross_entropy_lambda", &["xentlambda"]),
    ];
    let folded = name.to_lowercase();
    if let Some((own, _)) = NAMES
        .iter()
        .find(|(own, others)| *own == folded || others.contains(&folded.as_str()))
    {
        return Ok((*own).to_owned());
    }
    if ["lambdarank", "rank_xendcg", "xendcg", "rank"].contains(&folded.as_str()) {
        return Err(Error::unsupported(
            "ranking objectives are not supported yet",
        ));
    }
    let error = super::options::bad(format!("unrecognized objective \"{name}\""));
    Err(match closest(&folded, NAMES.iter().map(|(own, _)| *own)) {
        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
        None => {
            let known: Vec<&str> = NAMES.iter().map(|(own, _)| *own).collect();
            error.hint(format!("Objectives are: {}.", known.join(", ")))
        }
    })
}

/// Whether more of a metric is better.
pub fn more_is_better(metric: &str) -> bool {
    let name = metric.split('@').next().unwrap_or(metric);
    matches!(
        name,
        "auc" | "auc_mu" | "average_precision" | "map" | "ndcg" | "r2"
    )
}

/// Binned data.
pub struct Dataset {
    handle: sys::DatasetHandle,
}

impl Dataset {
    /// Bins the rows of a part; a reference gives its bins, else they are found from a sample.
    pub fn build(
        part: &Part<'_>,
        parameters: &CStr,
        threads: u32,
        linear: bool,
        reference: Option<&Dataset>,
    ) -> Result<Self> {
        if linear {
            return Self::from_matrix(part, parameters, reference);
        }
        let dataset = match reference {
            Some(reference) => {
                let mut handle = ptr::null_mut();
                // SAFETY: the reference is alive and `handle` is a place for the new data set.
                check(unsafe {
                    sys::LGBM_DatasetCreateByReference(
                        reference.handle,
                        part.rows() as i64,
                        &mut handle,
                    )
                })?;
                Self { handle }
            }
            None => Self::from_sample(part, parameters)?,
        };
        // A data set by reference has room for weights when its reference has them, and refuses more.
        let weighted = i32::from(part.weighted() && reference.is_none());
        // SAFETY: the data set is alive; one thread pushes, and the library may use `threads` inside.
        check(unsafe {
            sys::LGBM_DatasetInitStreaming(dataset.handle, weighted, 0, 0, 1, 1, threads as i32)
        })?;
        part.each(&mut |chunk| {
            let weights = chunk.weights.map_or(ptr::null(), <[f32]>::as_ptr);
            // SAFETY: the values are rows of `columns` numbers, labels and weights one per row, and the rows
            // lie within those announced.
            check(unsafe {
                sys::LGBM_DatasetPushRowsWithMetadata(
                    dataset.handle,
                    chunk.values.as_ptr().cast::<c_void>(),
                    F64,
                    chunk.labels.len() as i32,
                    part.columns() as i32,
                    chunk.start as i32,
                    chunk.labels.as_ptr(),
                    weights,
                    ptr::null(),
                    ptr::null(),
                    0,
                )
            })
        })?;
        // SAFETY: all announced rows were pushed.
        check(unsafe { sys::LGBM_DatasetMarkFinished(dataset.handle) })?;
        Ok(dataset)
    }

    fn from_sample(part: &Part<'_>, parameters: &CStr) -> Result<Self> {
        let rows = part.rows() as i32;
        let mut count = 0;
        // SAFETY: `count` is a place for a number.
        check(unsafe { sys::LGBM_GetSampleCount(rows, parameters.as_ptr(), &mut count) })?;
        let mut picked = vec![0_i32; count.max(0) as usize];
        let mut length = 0;
        // SAFETY: the library fills at most the count it told.
        check(unsafe {
            sys::LGBM_SampleIndices(
                rows,
                parameters.as_ptr(),
                picked.as_mut_ptr().cast(),
                &mut length,
            )
        })?;
        picked.truncate(length.max(0) as usize);
        let columns = part.columns();
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); columns];
        let mut places: Vec<Vec<c_int>> = vec![Vec::new(); columns];
        let mut next = 0;
        part.each(&mut |chunk| {
            for (offset, row) in chunk.values.chunks_exact(columns).enumerate() {
                if picked
                    .get(next)
                    .is_none_or(|p| *p as usize != chunk.start + offset)
                {
                    continue;
                }
                for (column, value) in row.iter().enumerate() {
                    if value.abs() > ZERO || value.is_nan() {
                        values[column].push(*value);
                        places[column].push(next as c_int);
                    }
                }
                next += 1;
            }
            Ok(())
        })?;
        let counts: Vec<c_int> = values.iter().map(|v| v.len() as c_int).collect();
        let mut value_lists: Vec<*mut f64> = values.iter_mut().map(Vec::as_mut_ptr).collect();
        let mut place_lists: Vec<*mut c_int> = places.iter_mut().map(Vec::as_mut_ptr).collect();
        let mut handle = ptr::null_mut();
        // SAFETY: one list of values and one of places per column, of the lengths in `counts`.
        check(unsafe {
            sys::LGBM_DatasetCreateFromSampledColumn(
                value_lists.as_mut_ptr(),
                place_lists.as_mut_ptr(),
                columns as i32,
                counts.as_ptr(),
                picked.len() as i32,
                rows,
                i64::from(rows),
                parameters.as_ptr(),
                &mut handle,
            )
        })?;
        Ok(Self { handle })
    }

    /// All rows as one matrix in memory: linear trees keep the raw values anyway.
    fn from_matrix(
        part: &Part<'_>,
        parameters: &CStr,
        reference: Option<&Dataset>,
    ) -> Result<Self> {
        let mut values = Vec::with_capacity(part.rows() * part.columns());
        let (mut labels, mut weights) = (Vec::new(), Vec::new());
        part.each(&mut |chunk| {
            values.extend_from_slice(chunk.values);
            labels.extend_from_slice(chunk.labels);
            weights.extend_from_slice(chunk.weights.unwrap_or_default());
            Ok(())
        })?;
        let mut handle = ptr::null_mut();
        // SAFETY: the matrix has `rows * columns` numbers, row after row; the reference, if any, is alive.
        check(unsafe {
            sys::LGBM_DatasetCreateFromMat(
                values.as_ptr().cast::<c_void>(),
                F64,
                part.rows() as i32,
                part.columns() as i32,
                1,
                parameters.as_ptr(),
                reference.map_or(ptr::null_mut(), |r| r.handle),
                &mut handle,
            )
        })?;
        let dataset = Self { handle };
        dataset.field(c"label", &labels)?;
        if part.weighted() {
            dataset.field(c"weight", &weights)?;
        }
        Ok(dataset)
    }

    fn field(&self, name: &CStr, values: &[f32]) -> Result<()> {
        // SAFETY: the data set is alive and copies the values.
        check(unsafe {
            sys::LGBM_DatasetSetField(
                self.handle,
                name.as_ptr(),
                values.as_ptr().cast::<c_void>(),
                values.len() as c_int,
                F32,
            )
        })
    }
}

impl Drop for Dataset {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and not used again.
        unsafe { sys::LGBM_DatasetFree(self.handle) };
    }
}

/// A model in training; the data sets must outlive it.
pub struct Booster<'a> {
    handle: sys::BoosterHandle,
    _data: std::marker::PhantomData<&'a Dataset>,
}

impl<'a> Booster<'a> {
    /// A booster without trees.
    pub fn new(train: &'a Dataset, eval: Option<&'a Dataset>, parameters: &CStr) -> Result<Self> {
        listen();
        let mut handle = ptr::null_mut();
        // SAFETY: the data set outlives the booster, as its lifetime says.
        check(unsafe { sys::LGBM_BoosterCreate(train.handle, parameters.as_ptr(), &mut handle) })?;
        let booster = Self {
            handle,
            _data: std::marker::PhantomData,
        };
        if let Some(eval) = eval {
            // SAFETY: as above.
            check(unsafe { sys::LGBM_BoosterAddValidData(booster.handle, eval.handle) })?;
        }
        Ok(booster)
    }

    /// One more round; false when no further split was found.
    pub fn advance(&mut self) -> Result<bool> {
        let mut finished = 0;
        // SAFETY: the booster is alive.
        check(unsafe { sys::LGBM_BoosterUpdateOneIter(self.handle, &mut finished) })?;
        Ok(finished == 0)
    }

    /// Names of the metrics, in the order of [`Booster::eval`].
    pub fn metrics(&self) -> Result<Vec<String>> {
        let mut count = 0;
        // SAFETY: the booster is alive.
        check(unsafe { sys::LGBM_BoosterGetEvalCounts(self.handle, &mut count) })?;
        let mut buffers = vec![vec![0_u8; NAME_BYTES]; count.max(0) as usize];
        let mut pointers: Vec<*mut c_char> =
            buffers.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
        let (mut length, mut needed) = (0, 0);
        // SAFETY: `count` buffers of NAME_BYTES bytes each.
        check(unsafe {
            sys::LGBM_BoosterGetEvalNames(
                self.handle,
                count,
                &mut length,
                NAME_BYTES,
                &mut needed,
                pointers.as_mut_ptr(),
            )
        })?;
        let name = |b: &Vec<u8>| {
            let end = b.iter().position(|c| *c == 0).unwrap_or(b.len());
            String::from_utf8_lossy(&b[..end]).into_owned()
        };
        Ok(buffers
            .iter()
            .take(length.max(0) as usize)
            .map(name)
            .collect())
    }

    /// The metrics on a data set: 0 is the training data, 1 the held-out rows.
    pub fn eval(&self, dataset: c_int, metrics: usize) -> Result<Vec<f64>> {
        let mut values = vec![0.0; metrics];
        let mut length = 0;
        // SAFETY: the library writes one number per metric, and `metrics` is its own count of them.
        check(unsafe {
            sys::LGBM_BoosterGetEval(self.handle, dataset, &mut length, values.as_mut_ptr())
        })?;
        values.truncate(length.max(0) as usize);
        Ok(values)
    }

    /// The model's text with the first `iterations` rounds.
    pub fn save(&self, iterations: u32) -> Result<String> {
        text(|length, out_length, out| {
            // SAFETY: `out` has `length` bytes; the library writes no more and tells how many it needs.
            unsafe {
                sys::LGBM_BoosterSaveModelToString(
                    self.handle,
                    0,
                    iterations as c_int,
                    0,
                    length,
                    out_length,
                    out,
                )
            }
        })
    }

    /// What each feature gained in the first `iterations` rounds, and how many splits it has.
    pub fn importance(&self, iterations: u32, columns: usize) -> Result<Vec<(f64, f64)>> {
        let (mut splits, mut gains) = (vec![0.0; columns], vec![0.0; columns]);
        // SAFETY: the library writes one number per feature.
        check(unsafe {
            sys::LGBM_BoosterFeatureImportance(
                self.handle,
                iterations as c_int,
                0,
                splits.as_mut_ptr(),
            )
        })?;
        // SAFETY: as above.
        check(unsafe {
            sys::LGBM_BoosterFeatureImportance(
                self.handle,
                iterations as c_int,
                1,
                gains.as_mut_ptr(),
            )
        })?;
        Ok(gains.into_iter().zip(splits).collect())
    }
}

impl Drop for Booster<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and not used again.
        unsafe { sys::LGBM_BoosterFree(self.handle) };
    }
}

/// Sends the library's messages on this thread to the log.
pub fn listen() {
    unsafe extern "C" fn heard(message: *const c_char) {
        if message.is_null() {
            return;
        }
        // SAFETY: the library gives text that ends with a NUL and lives during the call.
        let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
        let message = message.trim();
        if !message.is_empty() {
            tracing::debug!(target: "alcedo::lightgbm", "{message}");
        }
    }
    // SAFETY: the function lives as long as the program. The call cannot fail.
    unsafe { sys::LGBM_RegisterLogCallback(Some(heard)) };
}

/// Parameters as the library takes them.
pub fn parameters(parameters: &BTreeMap<String, String>) -> Result<CString> {
    let words: Vec<String> = parameters
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    CString::new(words.join(" "))
        .map_err(|_| super::options::bad("an option's value has a NUL character"))
}

/// Text that the library copies out: asked for again when the first buffer was too small.
fn text(copy: impl Fn(i64, &mut i64, *mut c_char) -> c_int) -> Result<String> {
    let mut buffer = vec![0_u8; 1 << 16];
    let mut length = 0_i64;
    check(copy(
        buffer.len() as i64,
        &mut length,
        buffer.as_mut_ptr().cast(),
    ))?;
    if length > buffer.len() as i64 {
        buffer.resize(length as usize, 0);
        check(copy(
            buffer.len() as i64,
            &mut length,
            buffer.as_mut_ptr().cast(),
        ))?;
    }
    // The length counts the closing NUL.
    buffer.truncate(usize::try_from(length - 1).unwrap_or(0));
    String::from_utf8(buffer)
        .map_err(|_| Error::internal("the library gave text that is not UTF-8"))
}

/// The library's answer: 0, or an error whose text is kept for this thread.
fn check(answer: c_int) -> Result<()> {
    if answer == 0 {
        return Ok(());
    }
    // SAFETY: the text belongs to this thread and stays until its next failing call.
    let message = unsafe { CStr::from_ptr(sys::LGBM_GetLastError()) }.to_string_lossy();
    // Where it was found in the library's sources is nobody's business.
    let message = message.split(" at /").next().unwrap_or_default();
    let message = message.trim().trim_end_matches(['.', ' ']);
    let lower = message.to_lowercase();
    if lower.contains("bad allocation") || lower.contains("bad_alloc") {
        return Err(Error::new(
            Kind::Unavailable,
            SqlState::OUT_OF_MEMORY,
            "out of memory for this training",
        ));
    }
    // What reaches the library is checked rows and checked names, so what it refuses is an option's value.
    Err(Error::user(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("LightGBM refuses the training: {message}"),
    ))
}
