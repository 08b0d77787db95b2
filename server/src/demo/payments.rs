//! Card payments that look real enough to learn from: the same seed gives the same payments.
//!
//! Fraud is rare and follows from what a model can see (a large amount for its category, a foreign country, the
//! small hours, a payment soon after the last) plus noise, so that a good model is right often but not always.

use std::io::{BufWriter, Write};
use std::path::Path;

const CATEGORIES: [(&str, f64); 8] = [
    ("groceries", 35.0),
    ("fuel", 55.0),
    ("restaurant", 42.0),
    ("electronics", 240.0),
    ("travel", 410.0),
    ("fashion", 85.0),
    ("gaming", 25.0),
    ("jewellery", 520.0),
];
const COUNTRIES: [&str; 8] = ["DE", "FR", "NL", "AT", "PL", "US", "BR", "NG"];

/// A stream of random numbers: SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

/// One payment, and what will come out about it.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) id: u64,
    pub(super) card: u64,
    category: &'static str,
    country: &'static str,
    amount: f64,
    hour: u32,
    minutes_since_last: f64,
    pub(super) fraud: bool,
}

impl Payment {
    /// The payment with a number.
    pub(super) fn make(id: u64, random: &mut Random) -> Self {
        let (category, usual) = CATEGORIES[random.below(CATEGORIES.len())];
        // Most payments are at home.
        let country = COUNTRIES[if random.unit() < 0.8 {
            0
        } else {
            random.below(COUNTRIES.len())
        }];
        let spread = (random.unit() + random.unit() + random.unit() - 1.5) * 1.6;
        let hour = (random.unit() * random.unit() * 24.0 + random.unit() * 12.0) as u32 % 24;
        let minutes = -random.unit().max(1e-9).ln() * 900.0;
        let amount = (usual * spread.exp() * 100.0).round() / 100.0;
        let suspicion = (amount / usual).ln() * 6.0
            + if country == "DE" { 0.0 } else { 6.0 }
            + if hour < 5 { 4.0 } else { 0.0 }
            + if minutes < 15.0 { 8.0 } else { 0.0 }
            - 13.0;
        let fraud = random.unit() < 1.0 / (1.0 + (-suspicion).exp());
        let minutes_since_last = (minutes * 10.0).round() / 10.0;
        let card = 1000 + random.below(5000) as u64;
        Self {
            id,
            card,
            category,
            country,
            amount,
            hour,
            minutes_since_last,
            fraud,
        }
    }

    /// The record's value, made at an instant in ISO 8601.
    pub(super) fn json(&self, at: &str) -> String {
        format!(
            "{{\"payment_id\":{},\"card_id\":{},\"category\":\"{}\",\"country\":\"{}\",\"amount\":{:.2},\"hour\":{},\"minutes_since_last\":{:.1},\"at\":\"{at}\"}}",
            self.id,
            self.card,
            self.category,
            self.country,
            self.amount,
            self.hour,
            self.minutes_since_last
        )
    }

    /// The late record that says what the payment was.
    pub(super) fn label_json(&self, at: &str) -> String {
        format!(
            "{{\"payment_id\":{},\"is_fraud\":{},\"at\":\"{at}\"}}",
            self.id, self.fraud
        )
    }
}

/// Writes payments of the past with their labels as CSV.
pub(super) fn write_history(path: &Path, rows: u64, seed: u64) -> std::io::Result<()> {
    let mut random = Random::new(seed ^ 0x5eed);
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    writeln!(
        out,
        "payment_id,card_id,category,country,amount,hour,minutes_since_last,is_fraud"
    )?;
    for id in 1..=rows {
        let p = Payment::make(id, &mut random);
        writeln!(
            out,
            "{},{},{},{},{:.2},{},{:.1},{}",
            p.id, p.card, p.category, p.country, p.amount, p.hour, p.minutes_since_last, p.fraud
        )?;
    }
    out.flush()
}
