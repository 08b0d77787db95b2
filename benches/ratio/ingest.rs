//! `ingest`: a topic of JSON records to Arrow. Ours is the engine used as a library: `select` on a source, its batches
//! taken as they come. Theirs is what one writes by hand: `StreamConsumer`, each message awaited and given to
//! arrow-json's decoder. Both read a real broker from its first record, connecting included.

use std::sync::Arc;

use alcedo_engine::session::{Output, SessionOptions};
use alcedo_engine::{Components, Config, Engine, Session};
use arrow::array::RecordBatch;
use arrow::compute::{cast, concat_batches, sort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_json::ReaderBuilder;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio::runtime::Runtime;

use super::Outcome;
use super::compare::{Case, Report};
use super::harness::kafka;
use super::random::Random;

const RECORDS: usize = 400_000;
const PARTITIONS: i32 = 3;
const TOPIC: &str = "payments";
const BATCH_ROWS: usize = 8192;
const ROUNDS: usize = 7;

/// Fills the topic, compares the rows of both sides, measures.
pub fn run(report: &mut Report) -> Outcome<()> {
    let runtime = Runtime::new()?;
    runtime.block_on(kafka::topic(TOPIC, PARTITIONS));
    fill();
    let (engine, session) = runtime.block_on(open())?;
    let ours = concat(&runtime.block_on(read(&session))?)?;
    let theirs = concat(&runtime.block_on(consume())?)?;
    let equal = compare(&ours, &theirs)?;
    let case = Case {
        name: "ingest/json",
        unit: "records",
        work: RECORDS as f64,
        equal,
        rounds: ROUNDS,
    };
    report.measure(
        &case,
        || counted(&runtime.block_on(read(&session))?),
        || counted(&runtime.block_on(consume())?),
    )?;
    drop(session);
    runtime.block_on(engine.close());
    Ok(())
}

/// Payments of about 200 bytes each.
fn fill() {
    let mut random = Random::new(3);
    let values: Vec<String> = (0..RECORDS)
        .map(|n| {
            format!(
                "{{\"payment_id\":{n},\"card_id\":{},\"amount\":{}.{:02},\"currency\":\"{}\",\"merchant\":\"merchant {}\",\
                 \"country\":\"{}\",\"online\":{},\"at\":\"2024-05-{:02}T{:02}:{:02}:{:02}.{:03}Z\"}}",
                random.below(50_000),
                random.below(900),
                random.below(100),
                ["EUR", "USD", "GBP"][random.below(3) as usize],
                random.below(4_000),
                ["DE", "FR", "US", "GB", "ES"][random.below(5) as usize],
                random.below(2) == 0,
                1 + random.below(28),
                random.below(24),
                random.below(60),
                random.below(60),
                random.below(1000),
            )
        })
        .collect();
    kafka::send(
        TOPIC,
        (0..PARTITIONS)
            .cycle()
            .zip(&values)
            .map(|(partition, value)| kafka::Sent {
                partition: Some(partition),
                value: Some(value.as_bytes()),
                ..kafka::Sent::default()
            }),
    );
}

async fn open() -> Outcome<(Engine, Session)> {
    let engine = Engine::open(Config::default(), Components::default()).await?;
    let session = engine.session(SessionOptions::default())?;
    let source = format!(
        "create source payments (payment_id bigint, card_id bigint, amount float8, currency text, merchant text, \
         country text, online boolean, at timestamptz) with (connector = 'kafka', topic = '{TOPIC}', \
         properties.bootstrap.server = '{}') format plain encode json",
        kafka::address()
    );
    session.run(&source).await?;
    Ok((engine, session))
}

/// Our side: every column of every record, as a query gives them.
async fn read(session: &Session) -> Outcome<Vec<RecordBatch>> {
    let _running = session.begin();
    let parsed = session.parse(
        "select payment_id, card_id, amount, currency, merchant, country, online, at from payments",
    )?;
    let parsed = parsed
        .into_iter()
        .next()
        .ok_or("the script has one statement")?;
    let prepared = session.prepare(parsed, &[]).await?;
    let Output::Rows(mut rows) = session
        .execute(session.bind(&prepared, Vec::new())?)
        .await?
    else {
        return Err("a query gives rows".into());
    };
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch?);
    }
    Ok(batches)
}

fn schema() -> SchemaRef {
    let at = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [
        ("payment_id", DataType::Int64),
        ("card_id", DataType::Int64),
        ("amount", DataType::Float64),
        ("currency", DataType::Utf8),
        ("merchant", DataType::Utf8),
        ("country", DataType::Utf8),
        ("online", DataType::Boolean),
        ("at", at),
    ];
    let fields: Vec<Field> = columns
        .into_iter()
        .map(|(name, ty)| Field::new(name, ty, true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Their side: one message awaited after the other.
async fn consume() -> Outcome<Vec<RecordBatch>> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka::address())
        .set("group.id", "ratio")
        .set("enable.auto.commit", "false")
        // Unset, a full queue makes it wait a second, and the wait would be what is measured.
        .set("queued.min.messages", "10000000")
        .set("queued.max.messages.kbytes", "1000000")
        .set("fetch.queue.backoff.ms", "10");
    let consumer: StreamConsumer = config.create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let mut decoder = ReaderBuilder::new(schema())
        .with_batch_size(BATCH_ROWS)
        .build_decoder()?;
    let mut batches = Vec::new();
    for _ in 0..RECORDS {
        let message = consumer.recv().await?;
        let payload = message.payload().ok_or("a record has a value")?;
        let taken = decoder.decode(payload)?;
        if taken != payload.len() {
            return Err("a record is not one JSON object".into());
        }
        if decoder.len() == BATCH_ROWS {
            batches.extend(decoder.flush()?);
        }
    }
    batches.extend(decoder.flush()?);
    Ok(batches)
}

fn counted(batches: &[RecordBatch]) -> Outcome<()> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows == RECORDS {
        Ok(())
    } else {
        Err(format!("{rows} records came, not {RECORDS}").into())
    }
}

/// All rows in one batch, in the order of their number, in the types of the hand-written side.
fn concat(batches: &[RecordBatch]) -> Outcome<RecordBatch> {
    counted(batches)?;
    let one = concat_batches(&batches[0].schema(), batches)?;
    let schema = schema();
    let columns = one
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<_, _>>()?;
    let one = RecordBatch::try_new(schema, columns)?;
    let order = sort_to_indices(one.column(0), None, None)?;
    Ok(take_record_batch(&one, &order)?)
}

/// Every value; how many there are.
fn compare(ours: &RecordBatch, theirs: &RecordBatch) -> Outcome<u64> {
    for (index, field) in schema().fields().iter().enumerate() {
        if ours.column(index) != theirs.column(index) {
            return Err(
                format!("the column {} differs between the two sides", field.name()).into(),
            );
        }
    }
    Ok((ours.num_rows() * ours.num_columns()) as u64)
}
