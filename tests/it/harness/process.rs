//! Child processes that cannot outlive the tests: the kernel kills them when the thread that started them ends, and
//! that thread lives exactly as long as the test program. Each leads a process group, so its own children go too.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::Scratch;

type Request = (Command, Sender<io::Result<Child>>);

/// Starts a command from the one thread that lives as long as the program.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Mutex<Sender<Request>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (send, receive) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            for (mut command, answer) in receive {
                // The asker waits for the answer, so the other end is there.
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(send)
    });
    let (send, receive) = mpsc::channel();
    starter
        .lock()
        .expect("sending a command cannot panic")
        .send((command, send))
        .expect("the starter thread lives as long as the program");
    receive
        .recv()
        .expect("the starter thread answers every request")
}

/// A running program with its log and the lines it prints.
pub struct Process {
    name: String,
    child: Child,
    lines: Mutex<Receiver<String>>,
    log: PathBuf,
    _dir: Scratch,
}

impl Process {
    /// Starts `command`; standard error goes to a log, standard output is read by [`Process::line`].
    pub fn start(name: &str, mut command: Command) -> Process {
        let dir = Scratch::new(name);
        let log = dir.path().join("stderr.log");
        let stderr = File::create(&log).expect("a log can be written");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .process_group(0);
        // SAFETY: prctl only sets a flag of the new process, without memory or locks of ours.
        unsafe {
            command.pre_exec(
                || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                },
            );
        }
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child =
            spawn(command).unwrap_or_else(|e| panic!("{name}: {program} does not start: {e}"));
        let stdout = child.stdout.take().expect("standard output is piped");
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody may be reading any more; the pipe is still emptied, so that the program is not stopped.
                let _ = send.send(line);
            }
        });
        Process {
            name: name.to_owned(),
            child,
            lines: Mutex::new(receive),
            log,
            _dir: dir,
        }
    }

    /// The process id, which is also its group's.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids fit")
    }

    /// The next line of standard output.
    pub fn line(&self, within: Duration) -> String {
        let lines = self.lines.lock().expect("reading a line cannot panic");
        lines
            .recv_timeout(within)
            .unwrap_or_else(|e| panic!("{}: no further line: {e}\n{}", self.name, self.log()))
    }

    /// The next line that begins with `prefix`, without it; others are skipped.
    pub fn line_after(&self, prefix: &str, within: Duration) -> String {
        let end = Instant::now() + within;
        loop {
            let line = self.line(end.saturating_duration_since(Instant::now()));
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
    }

    /// What it wrote to standard error (the end of it, when it is long).
    pub fn log(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(8000)..]).into_owned()
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill takes numbers only; the child is not yet waited for, so its id is still its own.
        unsafe { libc::kill(self.pid(), signal) };
    }

    /// Waits for the end.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                Instant::now() < end,
                "{}: still running after {within:?}\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the whole group at once, as a power cut would.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            // SAFETY: as in `signal`; a negative id names the group that the child leads.
            unsafe { libc::kill(-self.pid(), libc::SIGKILL) };
            let _ = self.child.wait();
        }
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("a running child has a status");
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:"))
            .expect("a status names VmRSS");
        let kib: u64 = line
            .trim()
            .trim_end_matches("kB")
            .trim()
            .parse()
            .expect("VmRSS is a number of kB");
        kib * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!(
                "--- the end of what {} wrote to standard error\n{}",
                self.name,
                self.log()
            );
        }
    }
}

/// The result of a command that ran to its end.
pub struct Finished {
    /// Exit code; by a signal: 128 and its number.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a command to its end, with its own death tied to ours; panics when it takes longer than `within`.
pub fn run(name: &str, command: Command, within: Duration) -> Finished {
    use std::os::unix::process::ExitStatusExt;
    let mut process = Process::start(name, command);
    let status = process.wait(within);
    let lines = process.lines.lock().expect("reading a line cannot panic");
    let mut stdout = String::new();
    while let Ok(line) = lines.recv() {
        stdout.push_str(&line);
        stdout.push('\n');
    }
    let stderr = std::fs::read(&process.log).unwrap_or_default();
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    drop(lines);
    Finished {
        code,
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
