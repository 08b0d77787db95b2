//! Sources over a real broker: `values` of records as rows, `reading` of topics, `letters` that do not decode, `writing`
//! back, and `sources` as objects.

mod letters;
mod reading;
mod sources;
mod values;
mod writing;

use crate::harness::clients::Session;
use crate::harness::kafka::{Sent, address, send};
use crate::harness::server::Server;

/// `CREATE SOURCE` with the columns and further clauses, over a topic of the same name.
fn create(name: &str, columns: &str, include: &str, with: &str) -> String {
    let comma = if with.is_empty() { "" } else { ", " };
    format!(
        "create source {name} ({columns}) {include} with (connector = 'kafka', topic = '{name}', \
         properties.bootstrap.server = '{}'{comma}{with}) format plain encode json",
        address()
    )
}

/// Records of partition 0.
fn fill<T: AsRef<[u8]>>(topic: &str, values: &[T]) {
    send(
        topic,
        values.iter().map(|v| Sent {
            partition: Some(0),
            value: Some(v.as_ref()),
            ..Sent::default()
        }),
    );
}

async fn started() -> (Server, Session) {
    let server = Server::start(&[]);
    let session = server.connect().await;
    (server, session)
}

fn cells(row: &[&str]) -> Vec<String> {
    row.iter().map(|&c| c.to_owned()).collect()
}
