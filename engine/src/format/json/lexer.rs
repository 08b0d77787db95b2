//! JSON text into the places of its values. Everything is checked (RFC 8259): what is skipped is JSON too.
//!
//! Strings are searched eight bytes at a time for what ends them or is not allowed in them.

use crate::format::Fault;

/// How deep arrays and objects may nest.
const DEPTH_MAX: u32 = 128;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    /// Without escapes: the text as it stands.
    Text,
    /// With escapes.
    Escaped,
    Array,
    Object,
}

/// Where a value lies in the record; for strings what is between the quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) kind: Kind,
    start: u32,
    end: u32,
}

impl Raw {
    /// A value that is not there.
    pub(super) const NULL: Raw = Raw {
        kind: Kind::Null,
        start: 0,
        end: 0,
    };

    /// Its bytes.
    pub(super) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// Its bytes as JSON, with the quotes of a string.
    pub(super) fn json<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        match self.kind {
            Kind::Text | Kind::Escaped => &bytes[self.start as usize - 1..self.end as usize + 1],
            _ => self.of(bytes),
        }
    }

    /// Whether it is a string.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Escaped)
    }
}

/// A place in JSON text, which is UTF-8.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Stands where a value begins.
    pub(super) fn at(bytes: &'a [u8], value: Raw) -> Self {
        Self {
            bytes,
            at: value.start as usize,
        }
    }

    /// Checks that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("the end of the record")),
        }
    }

    /// Reads an object, giving each key and value to `take`.
    pub(super) fn object(
        &mut self,
        take: impl FnMut(Raw, Raw) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.object_within(0, take)
    }

    /// Reads an array, giving each element to `take`.
    pub(super) fn array(
        &mut self,
        take: impl FnMut(Raw) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.array_within(0, take)
    }

    fn object_within(
        &mut self,
        depth: u32,
        mut take: impl FnMut(Raw, Raw) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.peek() != Some(b'{') {
            return Err(self.fault("an object"));
        }
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key"));
            }
            let key = self.string()?;
            if self.peek() != Some(b':') {
                return Err(self.fault("a colon"));
            }
            self.at += 1;
            let value = self.value_within(depth + 1)?;
            take(key, value)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.fault("a comma or the end of the object")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn array_within(
        &mut self,
        depth: u32,
        mut take: impl FnMut(Raw) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.peek() != Some(b'[') {
            return Err(self.fault("an array"));
        }
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let value = self.value_within(depth + 1)?;
            take(value)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.fault("a comma or the end of the array")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn value_within(&mut self, depth: u32) -> Result<Raw, Fault> {
        if depth > DEPTH_MAX {
            return Err("arrays and objects nest too deeply".into());
        }
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => {
                let start = self.at;
                self.object_within(depth, |_, _| Ok(()))?;
                Ok(self.raw(Kind::Object, start))
            }
            Some(b'[') => {
                let start = self.at;
                self.array_within(depth, |_| Ok(()))?;
                Ok(self.raw(Kind::Array, start))
            }
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            _ => Err(self.fault("a value")),
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Raw, Fault> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word) {
            return Err(self.fault("a value"));
        }
        self.at += word.len();
        Ok(self.raw(kind, start))
    }

    fn number(&mut self) -> Result<Raw, Fault> {
        let start = self.at;
        self.at += usize::from(self.here() == Some(b'-'));
        if self.here() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.here() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.here(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.here(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(self.raw(Kind::Number, start))
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.here(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fault("a digit"))
        } else {
            Ok(())
        }
    }

    /// A string; the place is at its first quote.
    fn string(&mut self) -> Result<Raw, Fault> {
        let start = self.at + 1;
        let mut kind = Kind::Text;
        self.at = start;
        loop {
            self.at += plain(&self.bytes[self.at..]);
            match self.here() {
                Some(b'"') => break,
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    self.escape()?;
                }
                Some(_) => return Err(self.fault("no control character in a string")),
                None => return Err(self.fault("the end of a string")),
            }
        }
        let raw = self.raw(kind, start);
        self.at += 1;
        Ok(raw)
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let hex = |b: &u8| b.is_ascii_hexdigit();
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u')
                if self
                    .bytes
                    .get(self.at + 2..self.at + 6)
                    .is_some_and(|h| h.iter().all(hex)) =>
            {
                self.at += 6
            }
            _ => return Err(self.fault("an escape that JSON has")),
        }
        Ok(())
    }

    /// The next byte that is no blank.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.here() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    #[inline]
    fn here(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn raw(&self, kind: Kind, start: usize) -> Raw {
        // Records are shorter than 2 GiB: Kafka's frames have 32-bit lengths.
        Raw {
            kind,
            start: start as u32,
            end: self.at as u32,
        }
    }

    #[cold]
    fn fault(&self, expected: &str) -> Fault {
        let found = match self.bytes[self.at.min(self.bytes.len())..].first() {
            None => "the record ends".to_owned(),
            Some(b) if b.is_ascii_graphic() => format!("there is \"{}\"", char::from(*b)),
            Some(b) => format!("there is byte 0x{b:02x}"),
        };
        format!(
            "not valid JSON: expected {expected} at byte {}, but {found}",
            self.at + 1
        )
        .into()
    }
}

/// How many bytes at the front are neither quote nor backslash nor control character.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // A high bit where the byte is zero; bytes above the first such one may be wrong, the first is right.
    let zero = |w: u64| w.wrapping_sub(ONES) & !w & HIGHS;
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes[at..]
        .iter()
        .position(|b| matches!(b, b'"' | b'\\' | 0..0x20));
    at + rest.unwrap_or(bytes.len() - at)
}
