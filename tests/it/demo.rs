//! The demo as its users meet it: started without any service, looked at with psql, and the tour of the README from
//! top to bottom.

use std::process::Command;
use std::time::{Duration, Instant};

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

/// The statements of the README's SQL blocks, in their order.
fn tour() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme
        .split("\n```sql\n")
        .skip(1)
        .map(|block| block.split("\n```").next().unwrap_or_default());
    let statements = blocks
        .flat_map(|block| block.split_inclusive(';'))
        .map(str::trim);
    statements
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
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

    let statements = tour();
    assert!(
        statements.len() > 15,
        "the README has a tour: {statements:?}"
    );
    for statement in statements {
        if let Err(error) = session.client.simple_query(&statement).await {
            panic!("README.md: {statement}\n{}", describe(&error));
        }
    }

    demo.process.signal(libc::SIGTERM);
    assert_eq!(demo.process.wait(Duration::from_secs(12)).code(), Some(0));
}

#[test]
fn demo_ends_by_itself() {
    let mut demo = Demo::start(&["--no-shell", "--seconds", "1"]);
    assert_eq!(demo.process.wait(Duration::from_secs(20)).code(), Some(0));
}
