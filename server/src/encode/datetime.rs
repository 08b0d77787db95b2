//! date, time, timestamp and timestamptz in ISO style, over the whole range of the types.
//!
//! Arrow counts from 1970, PostgreSQL's binary form from 2000. The largest and smallest values of date and
//! timestamp are `infinity` and `-infinity` on both sides.

use super::column::Values;
use super::style::Zone;
use alcedo_engine::Result;
use arrow::array::PrimitiveArray;
use arrow::datatypes::{Date32Type, Time64MicrosecondType, TimestampMicrosecondType};
use bytes::{BufMut, BytesMut};

/// Days from 1970-01-01 to 2000-01-01.
pub(super) const EPOCH_DAYS: i32 = 10_957;
/// Microseconds of a day.
pub(super) const DAY_US: i64 = 86_400_000_000;
/// The same distance in microseconds.
pub(super) const EPOCH_US: i64 = EPOCH_DAYS as i64 * DAY_US;

/// date
pub(super) struct Dates(pub(super) PrimitiveArray<Date32Type>);

impl Values for Dates {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        match self.0.value(row) {
            i32::MAX => out.put_slice(b"infinity"),
            i32::MIN => out.put_slice(b"-infinity"),
            days => {
                if put_date(i64::from(days), out) {
                    out.put_slice(b" BC");
                }
            }
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i32(match self.0.value(row) {
            edge @ (i32::MAX | i32::MIN) => edge,
            days => days.saturating_sub(EPOCH_DAYS),
        });
        Ok(())
    }
}

/// time
pub(super) struct Times(pub(super) PrimitiveArray<Time64MicrosecondType>);

impl Values for Times {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        put_time(self.0.value(row), out);
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i64(self.0.value(row));
        Ok(())
    }
}

/// timestamp, or timestamptz shown in a zone.
pub(super) struct Timestamps {
    array: PrimitiveArray<TimestampMicrosecondType>,
    zone: Option<Zone>,
}

impl Timestamps {
    pub(super) fn new(array: PrimitiveArray<TimestampMicrosecondType>, zone: Option<Zone>) -> Self {
        Self { array, zone }
    }

    fn put(&self, row: usize, between: u8, minutes: bool, out: &mut BytesMut) {
        let instant = match self.array.value(row) {
            i64::MAX => return out.put_slice(b"infinity"),
            i64::MIN => return out.put_slice(b"-infinity"),
            instant => instant,
        };
        let offset = self.zone.as_ref().map(|zone| zone.offset(instant));
        let local = instant.saturating_add(i64::from(offset.unwrap_or(0)) * 1_000_000);
        let bc = put_date(local.div_euclid(DAY_US), out);
        out.put_u8(between);
        put_time(local.rem_euclid(DAY_US), out);
        if let Some(offset) = offset {
            put_offset(offset, minutes, out);
        }
        if bc {
            out.put_slice(b" BC");
        }
    }
}

impl Values for Timestamps {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.put(row, b' ', false, out);
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_i64(match self.array.value(row) {
            edge @ (i64::MAX | i64::MIN) => edge,
            instant => instant.saturating_sub(EPOCH_US),
        });
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'"');
        self.put(row, b'T', true, out);
        out.put_u8(b'"');
        Ok(())
    }
}

/// Year, month and day of a day counted from 1970-01-01; year 0 is 1 BC.
/// The algorithm is Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month as u32,
        day as u32,
    )
}

/// Day counted from 1970-01-01; the inverse of [`civil`].
pub(super) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn put_two(n: u32, out: &mut BytesMut) {
    out.put_slice(&[b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8]);
}

/// Writes year, month and day; true when the year is before Christ, to be said at the end.
fn put_date(days: i64, out: &mut BytesMut) -> bool {
    let (year, month, day) = civil(days);
    let bc = year <= 0;
    let shown = if bc { 1 - year } else { year };
    if shown < 10_000 {
        put_two(shown as u32 / 100, out);
        put_two(shown as u32 % 100, out);
    } else {
        out.put_slice(itoa::Buffer::new().format(shown).as_bytes());
    }
    out.put_u8(b'-');
    put_two(month, out);
    out.put_u8(b'-');
    put_two(day, out);
    bc
}

/// Hours, minutes, seconds, and as much of the fraction as there is.
fn put_time(micros: i64, out: &mut BytesMut) {
    let seconds = micros / 1_000_000;
    put_two((seconds / 3600) as u32, out);
    out.put_u8(b':');
    put_two((seconds / 60 % 60) as u32, out);
    out.put_u8(b':');
    put_two((seconds % 60) as u32, out);
    put_fraction((micros % 1_000_000) as u32, out);
}

/// Microseconds behind a point, without zeros at the end.
pub(super) fn put_fraction(mut micros: u32, out: &mut BytesMut) {
    if micros == 0 {
        return;
    }
    let mut digits = [b'0'; 7];
    digits[0] = b'.';
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (micros % 10) as u8;
        micros /= 10;
    }
    let zeros = digits.iter().rev().take_while(|d| **d == b'0').count();
    out.put_slice(&digits[..digits.len() - zeros]);
}

/// Hours, and minutes and seconds where they are not zero or `minutes` wants them.
fn put_offset(offset: i32, minutes: bool, out: &mut BytesMut) {
    out.put_u8(if offset < 0 { b'-' } else { b'+' });
    let seconds = offset.unsigned_abs();
    put_two(seconds / 3600, out);
    if minutes || !seconds.is_multiple_of(3600) {
        out.put_u8(b':');
        put_two(seconds / 60 % 60, out);
    }
    if !seconds.is_multiple_of(60) {
        out.put_u8(b':');
        put_two(seconds % 60, out);
    }
}
