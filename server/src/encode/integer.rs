//! bool, int2, int4, int8 and oid.

use super::column::Values;
use alcedo_engine::Result;
use arrow::array::{ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use bytes::{BufMut, BytesMut};

/// Booleans: `t` and `f`.
pub(super) struct Bools(pub(super) BooleanArray);

impl Values for Bools {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(if self.0.value(row) { b't' } else { b'f' });
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(u8::from(self.0.value(row)));
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_slice(if self.0.value(row) { b"true" } else { b"false" });
        Ok(())
    }
}

/// Integers that the protocol sends in network order.
pub(super) trait Integer: itoa::Integer + Copy {
    fn put(self, out: &mut BytesMut);
}

macro_rules! integers {
    ($($native:ty),*) => {$(
        impl Integer for $native {
            #[inline]
            fn put(self, out: &mut BytesMut) {
                out.put_slice(&self.to_be_bytes());
            }
        }
    )*};
}

integers!(i16, i32, i64, u32);

/// Integers of any width.
pub(super) struct Integers<T: ArrowPrimitiveType>(pub(super) PrimitiveArray<T>);

impl<T> Values for Integers<T>
where
    T: ArrowPrimitiveType,
    T::Native: Integer,
{
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_slice(itoa::Buffer::new().format(self.0.value(row)).as_bytes());
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.0.value(row).put(out);
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}
