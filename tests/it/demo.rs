//! The demo as its users meet it: started without any service, looked at with psql, and the tour of the README from
//! top to bottom.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use crate::harness::clients::{Session, connect, describe};
use crate::harness::process::{Finished, Process, run};
use crate::harness::{binary, http, root};

/// What the demo may take until its stream can be scored.
const READY: Duration = Duration::from_secs(60);

struct Demo {
    process: Process,
    port: u16,
    http: u16,
    ready: Duration,
}

impl Demo {
    fn start(arguments: &[&str]) -> Demo {
        let mut command = Command::new(binary());
        command
            .args(["demo", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(arguments);
        let from = Instant::now();
        let process = Process::start("alcedo-demo", command);
        let port = |line: String| {
            let number = line
                .rsplit(':')
                .next()
                .expect("an address has a port")
                .trim()
                .to_owned();
            number.parse().unwrap_or_else(|e| panic!("{line}: {e}"))
        };
        // Slower machines may take longer; what is asserted is below.
        let listen = port(process.line_after("listening on ", 3 * READY));
        let http = port(process.line_after("http on ", READY));
        Demo {
            process,
            port: listen,
            http,
            ready: from.elapsed(),
        }
    }

    fn psql(&self, sql: &str) -> Finished {
        let mut command = Command::new("psql");
        command.args([
            &format!("host=127.0.0.1 port={} user=alcedo", self.port),
            "-X",
            "-A",
            "-t",
            "-c",
            sql,
        ]);
        run("psql", command, Duration::from_secs(60))
    }

    async fn connect(&self) -> Session {
        connect(&format!(
            "host=127.0.0.1 port={} user=alcedo dbname=alcedo",
            self.port
        ))
        .await
    }
}

/// Pages whose SQL runs on the demo, one after the other.
const PAGES: &[&str] = &["README.md", "server/guide/scoring.md"];

/// The fenced blocks of a page that the tests read, in their order: kind and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.split_once('\n'))
        .filter(|(kind, _)| ["sql", "plan"].contains(kind))
        .map(|(kind, text)| (kind.to_owned(), text.to_owned()))
        .collect()
}

/// Runs a page: every statement of its SQL blocks must be carried out, and every line of a block `plan` must stand in
/// the rows of the statement before it, where `…` is anything.
async fn follow(session: &Session, page: &str) -> usize {
    let mut run = 0;
    let mut last = String::new();
    for (kind, text) in blocks(page) {
        if kind == "plan" {
            for line in text.lines() {
                assert!(
                    stands_in(line, &last),
                    "{page}: no line is like\n{line}\nin\n{last}"
                );
            }
            continue;
        }
        for statement in text
            .split_inclusive(';')
            .map(str::trim)
            .filter(|s| !s.is_empty())
        {
            let answers = match session.client.simple_query(statement).await {
                Ok(answers) => answers,
                Err(error) => panic!("{page}: {statement}\n{}", describe(&error)),
            };
            let rows = answers.iter().filter_map(|answer| match answer {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            last = rows.collect::<Vec<_>>().join("\n");
            run += 1;
        }
    }
    run
}

/// Whether a line has the parts of `wanted` in their order.
fn stands_in(wanted: &str, lines: &str) -> bool {
    fn fits(line: &str, wanted: &str) -> bool {
        let mut rest = line;
        wanted.split('…').all(|part| match rest.find(part.trim()) {
            Some(at) => {
                rest = &rest[at + part.trim().len()..];
                true
            }
            None => false,
        })
    }
    lines.lines().any(|line| fits(line, wanted))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn demo_scores_its_stream_and_the_tour_runs() {
    let mut demo = Demo::start(&["--no-shell", "--rate", "500"]);

    let scored = demo.psql("select card_id, amount, predict(fraud using *) from payments order by payment_id desc limit 5");
    assert!(demo.ready < READY, "ready after {:?}", demo.ready);
    assert_eq!(
        (scored.code, scored.stdout.lines().count()),
        (0, 5),
        "{}{}",
        scored.stdout,
        scored.stderr
    );
    for row in scored.stdout.lines() {
        let cells: Vec<&str> = row.split('|').collect();
        assert!(cells.len() == 3 && ["t", "f"].contains(&cells[2]), "{row}");
    }
    assert_eq!(
        http::request(demo.http, "GET", "/readyz", b"").unwrap().0,
        200
    );

    let session = demo.connect().await;
    assert!(session.number("select count(*) from payment_history").await >= 100_000);
    let auc: f64 = session
        .one("select roc_auc from ml.evaluate(model fraud)")
        .await
        .parse()
        .unwrap();
    assert!(auc > 0.9, "a model that knows little: roc_auc {auc}");

    // The stream goes on, and labels follow.
    let before = session.number("select count(*) from payments").await;
    let end = Instant::now() + Duration::from_secs(30);
    while session.number("select count(*) from payments").await <= before + 100
        || session.number("select count(*) from payment_labels").await == 0
    {
        assert!(Instant::now() < end, "the generator stands still");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    for page in PAGES {
        let run = follow(&session, page).await;
        assert!(run > 5, "{page} has statements to follow: {run}");
    }

    demo.process.signal(libc::SIGTERM);
    assert_eq!(demo.process.wait(Duration::from_secs(12)).code(), Some(0));
}

#[test]
fn demo_ends_by_itself() {
    let mut demo = Demo::start(&["--no-shell", "--seconds", "1"]);
    assert_eq!(demo.process.wait(Duration::from_secs(20)).code(), Some(0));
}
