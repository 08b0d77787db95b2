//! An S3 server: moto from the private Python environment, its state in memory.

use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use super::process::Process;
use super::{free_port, http, python, until};

struct Store {
    _process: Mutex<Process>,
    port: u16,
}

/// The port of the store, which is started by the first test that asks.
pub fn port() -> u16 {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(start).port
}

fn start() -> Store {
    let port = free_port();
    let mut command = Command::new(python());
    command.args([
        "-m",
        "moto.server",
        "-H",
        "127.0.0.1",
        "-p",
        &port.to_string(),
    ]);
    let mut process = Process::start("moto", command);
    until("the S3 server answers", Duration::from_secs(60), || {
        if let Some(status) = process.ended() {
            panic!("the S3 server ended with {status}\n{}", process.log());
        }
        matches!(http::request(port, "GET", "/moto-api/", b""), Ok((200, _)))
    });
    Store {
        _process: Mutex::new(process),
        port,
    }
}

/// Makes a bucket.
pub fn bucket(name: &str) {
    let answer =
        http::request(port(), "PUT", &format!("/{name}"), b"").expect("the S3 server answers");
    assert!(answer.0 == 200, "making the bucket {name}: {answer:?}");
}

/// The store lets nobody replace or read an object of others without a signature, of which it looks at the name only.
const SIGNED: &str = "?Signature=any";

/// Puts an object, also over one that is there.
pub fn put(bucket: &str, key: &str, body: &[u8]) {
    let answer = http::request(port(), "PUT", &format!("/{bucket}/{key}{SIGNED}"), body)
        .expect("the S3 server answers");
    assert!(answer.0 == 200, "putting {bucket}/{key}: {answer:?}");
}

/// An object; bytes that are no UTF-8 are replaced.
pub fn get(bucket: &str, key: &str) -> String {
    let (status, body) = http::request(port(), "GET", &format!("/{bucket}/{key}{SIGNED}"), b"")
        .expect("the S3 server answers");
    assert!(status == 200, "getting {bucket}/{key}: {status} {body}");
    body
}

/// The keys of a bucket that begin with `prefix`.
pub fn keys(bucket: &str, prefix: &str) -> Vec<String> {
    let path = format!("/{bucket}?list-type=2&prefix={prefix}");
    let (status, body) = http::request(port(), "GET", &path, b"").expect("the S3 server answers");
    assert!(status == 200, "listing {bucket}: {status} {body}");
    body.split("<Key>")
        .skip(1)
        .filter_map(|part| part.split("</Key>").next())
        .map(str::to_owned)
        .collect()
}

/// The environment by which a process reaches the store, as the standard AWS variables.
pub fn environment() -> Vec<(String, String)> {
    [
        (
            "AWS_ENDPOINT_URL",
            format!("http://127.0.0.1:{}", port()).as_str(),
        ),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec()
}
