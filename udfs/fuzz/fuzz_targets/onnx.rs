//! Any bytes as an ONNX model.
#![no_main]

mod scoring;

use alcedo_udfs::score;
use alcedo_udfs::score::onnx::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(("onnx", scorer)) = score::load(bytes) {
        let model = parse(bytes).expect("it has been loaded");
        scoring::check(bytes, &model.forest, scorer.as_ref());
    }
});
