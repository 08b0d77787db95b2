//! Where a source begins: resolved once, when it is made.

use super::client::{Connection, on_thread};
use super::metadata::AtTime;
use super::options::Start;
use crate::catalog::Source;
use crate::error::{Error, Result};
use crate::source::Access;
use alcedo_sql::SqlState;
use std::collections::BTreeMap;

/// Asks the broker for the topic's id and the first offsets of a source, and puts them in.
///
/// # Errors
/// 08006 when the broker cannot be reached, 42704 when there is no such topic, 22023 for offsets that cannot be.
pub async fn resolve(access: &Access, mut source: Source, start: Start) -> Result<Source> {
    let own = access.clone();
    on_thread(access, move || {
        let connection = Connection::open(&own, &source)?;
        let partitions = connection.partitions()?;
        source.start = first_offsets(&connection, &partitions, &start)?;
        source.topic_id = connection.topic_id()?;
        Ok(source)
    })
    .await
}

fn first_offsets(connection: &Connection, partitions: &[i32], start: &Start) -> Result<BTreeMap<i32, i64>> {
    match start {
        Start::Earliest => connection.lows(partitions),
        Start::Latest => connection.highs(partitions),
        Start::Timestamp(millis) => {
            let (found, highs) = (connection.at_time(partitions, *millis)?, connection.highs(partitions)?);
            let lows = connection.lows(partitions)?;
            let offsets = found.into_iter().map(|(partition, at)| {
                let (low, high) = (of(&lows, partition), of(&highs, partition));
                match at {
                    AtTime::First(offset) => Ok((partition, offset)),
                    AtTime::AllOlder => Ok((partition, high)),
                    AtTime::Unknown if low == high => Ok((partition, high)),
                    AtTime::Unknown => Err(Error::unsupported("the broker does not look offsets up by time")
                        .hint("Use another scan.startup.mode, or a predicate on the timestamp column.")),
                }
            });
            offsets.collect()
        }
        Start::Offsets(given) => {
            let (lows, highs) = (connection.lows(partitions)?, connection.highs(partitions)?);
            for (partition, offset) in given {
                let Some(high) = highs.get(partition) else {
                    let text = format!("topic \"{}\" has no partition {partition}", connection.topic);
                    return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
                        .detail(format!("It has {} partitions.", partitions.len())));
                };
                if offset > high {
                    let text = format!("partition {partition} of topic \"{}\" has no offset {offset}", connection.topic);
                    return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
                        .detail(format!("The next record will have offset {high}.")));
                }
            }
            // Partitions that are not named begin where they do.
            Ok(lows.into_iter().map(|(p, low)| (p, given.get(&p).copied().unwrap_or(low))).collect())
        }
    }
}

fn of(offsets: &BTreeMap<i32, i64>, partition: i32) -> i64 {
    offsets.get(&partition).copied().unwrap_or(0)
}
