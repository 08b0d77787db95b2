//! Two sides measured in interleaved rounds, and the report: medians, spread, floors.

use std::time::{Duration, Instant};

use alcedo_udfs::score::forest::blend::Level;
use serde_json::{Value, json};

use super::Outcome;

/// The file with the least that ratios may be, by `scenario/case`: a number, or one per level of instructions where the
/// case uses the best one there is; null where a ratio is only told.
const FLOORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/floors.json");

/// One comparison: `work` units are done by each run of a side.
pub struct Case<'a> {
    /// `scenario/case`, as in the floors.
    pub name: &'a str,
    /// What is counted, as `rows`.
    pub unit: &'a str,
    /// How many of them one run does.
    pub work: f64,
    /// How many were compared and found equal before measuring.
    pub equal: u64,
    /// Measured rounds after one that is not.
    pub rounds: usize,
}

/// What one run of a side took.
#[derive(Clone, Copy)]
pub struct Taken {
    /// By the clock.
    pub wall: Duration,
    /// Of the processors, all threads.
    pub cpu: Duration,
}

/// The ratios so far.
#[derive(Default)]
pub struct Report {
    failed: bool,
}

impl Report {
    /// Whether nothing failed and every floor was held.
    pub fn held(&self) -> bool {
        !self.failed
    }

    /// Something could not be measured.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// Measures ours and theirs in turn and prints the line. The ratio is theirs to ours in time: above 1 we are faster.
    pub fn measure(
        &mut self,
        case: &Case<'_>,
        ours: impl FnMut() -> Outcome<()>,
        mut theirs: impl FnMut() -> Outcome<()>,
    ) -> Outcome<()> {
        self.measure_told(case, ours, || timed(&mut theirs))
    }

    /// The same for a rival that says itself what its run took.
    pub fn measure_told(
        &mut self,
        case: &Case<'_>,
        mut ours: impl FnMut() -> Outcome<()>,
        mut theirs: impl FnMut() -> Outcome<Taken>,
    ) -> Outcome<()> {
        let floor = floor(case.name)?;
        timed(&mut ours)?;
        theirs()?;
        let mut rounds = Vec::with_capacity(case.rounds);
        for round in 0..case.rounds {
            // Who goes first changes, so that neither always finds the other's traces.
            let pair = if round % 2 == 0 {
                let ours = timed(&mut ours)?;
                (ours, theirs()?)
            } else {
                let theirs = theirs()?;
                (timed(&mut ours)?, theirs)
            };
            rounds.push(pair);
        }
        let line = line(case, &rounds, floor);
        println!("{line}");
        self.hold(case.name, line["ratio"].as_f64().unwrap_or(f64::NAN), floor);
        Ok(())
    }
}

/// This thread stays on the processor it is on, until this is dropped.
pub struct Pinned(libc::cpu_set_t);

impl Pinned {
    /// Pins the calling thread.
    pub fn new() -> Outcome<Self> {
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY: a set of processors is plain bits; both calls are about the calling thread and the set's size.
        unsafe {
            let mut before: libc::cpu_set_t = std::mem::zeroed();
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            let cpu = usize::try_from(libc::sched_getcpu())?;
            libc::CPU_SET(cpu, &mut one);
            if libc::sched_getaffinity(0, size, &mut before) != 0
                || libc::sched_setaffinity(0, size, &one) != 0
            {
                return Err(std::io::Error::last_os_error().into());
            }
            Ok(Self(before))
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: as in `new`; the set is the one that was in force before.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &self.0) };
    }
}

impl Report {
    /// A ratio that is counted, not timed: theirs to ours.
    pub fn tell(
        &mut self,
        name: &str,
        ratio: f64,
        unit: &str,
        (ours, theirs): (f64, f64),
    ) -> Outcome<()> {
        let floor = floor(name)?;
        let line = json!({
            "case": name,
            "ratio": rounded(ratio),
            "floor": floor,
            format!("our_{unit}"): ours,
            format!("their_{unit}"): theirs,
        });
        println!("{line}");
        self.hold(name, ratio, floor);
        Ok(())
    }

    fn hold(&mut self, name: &str, ratio: f64, floor: Option<f64>) {
        if let Some(floor) = floor.filter(|floor| ratio.is_nan() || ratio < *floor) {
            eprintln!("{name}: {ratio} is under the recorded floor of {floor}");
            self.failed = true;
        }
    }
}

fn floor(name: &str) -> Outcome<Option<f64>> {
    let floors: Value = serde_json::from_str(&std::fs::read_to_string(FLOORS)?)?;
    let floor = match floors.get(name) {
        Some(Value::Object(levels)) => levels.get(Level::best().name()),
        floor => floor,
    };
    match floor {
        Some(floor) => Ok(floor.as_f64()),
        None => Err(format!(
            "{name} has no entry for {} in benches/floors.json (null where it is only told)",
            Level::best().name()
        )
        .into()),
    }
}

fn line(case: &Case<'_>, rounds: &[(Taken, Taken)], floor: Option<f64>) -> Value {
    let of = |f: &dyn Fn(&(Taken, Taken)) -> f64| sorted(rounds.iter().map(f).collect());
    let ratios = of(&|(ours, theirs)| theirs.wall.as_secs_f64() / ours.wall.as_secs_f64());
    let cpu = of(&|(ours, theirs)| theirs.cpu.as_secs_f64() / ours.cpu.as_secs_f64().max(1e-9));
    let rate = |side: fn(&(Taken, Taken)) -> Taken| {
        case.work / middle(&of(&|r| side(r).wall.as_secs_f64()))
    };
    json!({
        "case": case.name,
        "ratio": rounded(middle(&ratios)),
        "low": rounded(ratios.first().copied().unwrap_or(f64::NAN)),
        "high": rounded(ratios.last().copied().unwrap_or(f64::NAN)),
        "floor": floor,
        "cpu_ratio": rounded(middle(&cpu)),
        format!("our_{}_per_s", case.unit): rate(|r| r.0).round(),
        format!("their_{}_per_s", case.unit): rate(|r| r.1).round(),
        "equal": case.equal,
        "rounds": rounds.len(),
        "load": load(),
    })
}

fn timed(run: &mut impl FnMut() -> Outcome<()>) -> Outcome<Taken> {
    let (from, cpu) = (Instant::now(), cpu_time());
    run()?;
    Ok(Taken {
        wall: from.elapsed(),
        cpu: cpu_time().saturating_sub(cpu),
    })
}

/// Processor time of this process, all threads.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a place for the answer; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Load of the last minute: a ratio from a busy machine is told apart by it.
fn load() -> Value {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text
        .split(' ')
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    json!(first)
}
