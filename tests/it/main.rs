//! The one integration test binary: every module is a subject. The tests run the built `alcedo` (`ALCEDO_BIN`) and do
//! not link the engine. `tests/run` starts it; `tests/run PART` runs the tests whose names begin with PART.

#![allow(clippy::unwrap_used, clippy::too_many_lines)]

mod cli;
mod clients;
mod demo;
mod harness;
mod kafka;
mod kill;
mod lightgbm;
mod protocol;
mod s3;
mod slt;
mod tidy;
mod wire;

/// A file that nobody names in a `mod` line would be neither compiled nor run.
#[test]
fn no_file_is_forgotten() {
    for (folder, list) in [
        ("", include_str!("main.rs")),
        ("harness/", include_str!("harness/mod.rs")),
        ("kafka/", include_str!("kafka/mod.rs")),
    ] {
        let path = harness::root().join("tests/it").join(folder);
        for entry in std::fs::read_dir(path).expect("the tests' own folder is there") {
            let name = entry
                .expect("the folder can be read")
                .file_name()
                .into_string()
                .expect("names are UTF-8");
            let Some(module) = name.strip_suffix(".rs") else {
                continue;
            };
            if module != "main" && module != "mod" {
                let named = list
                    .lines()
                    .any(|l| l.trim_start_matches("pub ") == format!("mod {module};"));
                assert!(
                    named,
                    "tests/it/{folder}{name} is in no `mod` line and so never runs: name it there"
                );
            }
        }
    }
}
