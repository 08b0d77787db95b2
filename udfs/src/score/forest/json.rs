//! Just enough JSON for `pandas_categorical`: a list of lists of texts, numbers and booleans, or null.
//!
//! A number becomes its shortest text (`1.0` is `1`), as categories given by numbers are looked up.

/// The lists of an outer list, values as text; `null` is no list at all. `None` when the text is anything else.
pub fn lists(json: &str) -> Option<Vec<Vec<String>>> {
    let mut reader = Reader { rest: json };
    if reader.word("null") {
        return reader.end().then(Vec::new);
    }
    let lists = reader.list(|r| r.list(Reader::value))?;
    reader.end().then_some(lists)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Takes a word if it comes next.
    fn word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn end(&mut self) -> bool {
        self.skip_blanks();
        self.rest.is_empty()
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        if !self.word("[") {
            return None;
        }
        if self.word("]") {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.word("]") {
                return Some(items);
            }
            if !self.word(",") {
                return None;
            }
        }
    }

    fn value(&mut self) -> Option<String> {
        if self.word("\"") {
            return self.string();
        }
        for word in ["true", "false"] {
            if self.word(word) {
                return Some(word.to_owned());
            }
        }
        let end = self.rest.find([',', ']', ' ']).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        match number.parse::<i64>() {
            Ok(whole) => Some(whole.to_string()),
            Err(_) => number.parse::<f64>().ok().map(|n| n.to_string()),
        }
    }

    /// The rest of a string whose opening quote is taken.
    fn string(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.char()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                c => text.push(c),
            }
        }
    }

    fn char(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.char()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let unit = self.hex()?;
                if (0xd800..0xdc00).contains(&unit) {
                    let low = if self.rest.starts_with("\\u") {
                        (self.char(), self.char(), self.hex()?).2
                    } else {
                        0
                    };
                    let low = low.checked_sub(0xdc00).filter(|l| *l < 0x400)?;
                    char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low)?
                } else {
                    char::from_u32(unit)?
                }
            }
            c @ ('"' | '\\' | '/') => c,
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        self.rest = self.rest.get(4..)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn values() {
        let got =
            lists(r#"[["a", "q\"\\", "\u00fc\ud83d\ude00"], [1, 2.5, 3.0, true], []]"#).unwrap();
        assert_eq!(
            got,
            [
                vec!["a", "q\"\\", "ü😀"],
                vec!["1", "2.5", "3", "true"],
                vec![]
            ]
        );
        assert_eq!(lists("null"), Some(vec![]));
        assert_eq!(lists(" [] "), Some(vec![]));
    }

    #[test]
    fn damage() {
        for text in [
            "",
            "[",
            "[[",
            "[[\"a]]",
            "[[1,]]",
            "[[\"\\ud83dx\"]]",
            "[[\"\\u00\"]]",
            "[1]",
            "[[]] x",
            "{}",
        ] {
            assert_eq!(lists(text), None, "{text}");
        }
    }
}
