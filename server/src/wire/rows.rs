//! Sending rows: the next batch is made only when the last one is in the client's hands or in the socket's buffer,
//! so a slow client costs no memory.

use super::connection::Attendance;
use super::portal::Cursor;
use super::{End, Fault};
use crate::encode::{BatchEncoder, Format, Style};
use alcedo_engine::session::Running;

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
                    flush(attendance, running).await?;
                }
            }
        }
        if left == 0 {
            return Ok(false);
        }
        cursor.batch = match attendance.wait(running, next(cursor)).await? {
            Some(batch) => Some((BatchEncoder::new(&batch, &cursor.rows.fields, formats, style)?, 0)),
            None => return Ok(true),
        };
    }
}

async fn next(cursor: &mut Cursor) -> alcedo_engine::Result<Option<arrow::record_batch::RecordBatch>> {
    cursor.rows.next().await.transpose()
}

/// Sends what is buffered, unless the statement is cancelled, the client leaves or the server goes down first.
async fn flush(attendance: &mut Attendance<'_>, running: &Running) -> Result<(), Fault> {
    let cancel = running.cancel();
    tokio::select! {
        biased;
        sent = attendance.out.flush() => Ok(sent.map_err(End::from)?),
        () = cancel.token.cancelled() => Err(Fault::Error(cancel.error())),
        () = attendance.control.kill.cancelled() => Err(Fault::End(End::Shutdown)),
        end = attendance.reader.gone() => Err(Fault::End(end)),
    }
}
