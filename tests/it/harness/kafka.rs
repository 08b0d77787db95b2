//! Apache Kafka: one broker in KRaft mode from the jars that tests/run fetched, and a client to fill topics.

use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use super::process::{Process, run};
use super::{Scratch, cache, free_port, until};

struct Broker {
    _process: Mutex<Process>,
    address: String,
    guarded: Guarded,
    _dir: Scratch,
}

/// The broker's door for those with a password, over TLS.
pub struct Guarded {
    /// `127.0.0.1:port`
    pub address: String,
    /// The certificate to trust, a PEM file.
    pub certificate: String,
    /// The one user, and the password.
    pub user: (&'static str, &'static str),
}

fn broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(start)
}

/// The address of the broker, which is started by the first test that asks.
pub fn address() -> &'static str {
    &broker().address
}

/// The same broker, reached with SASL/PLAIN over TLS.
pub fn guarded() -> &'static Guarded {
    &broker().guarded
}

const LOGGING: &str = "status=error
appender.f.type=File
appender.f.name=F
appender.f.fileName=${sys:kafka.logs}/server.log
appender.f.layout.type=PatternLayout
appender.f.layout.pattern=%d %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.f.ref=F
";

/// Sixteen bytes in base64; any will do, since the store is new.
const CLUSTER: &str = "AAECAwQFBgcICQoLDA0ODw";

fn java(folder: &Scratch) -> Command {
    let mut command = Command::new("java");
    let jars = format!("{}/*", cache().join("kafka").display());
    command.args([
        "-Xms256m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
    ]);
    command.arg(format!(
        "-Dlog4j2.configurationFile={}",
        folder.join("log4j2.properties")
    ));
    command
        .arg(format!("-Dkafka.logs={}", folder.path().display()))
        .args(["-cp", &jars]);
    command
}

/// What the broker's keys are locked with.
const LOCK: &str = "changeit";

/// Keys of the broker, and the certificate that clients trust.
fn keys(dir: &Scratch) -> (String, String) {
    let (store, certificate) = (dir.join("broker.p12"), dir.join("broker.pem"));
    let common = ["-alias", "broker", "-keystore", &store, "-storepass", LOCK];
    for arguments in [
        "-genkeypair -keyalg RSA -keysize 2048 -dname CN=broker -ext san=ip:127.0.0.1 -validity 3650 -storetype PKCS12",
        "-exportcert -rfc -file",
    ] {
        let mut keytool = Command::new("keytool");
        keytool.args(arguments.split(' '));
        if arguments.ends_with("-file") {
            keytool.arg(&certificate);
        }
        keytool.args(common);
        let done = run("keytool", keytool, Duration::from_secs(60));
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    }
    (store, certificate)
}

/// The broker's settings, with doors for all, for those with a password, and for itself.
fn settings(
    dir: &Scratch,
    [port, safe, controller]: [u16; 3],
    keys: &str,
    (user, password): (&str, &str),
) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SAFE://127.0.0.1:{safe}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SAFE://127.0.0.1:{safe}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SAFE:SASL_SSL
inter.broker.listener.name=PLAINTEXT
listener.name.safe.sasl.enabled.mechanisms=PLAIN
listener.name.safe.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}=\"{password}\";
listener.name.safe.ssl.keystore.type=PKCS12
listener.name.safe.ssl.keystore.location={keys}
listener.name.safe.ssl.keystore.password={LOCK}
listener.name.safe.ssl.key.password={LOCK}
log.dirs={}
num.partitions=3
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
",
        dir.join("kraft")
    )
}

fn start() -> Broker {
    let dir = Scratch::new("kafka");
    let (port, controller, safe) = (free_port(), free_port(), free_port());
    let (store, certificate) = keys(&dir);
    let user = ("ada", "correct horse");
    let properties = dir.write(
        "server.properties",
        &settings(&dir, [port, safe, controller], &store, user),
    );
    dir.write("log4j2.properties", LOGGING);
    let mut format = java(&dir);
    format.args([
        "kafka.tools.StorageTool",
        "format",
        "-t",
        CLUSTER,
        "-c",
        &properties,
    ]);
    let done = run("kafka-format", format, Duration::from_secs(60));
    assert!(
        done.code == 0,
        "formatting Kafka's store ended with {}\n{}\n{}",
        done.code,
        done.stdout,
        done.stderr
    );
    let mut server = java(&dir);
    server.args(["kafka.Kafka", &properties]);
    let mut process = Process::start("kafka", server);
    let address = format!("127.0.0.1:{port}");
    until("Kafka answers", Duration::from_secs(90), || {
        if let Some(status) = process.ended() {
            let log = std::fs::read_to_string(dir.join("server.log")).unwrap_or_default();
            panic!("Kafka ended with {status}\n{}\n{log}", process.log());
        }
        let asker: BaseConsumer = config(&address)
            .create()
            .expect("a client needs no broker to be made");
        asker
            .fetch_metadata(None, Duration::from_secs(2))
            .is_ok_and(|m| !m.brokers().is_empty())
    });
    Broker {
        _process: Mutex::new(process),
        address,
        guarded: Guarded {
            address: format!("127.0.0.1:{safe}"),
            certificate,
            user,
        },
        _dir: dir,
    }
}

fn config(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    // Connection attempts before the broker is up are no news.
    config
        .set("bootstrap.servers", address)
        .set("log_level", "0");
    config
}

/// Makes a topic.
pub async fn topic(name: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        config(address()).create().expect("the options are right");
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    let made = admin
        .create_topics([&topic], &options)
        .await
        .expect("Kafka answers");
    assert!(
        made.iter().all(Result::is_ok),
        "making the topic {name}: {made:?}"
    );
}

/// What a test puts into a topic. `value` of `None` is a tombstone.
#[derive(Default, Clone)]
pub struct Sent<'a> {
    /// Which partition; by the key when absent.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<&'a str>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Names and values of headers.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Sends records in order and waits until the broker has them all.
pub fn send<'a>(topic: &str, records: impl IntoIterator<Item = Sent<'a>>) {
    let mut config = config(address());
    config
        .set("acks", "all")
        .set("queue.buffering.max.messages", "1000000")
        .set("linger.ms", "5");
    let producer: ThreadedProducer<_> = config.create().expect("the options are right");
    for sent in records {
        let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(topic);
        record.partition = sent.partition;
        record.key = sent.key;
        record.payload = sent.value;
        record.timestamp = sent.timestamp;
        if !sent.headers.is_empty() {
            let mut headers = OwnedHeaders::new();
            for &(key, value) in sent.headers {
                headers = headers.insert(Header {
                    key,
                    value: Some(value),
                });
            }
            record.headers = Some(headers);
        }
        if let Err((e, _)) = producer.send(record) {
            panic!("sending to {topic}: {e}");
        }
    }
    producer
        .flush(Duration::from_secs(60))
        .expect("Kafka takes what it is sent");
}

/// A record as another client reads it.
#[derive(Debug, PartialEq)]
pub struct Received {
    /// Its partition.
    pub partition: i32,
    /// Its key as text.
    pub key: Option<String>,
    /// Its value as text.
    pub value: Option<String>,
    /// Names and values of its headers.
    pub headers: Vec<(String, String)>,
}

/// Reads the first `count` records of a topic with a client that is not Alcedo.
pub fn receive(topic: &str, count: usize) -> Vec<Received> {
    let mut config = config(address());
    config
        .set("group.id", "reader")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("the options are right");
    let metadata = consumer
        .fetch_metadata(Some(topic), Duration::from_secs(10))
        .expect("Kafka answers");
    let mut list = rdkafka::TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), rdkafka::Offset::Beginning)
            .expect("the beginning is an offset");
    }
    consumer
        .assign(&list)
        .expect("partitions that exist can be assigned");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut received = Vec::new();
    while received.len() < count {
        let message = consumer.poll(Duration::from_secs(20));
        let message = message
            .unwrap_or_else(|| panic!("{topic}: {} of {count} records came", received.len()));
        let message = message.expect("Kafka gives what it has");
        let headers = message.headers().map_or(Vec::new(), |all| {
            all.iter()
                .map(|h| (h.key.to_owned(), h.value.map_or(String::new(), text)))
                .collect()
        });
        received.push(Received {
            partition: message.partition(),
            key: message.key().map(text),
            value: message.payload().map(text),
            headers,
        });
    }
    received
}
