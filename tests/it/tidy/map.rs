//! The tree drawn in ARCHITECTURE.md is the tree on the disk.

use std::collections::BTreeSet;

use super::{CRATES, none, relative, root, walk};

/// The top level of the checkout, as the README and ARCHITECTURE.md promise it.
const TOP: &[&str] = &[
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "engine",
    "server",
    "sql",
    "tests",
    "udfs",
];

#[test]
fn the_top_level_is_fixed() {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(root()).expect("the checkout can be read") {
        let name = entry
            .expect("the checkout can be read")
            .file_name()
            .to_string_lossy()
            .into_owned();
        if !name.starts_with('.') && name != "target" && !TOP.contains(&name.as_str()) {
            wrong.push(name);
        }
    }
    none(
        &wrong,
        "the top level is part of the house: put it into one of the crates",
    );
}

/// Paths that the code map names: the fenced block whose lines without indentation are folders of the checkout, and
/// below each of them lines that begin with names.
fn drawn() -> BTreeSet<String> {
    let text =
        std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let mut paths = BTreeSet::new();
    for block in text.split("\n```").skip(1).step_by(2) {
        let mut folder = String::new();
        for line in block.lines().skip(1) {
            let names = line
                .split_whitespace()
                .take_while(|w| w.ends_with('/') || w.ends_with(".rs"));
            if line.starts_with(' ') && !folder.is_empty() {
                paths.extend(names.map(|name| format!("{folder}/{}", name.trim_end_matches('/'))));
            } else {
                let head = line
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .trim_end_matches('/');
                let known = CRATES.contains(&head.split('/').next().unwrap_or_default());
                folder = if known {
                    head.to_owned()
                } else {
                    String::new()
                };
                paths.extend(known.then(|| head.to_owned()));
            }
        }
    }
    paths
}

#[test]
fn the_map_shows_what_is_there() {
    let drawn = drawn();
    assert!(
        !drawn.is_empty(),
        "ARCHITECTURE.md draws no tree\n→ a fenced block: a folder, below it indented names"
    );
    let missing: Vec<String> = drawn
        .iter()
        .filter(|p| !root().join(p).exists())
        .cloned()
        .collect();
    none(
        &missing,
        "ARCHITECTURE.md draws what is not there: mend the tree",
    );
}

#[test]
fn the_map_shows_every_folder() {
    let drawn = drawn();
    let mut folders = BTreeSet::new();
    for folder in CRATES {
        walk(&root().join(folder), &mut |path| {
            if path.extension().is_some_and(|e| e == "rs") {
                let parent = path.parent().expect("a file lies in a folder");
                folders.insert(relative(parent));
            }
        });
    }
    let wrong: Vec<String> = folders.into_iter().filter(|f| !drawn.contains(f)).collect();
    none(
        &wrong,
        "a folder that ARCHITECTURE.md does not show: one line there says what lives in it",
    );
}
