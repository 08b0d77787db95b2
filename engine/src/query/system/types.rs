//! The built-in types as `pg_type` shows them, and their names.

use std::sync::LazyLock;

/// A row of `types.txt`.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) oid: u32,
    pub(super) name: &'static str,
    pub(super) len: i32,
    pub(super) by_value: bool,
    /// `b`ase, `p`seudo, `r`ange.
    pub(super) kind: &'static str,
    pub(super) category: &'static str,
    pub(super) preferred: bool,
    pub(super) element: u32,
    pub(super) array: u32,
    /// input, output, receive, send
    pub(super) functions: [&'static str; 4],
    pub(super) align: &'static str,
    pub(super) storage: &'static str,
    pub(super) collation: u32,
}

static TYPES: LazyLock<Vec<Type>> = LazyLock::new(|| {
    include_str!("types.txt")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(parse)
        .collect()
});

fn parse(line: &'static str) -> Option<Type> {
    let words: Vec<&'static str> = line.split(' ').collect();
    let number = |at: usize| words.get(at)?.parse().ok();
    Some(Type {
        oid: number(0)?,
        name: words[1],
        len: words[2].parse().ok()?,
        by_value: words[3] == "t",
        kind: words[4],
        category: words[5],
        preferred: words[6] == "t",
        element: number(7)?,
        array: number(8)?,
        functions: [words[9], words[10], words[11], words[12]],
        align: words[13],
        storage: words[14],
        collation: number(15)?,
    })
}

pub(super) fn all() -> &'static [Type] {
    &TYPES
}

pub(super) fn by_oid(oid: u32) -> Option<&'static Type> {
    TYPES.iter().find(|t| t.oid == oid)
}

/// By internal name: `int4`, `_text` …
pub(super) fn by_name(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|t| t.name == name)
}

/// What `format_type` shows: `integer`, `character varying(20)`, `numeric(10,2)[]` …
pub(super) fn format(oid: u32, typmod: Option<i32>) -> String {
    if oid == 0 {
        return "-".to_owned();
    }
    let Some(ty) = by_oid(oid) else {
        return "???".to_owned();
    };
    if ty.category == "A" && ty.element != 0 && ty.name.starts_with('_') {
        return format!("{}[]", format(ty.element, typmod));
    }
    let modifier = typmod.filter(|m| *m >= 4).map(|m| m - 4);
    match (ty.name, modifier) {
        ("bool", _) => "boolean".to_owned(),
        ("int2", _) => "smallint".to_owned(),
        ("int4", _) => "integer".to_owned(),
        ("int8", _) => "bigint".to_owned(),
        ("float4", _) => "real".to_owned(),
        ("float8", _) => "double precision".to_owned(),
        ("char", _) => "\"char\"".to_owned(),
        ("varchar", None) => "character varying".to_owned(),
        ("varchar", Some(n)) => format!("character varying({n})"),
        ("bpchar", None) => "character".to_owned(),
        ("bpchar", Some(n)) => format!("character({n})"),
        ("numeric", Some(m)) => format!(
            "numeric({},{})",
            (m >> 16) & 0xffff,
            ((m & 0x7ff) ^ 1024) - 1024
        ),
        ("time", _) => "time without time zone".to_owned(),
        ("timetz", _) => "time with time zone".to_owned(),
        ("timestamp", _) => "timestamp without time zone".to_owned(),
        ("timestamptz", _) => "timestamp with time zone".to_owned(),
        ("varbit", _) => "bit varying".to_owned(),
        (name, _) => name.to_owned(),
    }
}
