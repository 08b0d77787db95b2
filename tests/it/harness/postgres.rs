//! PostgreSQL 15, the oracle of clients: one throw-away cluster per run.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use super::process::{Process, run};
use super::{Scratch, free_port, until};

struct Cluster {
    process: std::sync::Mutex<Process>,
    port: u16,
    _dir: Scratch,
}

/// Connection parameters of the cluster, which is started by the first test that asks.
pub fn conninfo() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(start);
    let ended: Option<ExitStatus> = cluster.process.lock().expect("asking cannot panic").ended();
    assert!(ended.is_none(), "PostgreSQL has ended: {ended:?}");
    format!(
        "host=127.0.0.1 port={} user=alcedo dbname=postgres",
        cluster.port
    )
}

/// Debian keeps the server's programs out of the search path.
fn program(name: &str) -> PathBuf {
    let debian = Path::new("/usr/lib/postgresql/15/bin").join(name);
    if debian.exists() { debian } else { name.into() }
}

/// PostgreSQL refuses to run as root: there, Debian's user of that name runs it.
fn user() -> Option<(u32, u32)> {
    // SAFETY: geteuid only reads.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the list of users can be read");
    let line = users
        .lines()
        .find(|l| l.starts_with("postgres:"))
        .expect("Debian's PostgreSQL made a user postgres");
    let mut fields = line
        .split(':')
        .skip(2)
        .map(|f| f.parse().expect("user ids are numbers"));
    Some((
        fields.next().expect("a user has an id"),
        fields.next().expect("a user has a group"),
    ))
}

fn as_user(mut command: Command, folder: &Path) -> Command {
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid);
    }
    command
        .current_dir(folder)
        .env_remove("LANG")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    command
}

fn start() -> Cluster {
    let dir = Scratch::new("postgres");
    if let Some((uid, gid)) = user() {
        std::os::unix::fs::chown(dir.path(), Some(uid), Some(gid))
            .expect("root gives folders away");
    }
    let data = dir.join("data");
    let mut init = Command::new(program("initdb"));
    init.args([
        "-D",
        &data,
        "-U",
        "alcedo",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "-N",
    ]);
    let done = run("initdb", as_user(init, dir.path()), Duration::from_secs(60));
    assert!(
        done.code == 0,
        "initdb ended with {}\n{}\n{}",
        done.code,
        done.stdout,
        done.stderr
    );
    let port = free_port();
    let mut server = Command::new(program("postgres"));
    server.args([
        "-D",
        &data,
        "-p",
        &port.to_string(),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
    ]);
    server.args([
        "-c",
        "unix_socket_directories=",
        "-c",
        "timezone=UTC",
        "-c",
        "shared_buffers=32MB",
    ]);
    let mut process = Process::start("postgres", as_user(server, dir.path()));
    until("PostgreSQL is ready", Duration::from_secs(30), || {
        if let Some(status) = process.ended() {
            panic!("PostgreSQL ended with {status}\n{}", process.log());
        }
        let mut ask = Command::new(program("pg_isready"));
        ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
        run("pg_isready", ask, Duration::from_secs(10)).code == 0
    });
    Cluster {
        process: std::sync::Mutex::new(process),
        port,
        _dir: dir,
    }
}
