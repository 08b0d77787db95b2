//! Rules for single files: size, header, name, and words that must not stay.

use super::{none, root, sources, walk};

/// Lines above the unit tests.
const LINES_MAX: usize = 600;

/// Longer files, each with its reason.
const LONGER: &[(&str, &str)] = &[];

/// Names that say nothing.
const NAMELESS: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "misc", "manager", "v2", "stuff", "types2",
];

/// All packages of the lock file, ours included.
const PACKAGES_MAX: usize = 543;

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.production().lines().count();
        if lines > LINES_MAX && !LONGER.iter().any(|(path, _)| *path == source.path) {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
    }
    none(
        &wrong,
        "split by subject (80 to 300 lines is the aim, 600 the limit), or give the reason in LONGER",
    );
}

#[test]
fn files_begin_by_saying_what_lives_there() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|s| !s.text.starts_with("//! "))
        .map(|s| s.path.clone())
        .collect();
    none(&wrong, "line 1 is `//!`: what lives here and why");
}

#[test]
fn names_say_something() {
    let mut wrong = Vec::new();
    for source in sources() {
        let parts = source.path.trim_end_matches(".rs").split('/');
        if let Some(name) = parts.into_iter().find(|p| NAMELESS.contains(p)) {
            wrong.push(format!("{}: `{name}` is no subject", source.path));
        }
    }
    none(
        &wrong,
        "name the file after what it does, and move the rest to where it belongs",
    );
}

#[test]
fn nothing_is_left_for_later() {
    let mut wrong = Vec::new();
    for source in sources() {
        let code = super::strip(&source.text);
        for macro_name in ["todo!", "unimplemented!", "dbg!"] {
            if code.contains(macro_name) {
                wrong.push(format!("{}: {macro_name}", source.path));
            }
        }
        if code.contains("#[ignore]") || code.contains("#[ignore =") {
            wrong.push(format!("{}: an ignored test", source.path));
        }
        let notes = ["TODO", "FIXME", "XXX"];
        let found = source
            .text
            .lines()
            .find(|l| notes.iter().any(|n| l.contains(&format!("// {n}"))));
        if let Some(line) = found {
            wrong.push(format!("{}: {}", source.path, line.trim()));
        }
    }
    none(
        &wrong,
        "do it, or leave it out with an error that names the feature (0A000), and file an issue",
    );
}

#[test]
fn dependencies_stay_few() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is kept");
    let packages = lock.lines().filter(|l| *l == "[[package]]").count();
    assert!(
        packages <= PACKAGES_MAX,
        "{packages} packages, {PACKAGES_MAX} are allowed\n→ look for features to leave out; if the new one is worth its \
         weight, raise PACKAGES_MAX in a commit that says what it costs to build"
    );
    for only_once in ["arrow", "datafusion", "object_store", "sqlparser", "rustls"] {
        let versions = lock.matches(&format!("\nname = \"{only_once}\"\n")).count();
        assert!(
            versions <= 1,
            "{versions} versions of {only_once}\n→ align the versions in Cargo.toml"
        );
    }
}

/// Folders and hosts of one machine mean nothing on another.
#[test]
fn nothing_names_a_machine() {
    const FOLDERS: [&str; 4] = ["/root/", "/home/", "/work/", "/Users/"];
    const HOSTS: &[&str] = &[
        "127.0.0.1",
        "localhost",
        "apache.org",
        "rust-lang.org",
        "postgresql.org",
        "w3.org",
        "example.com",
        "maven.apache.org",
        "www.apache.org",
        "www.rust-lang.org",
        "www.postgresql.org",
        "www.w3.org",
    ];
    let mut wrong = Vec::new();
    let mut check = |path: &std::path::Path| {
        let name = super::relative(path);
        let Ok(text) = std::fs::read_to_string(path) else {
            return;
        };
        if name.ends_with("Cargo.lock") || name == "LICENSE" || name == "tests/it/tidy/files.rs" {
            return;
        }
        for (number, line) in text.lines().enumerate() {
            let folder = FOLDERS
                .iter()
                .find(|f| line.contains(*f) && !line.contains("/home/alcedo"));
            let host =
                line.split("://")
                    .skip(1)
                    .zip(line.split("://"))
                    .find_map(|(after, before)| {
                        let scheme = before
                            .rsplit(|c: char| !c.is_alphanumeric())
                            .next()
                            .unwrap_or("");
                        let host = after
                            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')))
                            .next()
                            .unwrap_or("");
                        (scheme.starts_with("http") && host.contains('.') && !HOSTS.contains(&host))
                            .then_some(host)
                    });
            if let Some(what) = folder.copied().or(host) {
                wrong.push(format!("{name}:{}: {what}", number + 1));
            }
        }
    };
    walk(&root(), &mut check);
    for script in [
        ".ci/env",
        ".ci/install",
        ".ci/run",
        ".ci/lint",
        ".cargo/config.toml",
    ] {
        check(&root().join(script));
    }
    none(
        &wrong,
        "use a path inside the checkout, a temporary folder or a variable; hosts of the project's own kind go into HOSTS",
    );
}
