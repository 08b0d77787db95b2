//! Sessions of tokio-postgres, with their notices kept and errors in one line: what most tests speak.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use tokio_postgres::{AsyncMessage, Client, Error, NoTls, SimpleQueryMessage};

/// A connection and the notices that came over it.
pub struct Session {
    /// The client; tests use it directly for all that has no name here.
    pub client: Client,
    notices: Arc<Mutex<Vec<String>>>,
}

/// Connects, panicking with the server's words when it refuses.
pub async fn connect(conninfo: &str) -> Session {
    try_connect(conninfo)
        .await
        .unwrap_or_else(|e| panic!("{conninfo}: {}", describe(&e)))
}

/// Connects.
pub async fn try_connect(conninfo: &str) -> Result<Session, Error> {
    let (client, mut connection) = tokio_postgres::connect(conninfo, NoTls).await?;
    let notices = Arc::new(Mutex::new(Vec::new()));
    let kept = notices.clone();
    tokio::spawn(async move {
        let mut messages =
            futures::stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(message) = messages.next().await {
            match message {
                Ok(AsyncMessage::Notice(notice)) => {
                    let line = format!("{}: {}", notice.severity(), notice.message());
                    kept.lock()
                        .expect("keeping a notice cannot panic")
                        .push(line);
                }
                Ok(_) => {}
                // The client gets the same error from its next call.
                Err(_) => return,
            }
        }
    });
    Ok(Session { client, notices })
}

/// `SQLSTATE: message | detail | hint`, or what the driver says when the server said nothing.
pub fn describe(error: &Error) -> String {
    let Some(e) = error.as_db_error() else {
        return format!("driver: {error}");
    };
    let mut text = format!("{}: {}", e.code().code(), e.message());
    for part in [e.detail(), e.hint()].into_iter().flatten() {
        text.push_str(" | ");
        text.push_str(part);
    }
    text
}

impl Session {
    /// Runs statements that must succeed.
    pub async fn run(&self, sql: &str) {
        if let Err(e) = self.client.batch_execute(sql).await {
            panic!("{sql}\n{}", describe(&e));
        }
    }

    /// Rows as text (`NULL` for null), through the simple protocol.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let messages = self
            .client
            .simple_query(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}\n{}", describe(&e)));
        let mut rows = Vec::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push(
                    (0..row.len())
                        .map(|i| row.get(i).unwrap_or("NULL").to_owned())
                        .collect(),
                );
            }
        }
        rows
    }

    /// The one value of a query.
    pub async fn one(&self, sql: &str) -> String {
        let mut rows = self.rows(sql).await;
        assert!(
            rows.len() == 1 && rows[0].len() == 1,
            "{sql}: not one value but {rows:?}"
        );
        rows.remove(0).remove(0)
    }

    /// The one value of a query as a number.
    pub async fn number(&self, sql: &str) -> i64 {
        let text = self.one(sql).await;
        text.parse()
            .unwrap_or_else(|_| panic!("{sql}: not an integer: {text}"))
    }

    /// The error of statements that must fail, in one line.
    pub async fn error(&self, sql: &str) -> String {
        match self.client.simple_query(sql).await {
            Ok(_) => panic!("{sql}\nsucceeded, an error was expected"),
            Err(e) => describe(&e),
        }
    }

    /// The notices since the last call.
    pub fn notices(&self) -> Vec<String> {
        std::mem::take(&mut self.notices.lock().expect("keeping a notice cannot panic"))
    }
}
