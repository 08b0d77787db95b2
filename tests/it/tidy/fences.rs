//! Who may use what: crates that only one room knows, what pure code may not touch, and the engine's layers.

use super::{has_word, none, sources};

/// A name that only the listed places may use: crate, places (the beginning of a path), reason.
const ONLY: &[(&str, &[&str], &str)] = &[
    (
        "sqlparser",
        &[
            "sql/",
            "engine/src/query/",
            "engine/src/exec/",
            "engine/src/session/",
            "engine/src/error.rs",
        ],
        "the syntax tree is the dialect's and the planner's",
    ),
    (
        "datafusion",
        &["engine/"],
        "everybody else speaks to a Session",
    ),
    (
        "deltalake_core",
        &[
            "engine/src/lake/",
            "engine/src/exec/",
            "engine/src/source/",
            "engine/src/catalog/",
        ],
        "Delta is how managed tables are kept",
    ),
    (
        "object_store",
        &["engine/"],
        "files are reached through the engine's registry",
    ),
    (
        "rdkafka",
        &[
            "engine/src/source/",
            "server/src/demo",
            "tests/",
            "benches/",
        ],
        "Kafka is a source",
    ),
    (
        "lightgbm3_sys",
        &["engine/src/train/", "benches/"],
        "LightGBM is a trainer; scoring is our own",
    ),
    (
        "prost",
        &["udfs/src/score/onnx/"],
        "one kind of model file is a protocol buffer",
    ),
    (
        "pgwire",
        &[
            "server/src/wire/",
            "server/src/encode/",
            "server/src/errors.rs",
        ],
        "one room speaks Postgres",
    ),
    (
        "ErrorResponse",
        &["server/src/errors.rs", "server/src/wire/"],
        "one place turns errors into messages",
    ),
    ("axum", &["server/src/http"], "one room speaks HTTP"),
    ("clap", &["server/"], "only the binary has flags"),
    (
        "toml",
        &["server/src/config"],
        "only the binary reads files of settings",
    ),
    (
        "rustyline",
        &["server/src/shell"],
        "only the shell reads keys",
    ),
    (
        "alcedo_server",
        &["server/", "benches/"],
        "nothing depends on the server",
    ),
    (
        "alcedo_engine",
        &["engine/", "server/", "benches/"],
        "sql and udfs know no engine; the tests run the binary",
    ),
    ("sqllogictest", &["tests/"], "a test client"),
    ("tokio_postgres", &["tests/", "benches/"], "a test client"),
];

/// What the pure crates do not touch: no input or output, no waiting, no clock, no state of the process.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "tokio",
    "SystemTime",
    "Instant",
    "async",
    "println!",
    "eprintln!",
];

/// The engine's modules from the top down; a module may use what stands below it.
const LAYERS: &[&str] = &[
    "session", "exec", "job", "stream", "train", "query", "view", "model", "lake", "source",
    "format", "catalog",
];

/// Below all layers, used by all of them and by each other.
const GROUND: &[&str] = &["config", "error", "clock", "metrics", "types"];

#[test]
fn crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for source in sources() {
        let code = super::strip(&source.text);
        for (name, places, reason) in ONLY {
            if !places.iter().any(|p| source.path.starts_with(p))
                && has_word(&code, name)
                && uses(&code, name)
            {
                wrong.push(format!("{}: {name} ({reason})", source.path));
            }
        }
    }
    none(
        &wrong,
        "ask the room that knows it; a new arrow changes ARCHITECTURE.md and ONLY in a commit of its own",
    );
}

/// A crate is used by a path that begins with it; a type by its name.
fn uses(code: &str, name: &str) -> bool {
    name.starts_with(char::is_uppercase)
        || code.match_indices(name).any(|(at, _)| {
            let before = code[..at].trim_end();
            let after = code[at + name.len()..].trim_start();
            let path_start =
                !before.ends_with("::") && !before.ends_with('.') && !before.ends_with(['_', '$']);
            path_start
                && (after.starts_with("::")
                    || (before.ends_with("use") && after.starts_with([';', ' '])))
        })
}

#[test]
fn pure_crates_touch_nothing() {
    let mut wrong = Vec::new();
    for source in sources() {
        let pure = source.path.starts_with("sql/src/") || source.path.starts_with("udfs/src/");
        let test = source.path.contains("/tests")
            || source.path.ends_with("tests.rs")
            || source.path.ends_with("golden.rs");
        if !pure || test {
            continue;
        }
        let code = source.code();
        let found = IMPURE
            .iter()
            .filter(|name| code.contains(*name) && has_word(&code, name.trim_end_matches('!')));
        wrong.extend(found.map(|name| format!("{}: {name}", source.path)));
    }
    none(
        &wrong,
        "sql and udfs compute; what needs the outside world belongs to engine or server",
    );
}

#[test]
fn one_place_asks_for_the_time() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.path.starts_with("engine/src/") || source.path == "engine/src/clock.rs" {
            continue;
        }
        let code = source.code();
        for call in [
            "SystemTime::now",
            "Utc::now",
            "Local::now",
            "UNIX_EPOCH.elapsed",
        ] {
            if code.contains(call) {
                wrong.push(format!("{}: {call}", source.path));
            }
        }
    }
    none(
        &wrong,
        "take the time from the Clock that Engine::open was given, so that tests can set it",
    );
}

#[test]
fn the_engine_has_layers() {
    let mut wrong = Vec::new();
    let rank = |module: &str| LAYERS.iter().position(|l| *l == module);
    for source in sources() {
        let Some(inside) = source.path.strip_prefix("engine/src/") else {
            continue;
        };
        let home = inside.split(['/', '.']).next().unwrap_or_default();
        if home == "lib" {
            continue;
        }
        assert!(
            rank(home).is_some() || GROUND.contains(&home),
            "engine/src/{home} is in no layer\n→ say in LAYERS or GROUND where it stands, and in ARCHITECTURE.md"
        );
        for used in crate_paths(&source.code()) {
            let downwards = match (rank(home), rank(&used)) {
                (_, None) => {
                    GROUND.contains(&used.as_str()) || !used.starts_with(char::is_lowercase)
                }
                (Some(here), Some(there)) => here <= there,
                (None, Some(_)) => false,
            };
            if !downwards {
                wrong.push(format!("{}: {home} may not use crate::{used}", source.path));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    none(
        &wrong,
        "arrows point down: hand the lower module a value or a closure instead of letting it call upwards",
    );
}

/// The first names of the paths that begin with `crate::`, also inside braces.
fn crate_paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with("pub(in ") {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let name = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        let Some(list) = rest.strip_prefix('{') else {
            found.push(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (i, c) in list.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && !c.is_whitespace() => {
                    found.push(name(&list[i..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn paths_are_found() {
    let code = "use crate::a::b; use crate::{c, d::{e, f}, G}; crate::h::i(); pub(crate) fn x() {}";
    assert_eq!(crate_paths(code), ["a", "c", "d", "G", "h"]);
    assert!(uses("use datafusion::a;", "datafusion") && uses("use toml;", "toml"));
    assert!(!uses("x.toml::<A>()", "toml") && !uses("a::datafusion::b", "datafusion"));
}
