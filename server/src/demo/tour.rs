//! The SQL of the demo: what sets it up, and what its user sees first.

use alcedo_sql::quote_literal;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// What is done before the user comes, each with what it is.
pub(super) fn setup(history: &Path, broker: &str) -> Vec<(&'static str, String)> {
    let location = quote_literal(&format!("file://{}", history.display()));
    let broker = quote_literal(broker);
    vec![
        (
            "table payment_history: 120000 labelled payments",
            format!(
                "create external table history_file (payment_id bigint, card_id bigint, category text, country text, \
                 amount double precision, hour int, minutes_since_last double precision, is_fraud boolean) \
                 stored as csv location {location} options (header 'true'); \
                 create table payment_history as select * from history_file; \
                 drop table history_file"
            ),
        ),
        (
            "model fraud: LightGBM, trained on the history",
            "create model fraud options (label = 'is_fraud', num_iterations = 60, learning_rate = 0.1, seed = 7, num_threads = 1) as \
             select category, country, amount, hour, minutes_since_last, is_fraud from payment_history"
                .to_owned(),
        ),
        (
            "sources payments and payment_labels: topics of the broker",
            format!(
                "create source payments (payment_id bigint, card_id bigint, category text, country text, \
                 amount double precision, hour int, minutes_since_last double precision, at timestamptz) \
                 include partition include offset include timestamp \
                 with (connector = 'kafka', topic = 'payments', properties.bootstrap.server = {broker}) \
                 format plain encode json; \
                 create source payment_labels (payment_id bigint, is_fraud boolean, at timestamptz) \
                 with (connector = 'kafka', topic = 'payment_labels', properties.bootstrap.server = {broker}) \
                 format plain encode json"
            ),
        ),
    ]
}

/// The lines that greet the user.
pub(super) fn text(listen: SocketAddr, took: Duration) -> String {
    format!(
        "
Ready after {:.0} s. Connect with any Postgres client:

  psql \"host={} port={} user=alcedo\"

and try:

  -- the newest payments of the stream, scored as they are read
  select card_id, amount, predict(fraud using *) from payments order by payment_id desc limit 5;

  -- the riskiest ones, by probability
  select payment_id, category, country, amount, predict_proba(fraud using *, class => true) as risk
  from payments order by risk desc limit 5;

  -- how good is the model on rows it has not seen?
  select * from ml.evaluate(model fraud);

  -- the stream joined with what came out later, against the forecast
  select l.is_fraud, count(*), avg(predict_proba(fraud using p.*, class => true))
  from payments p join payment_labels l on l.payment_id = p.payment_id group by 1;

  train model fraud;
  show models;

Everything is temporary: it ends with this process (Ctrl-C).",
        took.as_secs_f64(),
        listen.ip(),
        listen.port()
    )
}
