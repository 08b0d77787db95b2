//! Results as psql prints them: aligned columns under their names, then the number of rows.
//!
//! Widths come from the first rows; later ones that need more are printed wider, so that memory stays flat.

use alcedo_engine::session::OutputField;
use alcedo_sql::types::SqlType;
use std::io::{Result, Write};

/// Rows that decide the widths.
const SAMPLE: usize = 1000;

type Row = Vec<Option<String>>;

/// Prints one result.
pub(super) struct Printer<W> {
    out: W,
    names: Vec<String>,
    right: Vec<bool>,
    widths: Vec<usize>,
    waiting: Vec<Row>,
    started: bool,
    count: u64,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(out: W, fields: &[OutputField]) -> Self {
        let number = |ty: &SqlType| {
            matches!(
                ty,
                SqlType::Int2
                    | SqlType::Int4
                    | SqlType::Int8
                    | SqlType::Float4
                    | SqlType::Float8
                    | SqlType::Numeric(_)
                    | SqlType::Oid
            )
        };
        Self {
            out,
            names: fields.iter().map(|f| f.name.clone()).collect(),
            right: fields.iter().map(|f| number(&f.ty)).collect(),
            widths: fields.iter().map(|f| width(&f.name)).collect(),
            waiting: Vec::new(),
            started: false,
            count: 0,
        }
    }

    pub(super) fn row(&mut self, row: Row) -> Result<()> {
        self.count += 1;
        if self.started {
            return self.print(&row);
        }
        for (width_now, cell) in self.widths.iter_mut().zip(&row) {
            let lines = cell.as_deref().unwrap_or_default().lines();
            *width_now = lines.map(width).max().unwrap_or(0).max(*width_now);
        }
        self.waiting.push(row);
        if self.waiting.len() == SAMPLE {
            self.start()
        } else {
            Ok(())
        }
    }

    pub(super) fn end(mut self) -> Result<()> {
        self.start()?;
        writeln!(
            self.out,
            "({} row{})\n",
            self.count,
            if self.count == 1 { "" } else { "s" }
        )?;
        self.out.flush()
    }

    fn start(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        let names = self.names.iter().zip(&self.widths);
        let names: Vec<String> = names
            .map(|(name, w)| {
                let left = (w - width(name)) / 2;
                format!(
                    " {}{name}{} ",
                    " ".repeat(left),
                    " ".repeat(w - width(name) - left)
                )
            })
            .collect();
        writeln!(self.out, "{}", names.join("|").trim_end())?;
        let lines: Vec<String> = self.widths.iter().map(|w| "-".repeat(w + 2)).collect();
        writeln!(self.out, "{}", lines.join("+"))?;
        for row in std::mem::take(&mut self.waiting) {
            self.print(&row)?;
        }
        Ok(())
    }

    fn print(&mut self, row: &Row) -> Result<()> {
        let cells: Vec<Vec<&str>> = row
            .iter()
            .map(|c| c.as_deref().unwrap_or_default().lines().collect())
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1).max(1);
        for line in 0..height {
            let mut out = String::new();
            for (i, cell) in cells.iter().enumerate() {
                let text = cell.get(line).copied().unwrap_or_default();
                let blank = " ".repeat(self.widths[i].saturating_sub(width(text)));
                let more = if line + 1 < cell.len() { '+' } else { ' ' };
                if i > 0 {
                    out.push('|');
                }
                out.push(' ');
                if self.right[i] {
                    out.push_str(&blank);
                    out.push_str(text);
                } else {
                    out.push_str(text);
                    out.push_str(&blank);
                }
                out.push(more);
            }
            writeln!(self.out, "{}", out.trim_end())?;
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}
