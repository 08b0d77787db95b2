//! Alcedo itself as the tests see it: the built binary on a data directory, on ports that it chose.

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use super::process::Process;
use super::{Scratch, binary};

const START: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills it.
pub struct Server {
    process: Process,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Where it listens for Postgres clients.
    pub port: u16,
    /// Where it answers HTTP.
    pub http: u16,
    /// Its data directory, also after a restart; an object store's has its own life.
    pub dir: Scratch,
}

impl Server {
    /// A server on a data directory of its own; `arguments` follow `alcedo serve …`.
    pub fn start(arguments: &[&str]) -> Server {
        Server::start_with(arguments, &[])
    }

    /// The same with environment variables.
    pub fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let dir = Scratch::new("alcedo");
        let mut all = vec!["serve".to_owned()];
        for (flag, default) in [
            ("--data-dir", dir.join("data").as_str()),
            ("--listen", "127.0.0.1:0"),
            ("--http", "127.0.0.1:0"),
        ] {
            if !arguments.contains(&flag) {
                all.extend([flag.to_owned(), default.to_owned()]);
            }
        }
        all.extend(arguments.iter().map(|&a| a.to_owned()));
        let environment = environment
            .iter()
            .map(|&(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        Server::run(all, environment, dir)
    }

    fn run(arguments: Vec<String>, environment: Vec<(String, String)>, dir: Scratch) -> Server {
        let mut command = Command::new(binary());
        command
            .args(&arguments)
            .envs(environment.iter().map(|(k, v)| (k, v)))
            .current_dir(dir.path());
        let process = Process::start("alcedo-server", command);
        let end = Instant::now() + START;
        let (mut port, mut http) = (0, 0);
        while port == 0 || http == 0 {
            let line = process.line(end.saturating_duration_since(Instant::now()));
            let number = |text: &str| {
                text.rsplit(':')
                    .next()
                    .and_then(|p| p.trim().parse().ok())
                    .unwrap_or(0)
            };
            if let Some(at) = line.strip_prefix("listening on ") {
                port = number(at);
            } else if let Some(at) = line.strip_prefix("http on ") {
                http = number(at);
            }
        }
        Server {
            process,
            arguments,
            environment,
            port,
            http,
            dir,
        }
    }

    /// `kill -9`: nothing more is written.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Starts again on the same directory (after [`Server::kill9`] or [`Server::terminate`]).
    pub fn restart(mut self) -> Server {
        self.process.kill();
        let Server {
            process,
            arguments,
            environment,
            dir,
            ..
        } = self;
        drop(process);
        Server::run(arguments, environment, dir)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Waits for the end.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        self.process.wait(within)
    }

    /// SIGTERM, then the exit status and how long it took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let from = Instant::now();
        self.signal(libc::SIGTERM);
        let status = self.wait(Duration::from_secs(20));
        (status, from.elapsed())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.process.resident_bytes()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Parameters of a connection string for libpq and its kin.
    pub fn conninfo(&self) -> String {
        format!(
            "host=127.0.0.1 port={} user=alcedo dbname=alcedo",
            self.port
        )
    }

    /// A new session.
    pub async fn connect(&self) -> super::clients::Session {
        super::clients::connect(&self.conninfo()).await
    }
}
