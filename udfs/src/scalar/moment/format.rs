//! Formats of `to_char`, `to_date` and `to_timestamp`: a text taken apart into fields and what stands between them.
//!
//! Source: chapter "Data Type Formatting Functions" of PostgreSQL's manual. Spelled numbers (`SP`) and the prefix
//! `FX` are not taken.

/// A field of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Field {
    Hour12,
    Hour24,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    /// Digits of a second's fraction, one to six.
    Fraction(u8),
    SecondsOfDay,
    /// `AM`; with points when true.
    Meridiem(bool),
    /// `AD`; with points when true.
    Era(bool),
    /// The year's last digits; with a comma when zero.
    Year(u8),
    IsoYear(u8),
    MonthName,
    MonthAbbreviation,
    Month,
    DayName,
    DayAbbreviation,
    DayOfYear,
    IsoDayOfYear,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    WeekOfMonth,
    WeekOfYear,
    IsoWeek,
    Century,
    Julian,
    Quarter,
    RomanMonth,
    ZoneName,
    ZoneHours,
    ZoneMinutes,
    ZoneOffset,
}

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Letters {
    Upper,
    Capital,
    Lower,
}

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// What stands there as it is.
    Text(String),
    /// A field, its letters, whether blanks and zeros are left out (`FM`), and the letters of its ordinal (`TH`).
    Field {
        /// Which.
        field: Field,
        /// Of names.
        letters: Letters,
        /// `FM`
        tight: bool,
        /// `TH`
        ordinal: Option<Letters>,
    },
}

/// Longer names stand before those they begin with. Only names of words have letters of three kinds.
const FIELDS: &[(&str, Field)] = &[
    ("SSSSS", Field::SecondsOfDay),
    ("SSSS", Field::SecondsOfDay),
    ("Y,YYY", Field::Year(0)),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("A.M.", Field::Meridiem(true)),
    ("P.M.", Field::Meridiem(true)),
    ("A.D.", Field::Era(true)),
    ("B.C.", Field::Era(true)),
    ("YYYY", Field::Year(4)),
    ("IYYY", Field::IsoYear(4)),
    ("IDDD", Field::IsoDayOfYear),
    ("MONTH", Field::MonthName),
    ("MON", Field::MonthAbbreviation),
    ("DAY", Field::DayName),
    ("DDD", Field::DayOfYear),
    ("YYY", Field::Year(3)),
    ("IYY", Field::IsoYear(3)),
    ("FF1", Field::Fraction(1)),
    ("FF2", Field::Fraction(2)),
    ("FF3", Field::Fraction(3)),
    ("FF4", Field::Fraction(4)),
    ("FF5", Field::Fraction(5)),
    ("FF6", Field::Fraction(6)),
    ("TZH", Field::ZoneHours),
    ("TZM", Field::ZoneMinutes),
    ("HH", Field::Hour12),
    ("MI", Field::Minute),
    ("SS", Field::Second),
    ("MS", Field::Millisecond),
    ("US", Field::Microsecond),
    ("AM", Field::Meridiem(false)),
    ("PM", Field::Meridiem(false)),
    ("AD", Field::Era(false)),
    ("BC", Field::Era(false)),
    ("YY", Field::Year(2)),
    ("IY", Field::IsoYear(2)),
    ("MM", Field::Month),
    ("DY", Field::DayAbbreviation),
    ("DD", Field::Day),
    ("ID", Field::IsoDayOfWeek),
    ("IW", Field::IsoWeek),
    ("WW", Field::WeekOfYear),
    ("CC", Field::Century),
    ("RM", Field::RomanMonth),
    ("TZ", Field::ZoneName),
    ("OF", Field::ZoneOffset),
    ("Y", Field::Year(1)),
    ("I", Field::IsoYear(1)),
    ("D", Field::DayOfWeek),
    ("W", Field::WeekOfMonth),
    ("J", Field::Julian),
    ("Q", Field::Quarter),
];

/// Takes a format apart.
pub fn pieces(format: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = format;
    while !rest.is_empty() {
        let tight = starts(rest, "FM");
        let body = if tight { &rest[2..] } else { rest };
        if let Some((name, field)) = FIELDS.iter().find(|(name, _)| starts(body, name)) {
            let (written, mut after) = body.split_at(name.len());
            let ordinal = starts(after, "TH").then(|| letters(&after[..2]));
            if ordinal.is_some() {
                after = &after[2..];
            }
            out.push(Piece::Field {
                field: *field,
                letters: letters(written),
                tight,
                ordinal,
            });
            rest = after;
            continue;
        }
        rest = text(body, &mut out);
    }
    out
}

/// A quoted text, an escaped character or one that means itself; gives what comes after it.
fn text<'a>(rest: &'a str, out: &mut Vec<Piece>) -> &'a str {
    let mut chars = rest.chars();
    let mut written = String::new();
    match chars.next() {
        Some('"') => {
            while let Some(c) = chars.next().filter(|c| *c != '"') {
                written.push(if c == '\\' {
                    chars.next().unwrap_or(c)
                } else {
                    c
                });
            }
        }
        Some('\\') => match chars.clone().next() {
            Some('"') => {
                chars.next();
                written.push('"');
            }
            _ => written.push('\\'),
        },
        Some(c) => written.push(c),
        None => {}
    }
    match out.last_mut() {
        Some(Piece::Text(text)) => text.push_str(&written),
        _ => out.push(Piece::Text(written)),
    }
    chars.as_str()
}

fn starts(text: &str, name: &str) -> bool {
    text.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
}

fn letters(written: &str) -> Letters {
    let mut chars = written.chars().filter(|c| c.is_ascii_alphabetic());
    let first = chars.next().is_some_and(|c| c.is_ascii_uppercase());
    let second = chars.next().is_none_or(|c| c.is_ascii_uppercase());
    match (first, second) {
        (true, true) => Letters::Upper,
        (true, false) => Letters::Capital,
        (false, _) => Letters::Lower,
    }
}

/// English names of the months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// English names of the days of the week, from Sunday.
pub const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Roman numbers of the months.
pub const ROMAN: [&str; 12] = [
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_formats_apart() {
        let field = |field| Piece::Field {
            field,
            letters: Letters::Upper,
            tight: false,
            ordinal: None,
        };
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(
            pieces("YYYY-\"Day \"MM"),
            [field(Field::Year(4)), text("-Day "), field(Field::Month)]
        );
        assert_eq!(
            pieces("HH24MI"),
            [field(Field::Hour24), field(Field::Minute)]
        );
        let Some(Piece::Field { letters, tight, .. }) = pieces("FMMonth").pop() else {
            panic!("no field");
        };
        assert_eq!((letters, tight), (Letters::Capital, true));
    }
}
