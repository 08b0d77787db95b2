//! Any bytes as a LightGBM model.
#![no_main]

mod scoring;

use alcedo_udfs::score;
use alcedo_udfs::score::forest::parse::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(("lightgbm", scorer)) = score::load(bytes) {
        let forest = parse(bytes).expect("it has been loaded");
        scoring::check(bytes, &forest, scorer.as_ref());
    }
});
