//! Dates, times and intervals that are written as PostgreSQL takes them and the planner does not: clock times in
//! intervals (`'3 days 04:05:06'`), intervals in the forms of ISO 8601 and the SQL standard (`'P1DT2H'`, `'1-2'`), timestamps without seconds (`'2024-02-29 10:00'`).

use sqlparser::ast::{DataType, Expr, Value};

/// Spells a literal out where it meets its type.
pub(super) fn spell(expr: &mut Expr) {
    match expr {
        Expr::Cast {
            expr: inner,
            data_type,
            ..
        } => {
            if let Expr::Value(value) = inner.as_mut() {
                literal(&mut value.value, data_type);
            }
        }
        Expr::TypedString(typed) => literal(&mut typed.value.value, &typed.data_type),
        Expr::Interval(interval) => {
            if let (Expr::Value(value), None) = (interval.value.as_mut(), &interval.leading_field)
                && let Value::SingleQuotedString(text) = &mut value.value
            {
                replace(text, interval_words(text));
            }
        }
        _ => {}
    }
}

fn literal(value: &mut Value, ty: &DataType) {
    let Value::SingleQuotedString(text) = value else {
        return;
    };
    match ty {
        DataType::Interval { .. } => replace(text, interval_words(text)),
        DataType::Timestamp(..) | DataType::Datetime(_) => replace(text, with_seconds(text)),
        _ => {}
    }
}

fn replace(text: &mut String, spelled: Option<String>) {
    if let Some(spelled) = spelled {
        *text = spelled;
    }
}

/// An interval in words, when it is not in words already.
fn interval_words(text: &str) -> Option<String> {
    iso_words(text)
        .or_else(|| year_month_words(text))
        .or_else(|| clock_words(text))
}

/// `P1Y2M3DT4H5M6.5S` in words.
fn iso_words(text: &str) -> Option<String> {
    let mut rest = text.trim().strip_prefix('P')?;
    let (mut words, mut clock) = (Vec::new(), false);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (rest, clock) = (after, true);
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, after) = rest.split_at(end);
        number.parse::<f64>().ok()?;
        let unit = match (after.chars().next()?, clock) {
            ('Y', false) => "years",
            ('M', false) => "months",
            ('W', false) => "weeks",
            ('D', false) => "days",
            ('H', true) => "hours",
            ('M', true) => "minutes",
            ('S', true) => "seconds",
            _ => return None,
        };
        words.push(format!("{number} {unit}"));
        rest = after.get(1..)?;
    }
    (!words.is_empty()).then(|| words.join(" "))
}

/// `1-2`, years and months, in words.
fn year_month_words(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (years, months) = digits.split_once('-')?;
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (number(years) && number(months)).then(|| format!("{sign}{years} years {sign}{months} months"))
}

/// `-04:05:06.5` in an interval as hours, minutes and seconds; `None` when there is none.
fn clock_words(text: &str) -> Option<String> {
    let clock = text.split_whitespace().find(|word| word.contains(':'))?;
    let (sign, digits) = match clock.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", clock.trim_start_matches('+')),
    };
    let parts: Vec<&str> = digits.split(':').collect();
    let number =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(|part| number(part)) {
        return None;
    }
    let seconds = parts.get(2).copied().unwrap_or("0");
    let spelled = format!(
        "{sign}{} hours {sign}{} minutes {sign}{seconds} seconds",
        parts[0], parts[1]
    );
    Some(text.replacen(clock, &spelled, 1))
}

/// A timestamp that ends with its minutes, or with an offset after them, with its seconds; `None` for others.
fn with_seconds(text: &str) -> Option<String> {
    let clock = text.find([' ', 'T'])? + 1;
    let rest = text.get(clock..)?;
    let end = rest.find(['+', '-', 'Z', ' ']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(end);
    let (hours, minutes) = time.split_once(':')?;
    let two = |digits: &str| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
    (two(hours) && two(minutes)).then(|| format!("{}{time}:00{offset}", &text[..clock]))
}

#[cfg(test)]
mod tests {
    use super::{clock_words, interval_words, with_seconds};

    #[test]
    fn clock_times_become_words() {
        let spelled = "3 days 04 hours 05 minutes 06.5 seconds";
        assert_eq!(clock_words("3 days 04:05:06.5").as_deref(), Some(spelled));
        let spelled = "-1 hours -30 minutes -0 seconds";
        assert_eq!(clock_words("-1:30").as_deref(), Some(spelled));
        assert_eq!(clock_words("1 year 2 mons"), None);
        assert_eq!(clock_words("a:b"), None);
    }

    #[test]
    fn standard_forms_become_words() {
        let spelled = "1 days 2 hours";
        assert_eq!(interval_words("P1DT2H").as_deref(), Some(spelled));
        let spelled = "-1 years -2 months";
        assert_eq!(interval_words("-1-2").as_deref(), Some(spelled));
        assert_eq!(interval_words("P"), None);
        assert_eq!(interval_words("1 year"), None);
    }

    #[test]
    fn seconds_are_added() {
        let full = "2024-02-29 10:00:00";
        assert_eq!(with_seconds("2024-02-29 10:00").as_deref(), Some(full));
        let full = "2024-02-29T10:00:00+02";
        assert_eq!(with_seconds("2024-02-29T10:00+02").as_deref(), Some(full));
        assert_eq!(with_seconds("2024-02-29 10:00:01"), None);
        assert_eq!(with_seconds("2024-02-29"), None);
    }
}
