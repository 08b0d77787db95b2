//! The rules of the house (ARCHITECTURE.md) as tests. Each failure says which file breaks which rule and the way out.

mod fences;
mod files;
mod map;

use std::path::{Path, PathBuf};

use crate::harness::root;

/// A Rust file of the project: where it lies and what it says.
struct Source {
    /// Path inside the checkout.
    path: String,
    text: String,
}

impl Source {
    /// The part above the unit tests.
    fn production(&self) -> &str {
        let marker = "\n#[cfg(test)]\nmod tests {";
        self.text
            .find(marker)
            .map_or(&self.text, |end| &self.text[..end])
    }

    /// The production part without comments and without the inside of texts, lines kept.
    fn code(&self) -> String {
        strip(self.production())
    }
}

const CRATES: [&str; 6] = ["sql", "udfs", "engine", "server", "tests", "benches"];

/// Every Rust file of the crates.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in CRATES {
        walk(&root().join(folder), &mut |path| {
            if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(path).expect("sources are UTF-8");
                found.push(Source {
                    path: relative(path),
                    text,
                });
            }
        });
    }
    assert!(
        found.len() > 20,
        "no sources found below {}",
        root().display()
    );
    found
}

fn relative(path: &Path) -> String {
    let inside = path
        .strip_prefix(root())
        .expect("only the checkout is walked");
    inside.to_str().expect("names are UTF-8").to_owned()
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|e| e.expect("the folder can be read").path())
        .collect();
    paths.sort();
    for path in paths {
        let hidden = path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden && path.file_name().is_some_and(|n| n != "target") {
            walk(&path, visit);
        } else if path.is_file() {
            visit(&path);
        }
    }
}

/// Fails with all that is wrong at once, below the way out.
fn none(wrong: &[String], way_out: &str) {
    assert!(wrong.is_empty(), "\n{}\n→ {way_out}", wrong.join("\n"));
}

/// Blanks comments and the inside of literals, so that only code is searched.
fn strip(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = vec![b' '; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |e| e + 2)
        } else if let Some(length) = raw_text(rest) {
            length
        } else if rest.starts_with('"') {
            quoted(rest)
        } else if let Some(length) = character(rest) {
            length
        } else {
            let length = rest.chars().next().map_or(1, char::len_utf8);
            out[at..at + length].copy_from_slice(&bytes[at..at + length]);
            at += length;
            continue;
        };
        for (i, &byte) in bytes[at..at + end].iter().enumerate() {
            if byte == b'\n' {
                out[at + i] = byte;
            }
        }
        at += end;
    }
    String::from_utf8(out).expect("whole characters were copied")
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_text(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = 1 + hashes + 1;
    Some(
        rest[body..]
            .find(&close)
            .map_or(rest.len(), |e| body + e + close.len()),
    )
}

/// A character literal, not a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escape) = inside.strip_prefix('\\') {
        let end = escape.char_indices().skip(1).find(|&(_, c)| c == '\'')?;
        return Some(2 + end.0 + 1);
    }
    let c = inside.chars().next()?;
    inside[c.len_utf8()..]
        .starts_with('\'')
        .then(|| c.len_utf8() + 2)
}

/// Whether `word` stands in `code` as a word of its own.
fn has_word(code: &str, word: &str) -> bool {
    let inner = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        !inner(code[..at].chars().next_back()) && !inner(code[at + word.len()..].chars().next())
    })
}

#[test]
fn stripping_leaves_code_only() {
    let text = "let a = \"use x\"; // use y\nlet b = 'c'; /* use z */ fn f<'a>() {} r#\"use \"w\"\"# '\\'' q";
    let code = strip(text);
    assert_eq!(code.len(), text.len());
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "let", "a", "=", ";", "let", "b", "=", ";", "fn", "f<'a>()", "{}", "q"
        ]
    );
    assert!(has_word(&code, "fn") && !has_word(&code, "x"));
}
