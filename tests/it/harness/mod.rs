//! Real components for the tests: each started once per run on a free port of the loopback address, asked until it
//! answers, and ended with the test program however that ends.

pub mod clients;
pub mod http;
pub mod kafka;
pub mod postgres;
pub mod process;
pub mod raw;
pub mod s3;
pub mod server;
pub mod value;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The checkout that is tested.
pub fn root() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("tests lies in the checkout")
        .to_owned()
}

/// Where the private environment of the entry points lives (`.ci/env`).
pub fn cache() -> PathBuf {
    match std::env::var_os("ALCEDO_CACHE") {
        Some(path) => path.into(),
        None => panic!("ALCEDO_CACHE is not set: run the tests by tests/run"),
    }
}

/// The Python that has the clients, the S3 server and LightGBM.
pub fn python() -> PathBuf {
    cache().join("python/bin/python")
}

/// The binary under test.
pub fn binary() -> PathBuf {
    match std::env::var_os("ALCEDO_BIN") {
        Some(path) => path.into(),
        None => panic!("ALCEDO_BIN is not set: run the tests by tests/run"),
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback address has a free port");
    socket
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// Asks until `ready` says yes; panics with `what` after the time has passed.
pub fn until(what: &str, within: Duration, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + within;
    while !ready() {
        assert!(Instant::now() < end, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A folder of its own for one test, gone with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new folder whose name begins with `name`; any user may enter it (PostgreSQL refuses to run as root).
    pub fn new(name: &str) -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base =
            std::env::var_os("ALCEDO_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let unique = format!(
            "{name}-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = base.join(unique);
        std::fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Scratch(path)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder with `name` in it, as text.
    pub fn join(&self, name: &str) -> String {
        self.0
            .join(name)
            .to_str()
            .expect("temporary folders have names in UTF-8")
            .to_owned()
    }

    /// Writes a file in the folder and says where it is.
    pub fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        let folder = path.parent().expect("a file in the folder has a parent");
        std::fs::create_dir_all(folder).expect("the folder can be written");
        std::fs::write(&path, content).expect("the folder can be written");
        self.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays in ALCEDO_TEST_DIR, which tests/run removes.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
