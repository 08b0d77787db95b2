//! Values of the binary format as the text format shows them: written from PostgreSQL's documentation and checked
//! against PostgreSQL by running the same files in both formats, so that it can judge our own encoder.

use std::error::Error;
use std::fmt::Write;

use tokio_postgres::types::{FromSql, Kind, Type};

/// A value as text; `None` is null.
pub struct Text(pub Option<String>);

impl<'a> FromSql<'a> for Text {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Text, Box<dyn Error + Sync + Send>> {
        let mut input = Input(raw);
        let text = text(ty, &mut input)?;
        if !input.0.is_empty() {
            return Err(format!("{} bytes too many for {ty}", input.0.len()).into());
        }
        Ok(Text(Some(text)))
    }

    fn from_sql_null(_: &Type) -> Result<Text, Box<dyn Error + Sync + Send>> {
        Ok(Text(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

type Result<T, E = Box<dyn Error + Sync + Send>> = std::result::Result<T, E>;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, rest) = self
            .0
            .split_at_checked(count)
            .ok_or("the value is too short")?;
        self.0 = rest;
        Ok(head)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.bytes()?))
    }

    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.bytes()?))
    }

    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.bytes()?))
    }
}

fn text(ty: &Type, input: &mut Input<'_>) -> Result<String> {
    if let Kind::Array(element) = ty.kind() {
        return array(element, input);
    }
    Ok(match *ty {
        Type::BOOL => if input.bytes::<1>()?[0] != 0 {
            "t"
        } else {
            "f"
        }
        .to_owned(),
        Type::INT2 => input.i16()?.to_string(),
        Type::INT4 => input.i32()?.to_string(),
        Type::INT8 => input.i64()?.to_string(),
        Type::OID | Type::REGPROC | Type::REGTYPE | Type::REGCLASS | Type::XID => {
            u32::from_be_bytes(input.bytes()?).to_string()
        }
        Type::FLOAT4 => {
            let value = f32::from_be_bytes(input.bytes()?);
            float(&format!("{value:e}"), value.is_nan(), 6)
        }
        Type::FLOAT8 => {
            let value = f64::from_be_bytes(input.bytes()?);
            float(&format!("{value:e}"), value.is_nan(), 15)
        }
        Type::NUMERIC => numeric(input)?,
        Type::BYTEA => {
            let mut out = "\\x".to_owned();
            for byte in input.rest() {
                write!(out, "{byte:02x}")?;
            }
            out
        }
        Type::JSONB => {
            if input.bytes::<1>()? != [1] {
                return Err("jsonb is not of version 1".into());
            }
            String::from_utf8(input.rest().to_vec())?
        }
        Type::UUID => uuid(input.bytes()?)?,
        Type::DATE => date(input.i32()?),
        Type::TIME => time(input.i64()?),
        Type::TIMESTAMP => timestamp(input.i64()?, ""),
        Type::TIMESTAMPTZ => timestamp(input.i64()?, "+00"),
        Type::INTERVAL => interval(input.i64()?, input.i32()?, input.i32()?)?,
        Type::TEXT
        | Type::VARCHAR
        | Type::BPCHAR
        | Type::NAME
        | Type::JSON
        | Type::UNKNOWN
        | Type::CHAR => String::from_utf8(input.rest().to_vec())?,
        Type::VOID => String::new(),
        _ => return Err(format!("the tests cannot read {ty} ({}) in binary", ty.oid()).into()),
    })
}

/// Lays out the digits of Rust's shortest form as PostgreSQL does: an exponent below -4 and from `fixed_max` on.
fn float(shortest: &str, nan: bool, fixed_max: i32) -> String {
    if nan {
        return "NaN".to_owned();
    }
    let (sign, shortest) = shortest
        .strip_prefix('-')
        .map_or(("", shortest), |rest| ("-", rest));
    let Some((mantissa, exponent)) = shortest.split_once('e') else {
        return format!("{sign}Infinity");
    };
    let exponent: i32 = exponent.parse().expect("Rust writes an exponent");
    let digits = mantissa.replace('.', "");
    let count = i32::try_from(digits.len()).expect("a float has few digits");
    if exponent < -4 || exponent >= fixed_max {
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{mark}{:02}", exponent.abs());
    }
    let body = if exponent < 0 {
        format!(
            "0.{}{digits}",
            "0".repeat((-exponent - 1).unsigned_abs() as usize)
        )
    } else if count <= exponent + 1 {
        format!(
            "{digits}{}",
            "0".repeat((exponent + 1 - count).unsigned_abs() as usize)
        )
    } else {
        let (whole, part) = digits.split_at((exponent + 1).unsigned_abs() as usize);
        format!("{whole}.{part}")
    };
    format!("{sign}{body}")
}

fn numeric(input: &mut Input<'_>) -> Result<String> {
    let count = input.i16()?;
    let weight = input.i16()?;
    let sign = input.i16()? as u16;
    let scale = usize::try_from(input.i16()?)?;
    match sign {
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        _ => {}
    }
    let mut groups = Vec::new();
    for _ in 0..count {
        groups.push(input.i16()?);
    }
    let group = |place: i32| {
        usize::try_from(i32::from(weight) - place)
            .ok()
            .and_then(|i| groups.get(i))
            .copied()
    };
    let mut out = if sign == 0x4000 {
        "-".to_owned()
    } else {
        String::new()
    };
    let mut whole = String::new();
    for place in (0..=i32::from(weight).max(0)).rev() {
        write!(whole, "{:04}", group(place).unwrap_or(0))?;
    }
    let whole = whole.trim_start_matches('0');
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let mut part = String::new();
        for place in 1..=i32::try_from(scale.div_ceil(4))? {
            write!(part, "{:04}", group(-place).unwrap_or(0))?;
        }
        out.push('.');
        out.push_str(&part[..scale]);
    }
    Ok(out)
}

fn uuid(bytes: [u8; 16]) -> Result<String> {
    let mut out = String::new();
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        write!(out, "{byte:02x}")?;
    }
    Ok(out)
}

/// Year, month and day of a number of days since 2000-01-01 (Howard Hinnant's civil_from_days).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 730_425;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn day(days: i64) -> (String, &'static str) {
    let (year, month, day) = civil(days);
    let (year, era) = if year <= 0 {
        (1 - year, " BC")
    } else {
        (year, "")
    };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        _ => {
            let (text, era) = day(days.into());
            format!("{text}{era}")
        }
    }
}

fn time(us: i64) -> String {
    let seconds = us / 1_000_000;
    let mut out = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let fraction = format!("{:06}", us % 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn timestamp(us: i64, zone: &str) -> String {
    const DAY: i64 = 86_400_000_000;
    match us {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        _ => {
            let (text, era) = day(us.div_euclid(DAY));
            format!("{text} {}{zone}{era}", time(us.rem_euclid(DAY)))
        }
    }
}

fn interval(us: i64, days: i32, months: i32) -> Result<String> {
    let mut out = String::new();
    let mut before = false;
    for (value, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if value != 0 {
            let space = if out.is_empty() { "" } else { " " };
            let plus = if before && value > 0 { "+" } else { "" };
            write!(
                out,
                "{space}{plus}{value} {unit}{}",
                if value == 1 { "" } else { "s" }
            )?;
            before = value < 0;
        }
    }
    if us != 0 || out.is_empty() {
        let space = if out.is_empty() { "" } else { " " };
        let sign = if us < 0 {
            "-"
        } else {
            ["", "+"][usize::from(before)]
        };
        write!(out, "{space}{sign}{}", time(us.abs()))?;
    }
    Ok(out)
}

fn array(element: &Type, input: &mut Input<'_>) -> Result<String> {
    let dimensions = usize::try_from(input.i32()?)?;
    let _has_nulls = input.i32()?;
    let oid = input.i32()?.cast_unsigned();
    if oid != element.oid() {
        return Err(format!("elements of type {oid} in an array of {element}").into());
    }
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(usize::try_from(input.i32()?)?);
        let lower = input.i32()?;
        if lower != 1 {
            return Err(format!("a lower bound of {lower}").into());
        }
    }
    if lengths.is_empty() {
        return Ok("{}".to_owned());
    }
    level(element, &lengths, input)
}

fn level(element: &Type, lengths: &[usize], input: &mut Input<'_>) -> Result<String> {
    let mut parts = Vec::new();
    for _ in 0..lengths[0] {
        if lengths.len() > 1 {
            parts.push(level(element, &lengths[1..], input)?);
            continue;
        }
        let length = input.i32()?;
        if length < 0 {
            parts.push("NULL".to_owned());
            continue;
        }
        let mut one = Input(input.take(usize::try_from(length)?)?);
        parts.push(quoted(text(element, &mut one)?));
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

fn quoted(text: String) -> String {
    let plain = |c: char| !matches!(c, '{' | '}' | ',' | '"' | '\\') && !c.is_ascii_whitespace();
    if !text.is_empty() && !text.eq_ignore_ascii_case("null") && text.chars().all(plain) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
