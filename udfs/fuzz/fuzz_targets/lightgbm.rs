//! Any bytes as a LightGBM model.
#![no_main]

mod scoring;

use alcedo_udfs::score::{self, Scorer};
use alcedo_udfs::score::forest::iterations::cut;
use alcedo_udfs::score::forest::parse::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(("lightgbm", scorer)) = score::load(bytes) {
        let forest = parse(bytes).expect("it has been loaded");
        scoring::check(bytes, &forest, scorer.as_ref());
        if let Ok(cut) = cut(bytes, bytes.len() % 3, Some(1)) {
            let left = parse(cut.as_bytes()).expect("what is left is a model");
            assert_eq!(left.trees().len(), forest.outputs());
        }
    }
});
