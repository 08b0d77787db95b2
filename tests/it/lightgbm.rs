//! The original LightGBM as the oracle: trained on the same rows in the same order with the same parameters and seed,
//! trees are equal letter by letter, raw scores bit by bit, predictions to 1e-12; both ways, through the file format.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::harness::clients::Session;
use crate::harness::process::run;
use crate::harness::server::Server;
use crate::harness::{Scratch, python, root};

/// Largest difference of a prediction.
const TOLERANCE: f64 = 1e-12;

/// One training, as `tests/lightgbm/oracle.py` describes it.
struct Case {
    name: String,
    /// Names and SQL types of the table.
    columns: Vec<(String, String)>,
    features: Vec<String>,
    /// Whether Alcedo trains this kind too.
    trained: bool,
    options: String,
    classes: Option<Vec<String>>,
}

/// What the original made, once per run: the folder and the cases.
fn oracle() -> &'static (Scratch, Vec<Case>) {
    static MADE: OnceLock<(Scratch, Vec<Case>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = Scratch::new("lightgbm");
        ask(&["make", &dir.join("")]);
        let text = std::fs::read_to_string(dir.join("cases.json")).unwrap();
        let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
        let cases = cases.iter().map(case).collect();
        (dir, cases)
    })
}

fn case(value: &Value) -> Case {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let texts = |v: &Value| v.as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    Case {
        name: text(&value["name"]),
        columns: value["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| (text(&c[0]), text(&c[1])))
            .collect(),
        features: texts(&value["features"]),
        trained: value["trained"].as_bool().unwrap(),
        options: text(&value["options"]),
        classes: Some(&value["classes"]).filter(|c| !c.is_null()).map(texts),
    }
}

/// Runs the oracle; what it prints.
fn ask(arguments: &[&str]) -> String {
    let mut command = Command::new(python());
    command
        .arg(root().join("tests/lightgbm/oracle.py"))
        .args(arguments);
    let done = run("oracle", command, Duration::from_secs(120));
    assert!(
        done.code == 0,
        "the oracle ended with {}\n{}",
        done.code,
        done.stderr
    );
    done.stdout
}

impl Case {
    fn file(&self, name: &str) -> String {
        let path = oracle().0.path().join(&self.name).join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    fn url(&self, name: &str) -> String {
        format!("file://{}/{name}", oracle().0.join(&self.name))
    }

    /// Scores of a file: the bits of each row.
    fn scores(&self, name: &str) -> Vec<Vec<u64>> {
        parse(&self.file(name))
    }

    /// The rows as a managed table of the case's name, read from the oracle's file.
    async fn load(&self, session: &Session) {
        let name = &self.name;
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(n, t)| format!("{n} {t}"))
            .collect();
        session
            .run(&format!(
                "create external table {name}_rows ({}) stored as csv location '{}' options (header 'true'); \
                 create table {name} as select * from {name}_rows; drop table {name}_rows",
                columns.join(", "),
                self.url("rows.csv")
            ))
            .await;
    }

    /// Raw scores of the table's rows by the named model.
    async fn raw(&self, session: &Session, model: &str) -> Vec<Vec<u64>> {
        let sql = format!(
            "select predict_raw({model} using *) from {} order by id",
            self.name
        );
        let rows = session.client.query(&sql, &[]).await;
        let rows =
            rows.unwrap_or_else(|e| panic!("{sql}\n{}", crate::harness::clients::describe(&e)));
        rows.iter().map(bits).collect()
    }

    /// Compares the transformed scores: `predict` of numbers, probabilities of classes.
    async fn compare_predictions(
        &self,
        session: &Session,
        model: &str,
        classes: Option<&[String]>,
    ) {
        let wanted = self.scores("out.txt");
        let call = match classes {
            None => format!("predict({model} using *)"),
            Some([_, last]) => format!("predict_proba({model} using *, class => '{last}')"),
            Some(_) => format!("predict_proba({model} using *)"),
        };
        let sql = format!("select {call} from {} order by id", self.name);
        let rows = session.client.query(&sql, &[]).await;
        let rows =
            rows.unwrap_or_else(|e| panic!("{sql}\n{}", crate::harness::clients::describe(&e)));
        assert_eq!(rows.len(), wanted.len(), "{sql}");
        for (at, (row, wanted)) in rows.iter().zip(&wanted).enumerate() {
            let got = bits(row);
            assert_eq!(got.len(), wanted.len(), "{sql}: row {at}");
            for (got, wanted) in got.iter().zip(wanted) {
                let (got, wanted) = (f64::from_bits(*got), f64::from_bits(*wanted));
                assert!(
                    (got - wanted).abs() <= TOLERANCE,
                    "{sql}: row {at} is {got}, not {wanted}"
                );
            }
        }
    }

    /// The class that `predict` names is the likeliest one.
    async fn compare_classes(&self, session: &Session, model: &str, classes: &[String]) {
        let sql = format!(
            "select predict({model} using *)::text from {} order by id",
            self.name
        );
        let rows = session.rows(&sql).await;
        for (at, (row, scores)) in rows.iter().zip(self.scores("out.txt")).enumerate() {
            let scores: Vec<f64> = scores.into_iter().map(f64::from_bits).collect();
            let best = match scores[..] {
                [positive] => usize::from(positive > 0.5),
                // The first of equals.
                _ => (0..scores.len())
                    .rev()
                    .max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
                    .unwrap(),
            };
            assert_eq!(row[0], classes[best], "{sql}: row {at}, scores {scores:?}");
        }
    }

    /// Hostile values one row at a time, as parameters in binary whose types the model's inputs gave.
    async fn compare_odd_rows(&self, session: &Session, model: &str) {
        let wanted = self.scores("odd_raw.txt");
        let rows: Vec<Vec<Option<String>>> = serde_json::from_str(&self.file("odd.json")).unwrap();
        let texts: Vec<bool> = self
            .features
            .iter()
            .map(|f| self.columns.contains(&(f.clone(), "text".to_owned())))
            .collect();
        let marks: Vec<String> = (1..=texts.len()).map(|n| format!("${n}")).collect();
        let sql = format!("select predict_raw({model}, {})", marks.join(", "));
        let statement = session.client.prepare(&sql).await.unwrap();
        let types: Vec<Type> = texts
            .iter()
            .map(|t| if *t { Type::TEXT } else { Type::FLOAT8 })
            .collect();
        assert_eq!(statement.params(), types, "{sql}");
        for (row, wanted) in rows.iter().zip(wanted) {
            let values: Vec<Box<dyn ToSql + Sync>> = row
                .iter()
                .zip(&texts)
                .map(|(cell, text)| -> Box<dyn ToSql + Sync> {
                    if *text {
                        Box::new(cell.clone())
                    } else {
                        Box::new(cell.as_deref().map(float))
                    }
                })
                .collect();
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(AsRef::as_ref).collect();
            let got = session.client.query_one(&statement, &values).await.unwrap();
            assert_same(&[bits(&got)], &[wanted], &format!("{sql} with {values:?}"));
        }
    }
}

fn float(hexadecimal: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(hexadecimal, 16).unwrap())
}

fn parse(text: &str) -> Vec<Vec<u64>> {
    let row = |line: &str| {
        line.split(' ')
            .map(|b| u64::from_str_radix(b, 16).unwrap())
            .collect()
    };
    text.lines().map(row).collect()
}

/// The bits of a row's only value, a float8 or an array of them.
fn bits(row: &Row) -> Vec<u64> {
    match *row.columns()[0].type_() {
        Type::FLOAT8 => vec![row.get::<_, f64>(0).to_bits()],
        Type::FLOAT8_ARRAY => row
            .get::<_, Vec<f64>>(0)
            .iter()
            .map(|v| v.to_bits())
            .collect(),
        ref other => panic!("a score is of type {other}"),
    }
}

/// Equal bit by bit; a number that is none may have any bits.
fn assert_same(got: &[Vec<u64>], wanted: &[Vec<u64>], what: &str) {
    assert_eq!(got.len(), wanted.len(), "{what}: number of rows");
    let mut differing = String::new();
    let mut count = 0;
    for (at, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let nan = |bits: &u64| f64::from_bits(*bits).is_nan();
        let same = got.len() == wanted.len()
            && got
                .iter()
                .zip(wanted)
                .all(|(a, b)| a == b || (nan(a) && nan(b)));
        if !same {
            count += 1;
            if count <= 5 {
                let floats =
                    |row: &[u64]| row.iter().map(|b| f64::from_bits(*b)).collect::<Vec<_>>();
                write!(
                    differing,
                    "\nrow {at}: {:?}, not {:?}",
                    floats(got),
                    floats(wanted)
                )
                .unwrap();
            }
        }
    }
    assert!(
        count == 0,
        "{what}: {count} of {} rows differ{differing}",
        wanted.len()
    );
}

/// The part of a model file that must be equal, line by line with the first difference named.
fn assert_trees(case: &Case, file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let end = text
        .find("end of trees")
        .unwrap_or_else(|| panic!("{}: no end of trees", case.name));
    let wanted = case.file("trees.txt");
    for (number, (got, wanted)) in text[..end].lines().zip(wanted.lines()).enumerate() {
        assert!(
            got == wanted,
            "{}: line {} of the model\n{got}\nis not\n{wanted}",
            case.name,
            number + 1
        );
    }
    assert_eq!(
        text[..end].lines().count(),
        wanted.lines().count(),
        "{}: number of lines",
        case.name
    );
}

async fn start() -> (Server, Session) {
    let server = Server::start(&["--allowed-root", &oracle().0.join("")]);
    let session = server.connect().await;
    (server, session)
}

#[tokio::test]
async fn trained_here_as_by_the_original() {
    let (_server, session) = start().await;
    let (dir, cases) = oracle();
    for case in cases.iter().filter(|c| c.trained) {
        let name = &case.name;
        case.load(&session).await;
        let columns: Vec<&str> = case
            .columns
            .iter()
            .map(|(n, _)| n.as_str())
            .filter(|n| *n != "id")
            .collect();
        session
            .run(&format!(
                "create model m_{name} options ({}) as select {} from {name} order by id",
                case.options,
                columns.join(", ")
            ))
            .await;
        session
            .run(&format!(
                "export model m_{name} to '{}'",
                case.url("exported.txt")
            ))
            .await;
        let exported = dir.path().join(name).join("exported.txt");
        assert_trees(case, &exported);
        let wanted = case.scores("raw.txt");
        let model = format!("m_{name}");
        assert_same(
            &case.raw(&session, &model).await,
            &wanted,
            &format!("{name}: predict_raw"),
        );
        case.compare_predictions(&session, &model, case.classes.as_deref())
            .await;
        if let Some(classes) = &case.classes {
            case.compare_classes(&session, &model, classes).await;
        }
        case.compare_odd_rows(&session, &model).await;
        let python = ask(&[
            "score",
            &dir.join(""),
            name,
            &exported.display().to_string(),
        ]);
        assert_same(
            &parse(&python),
            &wanted,
            &format!("{name}: the export as the original scores it"),
        );
    }
}

#[tokio::test]
async fn trained_by_the_original_scored_here() {
    let (_server, session) = start().await;
    for case in &oracle().1 {
        let name = &case.name;
        case.load(&session).await;
        session
            .run(&format!(
                "create model {name} from '{}'",
                case.url("model.txt")
            ))
            .await;
        assert_same(
            &case.raw(&session, name).await,
            &case.scores("raw.txt"),
            &format!("{name}: predict_raw"),
        );
        // A file does not tell its classes: they are numbered.
        let numbered = case
            .classes
            .as_ref()
            .map(|c| (0..c.len()).map(|n| n.to_string()).collect::<Vec<_>>());
        case.compare_predictions(&session, name, numbered.as_deref())
            .await;
        if let Some(classes) = &numbered {
            case.compare_classes(&session, name, classes).await;
        }
        case.compare_odd_rows(&session, name).await;
    }
}
