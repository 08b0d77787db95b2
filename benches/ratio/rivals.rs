//! Rivals that live in Python: a process that reads a line with a rival's name and answers with what its run took.
//!
//! They take the time themselves, so that neither the pipe nor making the answer counts.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::Outcome;
use super::compare::Taken;
use super::harness::python;

/// A process that plays rivals.
pub struct Rivals {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Rivals {
    /// Starts a script of this folder; it inherits the processors of the calling thread.
    pub fn start<A: AsRef<OsStr>>(script: &str, arguments: &[A]) -> Outcome<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ratio");
        let mut process = Command::new(python())
            .arg(folder.join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = process.stdin.take().ok_or("the rivals listen")?;
        let answers = BufReader::new(process.stdout.take().ok_or("the rivals answer")?);
        Ok(Self {
            process,
            requests,
            answers,
        })
    }

    /// What a run of `who` took, and its numbers; None, told on stderr, where it is not installed.
    ///
    /// An answer is a line: seconds by the clock, seconds of the processor, numbers; or `without` and the reason.
    pub fn ask(&mut self, who: &str) -> Outcome<Option<(Taken, Vec<f64>)>> {
        writeln!(self.requests, "{who}")?;
        self.requests.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if let Some(reason) = line.strip_prefix("without ") {
            eprintln!("without {who}: {}", reason.trim_end());
            return Ok(None);
        }
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        match numbers.as_deref() {
            Ok([wall, cpu, numbers @ ..]) => {
                let taken = Taken {
                    wall: Duration::try_from_secs_f64(*wall)?,
                    cpu: Duration::try_from_secs_f64(*cpu)?,
                };
                Ok(Some((taken, numbers.to_vec())))
            }
            _ => Err(format!("{who} answered {line:?}").into()),
        }
    }
}

impl Rivals {
    /// The same of a rival that must be there.
    pub fn run(&mut self, who: &str) -> Outcome<(Taken, Vec<f64>)> {
        Ok(self.ask(who)?.ok_or("a rival is not installed")?)
    }
}

impl Drop for Rivals {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
