//! Sending rows: the next batch is made only when the last one is in the client's hands or in the socket's buffer,
//! so a slow client costs no memory.

use super::Fault;
use super::connection::Attendance;
use super::portal::Cursor;
use crate::encode::{BatchEncoder, Format, Style};
use alcedo_engine::session::{Cancel, Running};
use arrow::record_batch::RecordBatch;

/// Sends rows up to a number (0: all); says whether the result is at its end.
pub(super) async fn send(
    attendance: &mut Attendance<'_>,
    running: &Running,
    cursor: &mut Cursor,
    formats: &[Format],
    style: &Style,
    max: u64,
) -> Result<bool, Fault> {
    let mut left = if max == 0 { u64::MAX } else { max };
    loop {
        if let Some((encoder, next)) = &mut cursor.batch {
            while *next < encoder.rows() {
                if left == 0 {
                    return Ok(false);
                }
                encoder.row(*next, &mut attendance.out.buffer)?;
                *next += 1;
                cursor.sent += 1;
                left -= 1;
                if attendance.out.full() {
                    attendance.flush(running).await?;
                }
            }
        }
        if left == 0 {
            return Ok(false);
        }
        cursor.batch = match attendance
            .wait(running, next(cursor, running.cancel()))
            .await?
        {
            Some(batch) => Some((
                BatchEncoder::new(&batch, &cursor.rows.fields, formats, style)?,
                0,
            )),
            None => return Ok(true),
        };
    }
}

/// The next batch. A portal's later rows are stopped by the Execute that asks for them, not by the one that began.
async fn next(cursor: &mut Cursor, cancel: &Cancel) -> alcedo_engine::Result<Option<RecordBatch>> {
    tokio::select! {
        biased;
        () = cancel.token.cancelled() => Err(cancel.error()),
        batch = cursor.rows.next() => batch.transpose(),
    }
}
