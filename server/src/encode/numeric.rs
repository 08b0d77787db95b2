//! numeric: decimals of 128 and 256 bits, exactly.

use super::column::Values;
use alcedo_engine::Result;
use arrow::array::PrimitiveArray;
use arrow::datatypes::{DecimalType, i256};
use bytes::{BufMut, BytesMut};

/// An unscaled value as sign and digits.
pub(super) trait Unscaled: Copy {
    /// Calls back with the digits without a sign, and whether the value is negative.
    fn digits<R>(self, take: impl FnOnce(&[u8], bool) -> R) -> R;
}

impl Unscaled for i128 {
    #[inline]
    fn digits<R>(self, take: impl FnOnce(&[u8], bool) -> R) -> R {
        let mut buffer = itoa::Buffer::new();
        // Most values fit 64 bits, whose digits come several times faster.
        match u64::try_from(self.unsigned_abs()) {
            Ok(small) => take(buffer.format(small).as_bytes(), self < 0),
            Err(_) => take(buffer.format(self.unsigned_abs()).as_bytes(), self < 0),
        }
    }
}

impl Unscaled for i256 {
    fn digits<R>(self, take: impl FnOnce(&[u8], bool) -> R) -> R {
        let text = self.to_string();
        match text.strip_prefix('-') {
            Some(digits) => take(digits.as_bytes(), true),
            None => take(text.as_bytes(), false),
        }
    }
}

/// Decimals of one scale; `trim` drops zeros at the end, for columns that declare no scale.
pub(super) struct Numerics<T: DecimalType> {
    array: PrimitiveArray<T>,
    scale: i8,
    trim: bool,
}

impl<T: DecimalType> Numerics<T> {
    pub(super) fn new(array: PrimitiveArray<T>, scale: i8, trim: bool) -> Self {
        Self { array, scale, trim }
    }
}

impl<T> Values for Numerics<T>
where
    T: DecimalType,
    T::Native: Unscaled,
{
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.array.value(row).digits(|digits, negative| {
            let (digits, scale) = shown(digits, self.scale, self.trim);
            put_text(digits, negative, scale, out);
        });
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.array.value(row).digits(|digits, negative| {
            let (digits, scale) = shown(digits, self.scale, self.trim);
            put_binary(digits, negative, scale, out);
        });
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}

/// Digits and scale to show.
fn shown(mut digits: &[u8], mut scale: i8, trim: bool) -> (&[u8], i8) {
    while trim && scale > 0 && digits.last() == Some(&b'0') && digits.len() > 1 {
        digits = &digits[..digits.len() - 1];
        scale -= 1;
    }
    if trim && digits == b"0" {
        scale = scale.min(0);
    }
    (digits, scale)
}

fn put_text(digits: &[u8], negative: bool, scale: i8, out: &mut BytesMut) {
    if negative {
        out.put_u8(b'-');
    }
    if scale <= 0 {
        out.put_slice(digits);
        if digits != b"0" {
            out.put_bytes(b'0', usize::from(scale.unsigned_abs()));
        }
        return;
    }
    let scale = usize::from(scale.unsigned_abs());
    if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.put_slice(whole);
        out.put_u8(b'.');
        out.put_slice(fraction);
    } else {
        out.put_slice(b"0.");
        out.put_bytes(b'0', scale - digits.len());
        out.put_slice(digits);
    }
}

/// Groups of four decimal digits around the point: count, weight of the first, sign, scale, groups.
fn put_binary(digits: &[u8], negative: bool, scale: i8, out: &mut BytesMut) {
    let start = out.len();
    let shown = scale.max(0);
    out.put_slice(&[0; 4]);
    out.put_u16(if negative { 0x4000 } else { 0 });
    out.put_u16(u16::from(shown.unsigned_abs()));
    // Position of the point, counted in digits from the first; the groups are aligned to it.
    let point = digits.len() as i32 - i32::from(scale);
    let first = point.div_euclid(4) + i32::from(point.rem_euclid(4) != 0);
    let mut weight = first - 1;
    let groups = out.len();
    // Index in `digits` at which the first group begins; before the first digit there are zeros.
    let mut at = point - 4 * first;
    while at < digits.len() as i32 {
        let group = (at..at + 4).fold(0u16, |sum, i| {
            let digit = usize::try_from(i).ok().and_then(|i| digits.get(i));
            sum * 10 + digit.map_or(0, |d| u16::from(d - b'0'))
        });
        at += 4;
        if group == 0 && out.len() == groups {
            weight -= 1;
            continue;
        }
        out.put_u16(group);
    }
    while out.len() > groups && out.ends_with(&[0, 0]) {
        out.truncate(out.len() - 2);
    }
    let count = (out.len() - groups) / 2;
    if count == 0 {
        weight = 0;
    }
    out[start..start + 2].copy_from_slice(&(count as i16).to_be_bytes());
    out[start + 2..start + 4].copy_from_slice(&(weight as i16).to_be_bytes());
}
