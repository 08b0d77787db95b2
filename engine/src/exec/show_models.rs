//! `SHOW MODELS [LIKE 'pattern']`.

use super::Output;
use crate::error::Result;
use crate::query::Context;

/// Lists models, one line each.
pub(crate) async fn run(ctx: &Context, pattern: &Option<String>) -> Result<Output> {
    let models: Vec<_> = ctx
        .snapshot
        .models
        .iter()
        .filter(|(name, _)| pattern.as_deref().is_none_or(|p| like(&name.name, p)))
        .collect();
    let column = |cell: &dyn Fn(
        &(&crate::catalog::ObjectName, &crate::catalog::Model),
    ) -> Option<String>| { models.iter().map(cell).collect::<Vec<_>>() };
    Output::texts(
        vec![
            ("schema", column(&|(n, _)| Some(n.schema.clone()))),
            ("model", column(&|(n, _)| Some(n.name.clone()))),
            ("type", column(&|(_, m)| Some(m.model_type.clone()))),
            ("task", column(&|(_, m)| Some(m.task.clone()))),
            ("label", column(&|(_, m)| m.label.clone())),
            (
                "default_version",
                column(&|(_, m)| Some(m.default_version.to_string())),
            ),
            (
                "versions",
                column(&|(_, m)| Some(m.versions.len().to_string())),
            ),
            ("owner", column(&|(_, m)| Some(m.owner.clone()))),
        ],
        "SHOW",
    )
}

/// SQL's LIKE: `%` is any text, `_` any character, `\` takes the next one as it is.
fn like(text: &str, pattern: &str) -> bool {
    let mut items = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        items.push(match c {
            '%' => Item::Any,
            '_' => Item::One,
            '\\' => Item::Char(chars.next().unwrap_or('\\')),
            c => Item::Char(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    // reached[i]: the pattern so far matches the first i characters.
    let mut reached: Vec<bool> = (0..=text.len()).map(|i| i == 0).collect();
    for item in items {
        let mut next = vec![false; text.len() + 1];
        for i in 0..=text.len() {
            next[i] = match item {
                Item::Any => reached[i] || (i > 0 && next[i - 1]),
                Item::One => i > 0 && reached[i - 1],
                Item::Char(c) => i > 0 && reached[i - 1] && text[i - 1] == c,
            };
        }
        reached = next;
    }
    reached[text.len()]
}

#[derive(Clone, Copy)]
enum Item {
    Any,
    One,
    Char(char),
}
