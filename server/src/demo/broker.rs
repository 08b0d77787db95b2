//! A Kafka broker in this process (librdkafka's mock cluster) and the generator that fills its topics.
//!
//! The mock keeps 5 MiB per partition and forgets older records (at the usual rate after half an hour); it has no
//! timestamps to seek to. It is bound to the thread that made it, so that thread generates, too.

use super::payments::{Payment, Random};
use alcedo_engine::{Error, Kind, Result};
use alcedo_sql::SqlState;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 8;
/// Time between two batches of records. The mock answers a fetch with one batch, so small ones would be slow to read.
const BEAT: Duration = Duration::from_millis(500);
/// Payments that are there when the broker is ready, with their labels.
const FIRST: u64 = 2000;
/// Numbers of streamed payments begin above those of the history.
const FIRST_ID: u64 = 1_000_000;
/// How long after a payment its label comes.
const LABEL_AFTER: Duration = Duration::from_secs(10);

/// The broker and its generator.
#[derive(Debug)]
pub(super) struct Broker {
    address: String,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Broker {
    /// Starts both; returns once the first payments are in their topic.
    pub(super) fn start(rate: u32, seed: u64) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, started) = channel();
        let asked = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("demo-broker".to_owned())
            .spawn(move || {
                if let Err(error) = work(rate, seed, &asked, &ready) {
                    // Before it is ready the starter hears of it; afterwards nobody waits.
                    if ready.send(Err(error.to_string())).is_err() {
                        tracing::error!(%error, "the demo's generator ended");
                    }
                }
            })
            .map_err(|e| Error::internal(format!("the system gives no thread: {e}")))?;
        let broken = |why: String| {
            Error::new(
                Kind::Unavailable,
                SqlState::CONNECTION_FAILURE,
                format!("the demo's broker did not start: {why}"),
            )
        };
        let address = started
            .recv()
            .map_err(|e| broken(e.to_string()))?
            .map_err(broken)?;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// Where it listens, as `bootstrap.servers`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Ends generator and broker.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!("the demo's generator broke off");
        }
    }
}

fn work(
    rate: u32,
    seed: u64,
    stop: &AtomicBool,
    ready: &Sender<std::result::Result<String, String>>,
) -> std::result::Result<(), KafkaError> {
    let cluster = MockCluster::new(1)?;
    cluster.create_topic("payments", PARTITIONS, 1)?;
    cluster.create_topic("payment_labels", 1, 1)?;
    let address = cluster.bootstrap_servers();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &address)
        .set("linger.ms", "5")
        .set("acks", "all")
        .create()?;
    let mut generator = Generator {
        producer,
        random: Random::new(seed),
        next: FIRST_ID,
        unlabelled: VecDeque::new(),
    };
    generator.payments(FIRST)?;
    generator.labels(Duration::ZERO)?;
    generator.producer.flush(Duration::from_secs(10))?;
    if ready.send(Ok(address)).is_err() {
        return Ok(());
    }
    let began = Instant::now();
    let mut sent = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        generator.payments(due - sent)?;
        sent = due;
        generator.labels(LABEL_AFTER)?;
        generator.producer.poll(Duration::ZERO);
        std::thread::sleep(BEAT);
    }
    Ok(())
}

struct Generator {
    producer: BaseProducer,
    random: Random,
    next: u64,
    unlabelled: VecDeque<(Instant, Payment)>,
}

impl Generator {
    fn payments(&mut self, count: u64) -> std::result::Result<(), KafkaError> {
        for _ in 0..count {
            let payment = Payment::make(self.next, &mut self.random);
            self.next += 1;
            let key = payment.card.to_string();
            self.send("payments", &key, &payment.json(&now()))?;
            self.unlabelled.push_back((Instant::now(), payment));
        }
        Ok(())
    }

    fn labels(&mut self, after: Duration) -> std::result::Result<(), KafkaError> {
        while let Some((_, payment)) = self
            .unlabelled
            .pop_front_if(|(at, _)| at.elapsed() >= after)
        {
            self.send(
                "payment_labels",
                &payment.id.to_string(),
                &payment.label_json(&now()),
            )?;
        }
        Ok(())
    }

    fn send(&self, topic: &str, key: &str, value: &str) -> std::result::Result<(), KafkaError> {
        let mut record = BaseRecord::to(topic).key(key).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back))
                    if error.rdkafka_error_code()
                        == Some(rdkafka::types::RDKafkaErrorCode::QueueFull) =>
                {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }
}

fn now() -> String {
    chrono::Utc::now()
        .format("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}
