//! The rival of scoring: LightGBM's C API, which also trains the models that are compared.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use lightgbm3_sys as sys;

use super::Outcome;

const F64: c_int = sys::C_API_DTYPE_FLOAT64 as c_int;
const F32: c_int = sys::C_API_DTYPE_FLOAT32 as c_int;
const RAW: c_int = sys::C_API_PREDICT_RAW_SCORE as c_int;

/// Rows of numbers, one row after the other.
pub struct Matrix {
    /// `rows * columns` numbers.
    pub values: Vec<f64>,
    /// Numbers of a row.
    pub columns: usize,
}

impl Matrix {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }
}

/// Trains and gives the model's text.
pub fn train(data: &Matrix, labels: &[f32], parameters: &str, rounds: usize) -> Outcome<String> {
    assert_eq!(data.rows(), labels.len(), "one label per row");
    let parameters = CString::new(format!("{parameters} verbosity=-1"))?;
    let (mut dataset, mut booster) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the matrix has rows * columns numbers, row after row; `dataset` is a place for the handle.
    check(unsafe {
        sys::LGBM_DatasetCreateFromMat(
            data.values.as_ptr().cast::<c_void>(),
            F64,
            c_int::try_from(data.rows())?,
            c_int::try_from(data.columns)?,
            1,
            parameters.as_ptr(),
            ptr::null_mut(),
            &mut dataset,
        )
    })?;
    let count = c_int::try_from(labels.len())?;
    // SAFETY: `count` labels are there and are copied.
    check(unsafe {
        sys::LGBM_DatasetSetField(
            dataset,
            c"label".as_ptr(),
            labels.as_ptr().cast(),
            count,
            F32,
        )
    })?;
    // SAFETY: the data set lives until after the booster.
    check(unsafe { sys::LGBM_BoosterCreate(dataset, parameters.as_ptr(), &mut booster) })?;
    let mut finished = 0;
    for _ in 0..rounds {
        // SAFETY: the booster is alive.
        check(unsafe { sys::LGBM_BoosterUpdateOneIter(booster, &mut finished) })?;
    }
    let text = text(booster)?;
    // SAFETY: both handles are ours and not used again, the booster first.
    unsafe {
        sys::LGBM_BoosterFree(booster);
        sys::LGBM_DatasetFree(dataset);
    }
    Ok(text)
}

fn text(booster: sys::BoosterHandle) -> Outcome<String> {
    let mut buffer = vec![0_u8; 64 << 20];
    let (mut length, size) = (0, i64::try_from(buffer.len())?);
    // SAFETY: the library writes no more than `size` bytes and tells how many it needs.
    check(unsafe {
        sys::LGBM_BoosterSaveModelToString(
            booster,
            0,
            -1,
            0,
            size,
            &mut length,
            buffer.as_mut_ptr().cast::<c_char>(),
        )
    })?;
    // The length counts the closing NUL.
    buffer.truncate(usize::try_from(length - 1)?);
    Ok(String::from_utf8(buffer)?)
}

/// A model that LightGBM has loaded from its text.
pub struct Booster(sys::BoosterHandle);

impl Booster {
    /// Loads a model.
    pub fn load(text: &str) -> Outcome<Booster> {
        let text = CString::new(text)?;
        let (mut handle, mut rounds) = (ptr::null_mut(), 0);
        // SAFETY: the text ends with a NUL; both others are places for answers.
        check(unsafe {
            sys::LGBM_BoosterLoadModelFromString(text.as_ptr(), &mut rounds, &mut handle)
        })?;
        Ok(Booster(handle))
    }

    /// Raw scores of all rows by one thread, row after row.
    pub fn score(&self, data: &Matrix, out: &mut [f64]) -> Outcome<()> {
        let mut length = 0;
        // SAFETY: the matrix has rows * columns numbers; `out` has a place for every score, which is checked below
        // against what the library says it wrote.
        check(unsafe {
            sys::LGBM_BoosterPredictForMat(
                self.0,
                data.values.as_ptr().cast::<c_void>(),
                F64,
                c_int::try_from(data.rows())?,
                c_int::try_from(data.columns)?,
                1,
                RAW,
                0,
                -1,
                c"num_threads=1 verbosity=-1".as_ptr(),
                &mut length,
                out.as_mut_ptr(),
            )
        })?;
        if usize::try_from(length)? != out.len() {
            return Err(format!(
                "LightGBM wrote {length} scores, {} were expected",
                out.len()
            )
            .into());
        }
        Ok(())
    }
}

/// A booster set up for one row at a time, LightGBM's fastest way.
pub struct SingleRow<'a> {
    handle: sys::FastConfigHandle,
    _booster: &'a Booster,
}

impl Booster {
    /// Sets up raw scores of single rows of `columns` numbers by one thread.
    pub fn single_row(&self, columns: usize) -> Outcome<SingleRow<'_>> {
        let mut handle = ptr::null_mut();
        // SAFETY: the parameters end with a NUL; `handle` is a place for the answer.
        check(unsafe {
            sys::LGBM_BoosterPredictForMatSingleRowFastInit(
                self.0,
                RAW,
                0,
                -1,
                F64,
                i32::try_from(columns)?,
                c"num_threads=1 verbosity=-1".as_ptr(),
                &mut handle,
            )
        })?;
        Ok(SingleRow {
            handle,
            _booster: self,
        })
    }
}

impl SingleRow<'_> {
    /// The raw score of a row of a model with one output.
    pub fn score(&self, row: &[f64]) -> Outcome<f64> {
        let (mut length, mut score) = (0, 0.0);
        // SAFETY: the row has as many numbers as was set up; a model with one output writes one number.
        check(unsafe {
            sys::LGBM_BoosterPredictForMatSingleRowFast(
                self.handle,
                row.as_ptr().cast::<c_void>(),
                &mut length,
                &mut score,
            )
        })?;
        Ok(score)
    }
}

impl Drop for SingleRow<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and not used again.
        unsafe { sys::LGBM_FastConfigFree(self.handle) };
    }
}

impl Drop for Booster {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and not used again.
        unsafe { sys::LGBM_BoosterFree(self.0) };
    }
}

fn check(answer: c_int) -> Outcome<()> {
    if answer == 0 {
        return Ok(());
    }
    // SAFETY: the text belongs to this thread and stays until its next failing call.
    let message = unsafe { CStr::from_ptr(sys::LGBM_GetLastError()) };
    Err(format!("LightGBM: {}", message.to_string_lossy()).into())
}
