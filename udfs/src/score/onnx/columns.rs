//! What a graph makes of the sums of its trees, row by row: columns that are each one sum after some steps, and
//! between them operations that need all columns of a row.

/// A step of one column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    Add(f64),
    Multiply(f64),
    Divide(f64),
    /// The number minus the column.
    From(f64),
    /// The number over the column.
    Over(f64),
    Exp,
    Log,
    Sqrt,
    Abs,
    Logistic,
    Tanh,
    Probit,
}

impl Step {
    fn apply(self, x: f64) -> f64 {
        match self {
            Self::Add(c) => x + c,
            Self::Multiply(c) => x * c,
            Self::Divide(c) => x / c,
            Self::From(c) => c - x,
            Self::Over(c) => c / x,
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Abs => x.abs(),
            Self::Logistic => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Probit => probit(x),
        }
    }

    /// Whether it changes nothing, such as the product with 1 that exporters end with.
    fn is_nothing(self) -> bool {
        self == Self::Multiply(1.0) || self == Self::Divide(1.0) || self == Self::Add(0.0)
    }
}

/// √2 times Winitzki's approximation of the inverse error function at 2x - 1, with ONNX Runtime's constants.
#[allow(clippy::approx_constant)] // the original's own number
fn probit(x: f64) -> f64 {
    let x = 2.0 * x - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let a = f64::from(2.0_f32 / (3.14159_f32 * 0.147_f32)) + 0.5 * log;
    let b = log / f64::from(0.147_f32);
    let root = (-a + (a * a - b).sqrt()).sqrt();
    std::f64::consts::SQRT_2 * if x < 0.0 { -root } else { root }
}

/// An operation on all columns of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStep {
    Softmax,
    /// Softmax of what is not 0; what is stays so.
    SoftmaxZero,
    /// Divided by the sum of magnitudes.
    NormalizeL1,
    /// Divided by the root of the sum of squares.
    NormalizeL2,
    /// Divided by the largest value.
    NormalizeMax,
}

impl RowStep {
    fn apply(self, row: &mut [f64]) {
        let max = || row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let divisor = match self {
            Self::Softmax => {
                let max = max();
                row.iter_mut().for_each(|x| *x = (*x - max).exp());
                row.iter().sum()
            }
            Self::SoftmaxZero => {
                let max = max();
                let mut sum = 0.0;
                for x in row.iter_mut() {
                    if x.abs() > 1e-7 {
                        *x = (*x - max).exp();
                        sum += *x;
                    } else {
                        *x *= (-max).exp();
                    }
                }
                sum
            }
            Self::NormalizeL1 => row.iter().map(|x| x.abs()).sum(),
            Self::NormalizeL2 => row.iter().map(|x| x * x).sum::<f64>().sqrt(),
            Self::NormalizeMax => max(),
        };
        let normal = !matches!(self, Self::Softmax | Self::SoftmaxZero);
        if normal && divisor == 0.0 {
            return;
        }
        row.iter_mut().for_each(|x| *x /= divisor);
    }

    /// Whether the columns add up to 1 afterwards.
    fn sums_to_one(self) -> bool {
        matches!(self, Self::Softmax)
    }
}

/// A column of what came before, after some steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub from: usize,
    pub steps: Vec<Step>,
}

impl Column {
    /// The column as it is.
    pub fn plain(from: usize) -> Self {
        Self {
            from,
            steps: Vec::new(),
        }
    }

    /// After one more step.
    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        if !step.is_nothing() {
            self.steps.push(step);
        }
        self
    }

    fn of(&self, row: &[f64]) -> f64 {
        self.steps
            .iter()
            .fold(row[self.from], |x, step| step.apply(x))
    }
}

/// Columns, and what was done to the rows before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Program {
    /// Columns, made into rows, and the operation on those.
    pub stages: Vec<(Vec<Column>, RowStep)>,
    pub columns: Vec<Column>,
}

impl Program {
    /// The sums themselves.
    pub fn plain(width: usize) -> Self {
        Self {
            stages: Vec::new(),
            columns: (0..width).map(Column::plain).collect(),
        }
    }

    /// Whether the columns are the sums themselves.
    pub fn is_plain(&self) -> bool {
        *self == Self::plain(self.columns.len())
    }

    /// One more step of every column.
    #[must_use]
    pub fn each(self, step: impl Fn(usize) -> Step) -> Self {
        let columns = self.columns.into_iter().enumerate();
        Self {
            columns: columns.map(|(k, column)| column.then(step(k))).collect(),
            ..self
        }
    }

    /// An operation on the rows.
    #[must_use]
    pub fn rows(mut self, step: RowStep) -> Self {
        let width = self.columns.len();
        self.stages.push((self.columns, step));
        Self {
            columns: (0..width).map(Column::plain).collect(),
            ..self
        }
    }

    /// Whether there are two columns of which the first is 1 minus the second.
    pub fn is_pair(&self) -> bool {
        let [first, second] = self.columns.as_slice() else {
            return false;
        };
        let complement = second.clone().then(Step::From(1.0));
        let mirrored = second.steps.is_empty()
            && first.steps.is_empty()
            && (first.from, second.from) == (0, 1)
            && self
                .stages
                .last()
                .is_some_and(|(columns, step)| step.sums_to_one() && columns.len() == 2);
        *first == complement || mirrored
    }

    /// Computes the columns of a row into `out`, whose length is their number; `scratch` is reused space.
    pub fn run(&self, row: &[f64], scratch: &mut [Vec<f64>; 2], out: &mut [f64]) {
        let [current, next] = scratch;
        current.clear();
        current.extend_from_slice(row);
        for (columns, step) in &self.stages {
            next.clear();
            next.extend(columns.iter().map(|c| c.of(current)));
            step.apply(next);
            std::mem::swap(current, next);
        }
        for (out, column) in out.iter_mut().zip(&self.columns) {
            *out = column.of(current);
        }
    }

    /// Reads other sums than before: that of `from` is at `to(from)`.
    pub fn move_sums(&mut self, to: impl Fn(usize) -> usize) {
        let first = self.stages.first_mut().map(|(columns, _)| columns);
        for column in first.unwrap_or(&mut self.columns) {
            column.from = to(column.from);
        }
    }

    /// Columns and steps held.
    pub fn size(&self) -> usize {
        let of = |columns: &[Column]| columns.iter().map(|c| 1 + c.steps.len()).sum::<usize>();
        self.stages
            .iter()
            .map(|(columns, _)| of(columns))
            .sum::<usize>()
            + of(&self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(program: &Program, row: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; program.columns.len()];
        program.run(row, &mut <[Vec<f64>; 2]>::default(), &mut out);
        out
    }

    #[test]
    fn pairs() {
        let p = Column::plain(0).then(Step::Logistic);
        let pair = Program {
            stages: Vec::new(),
            columns: vec![p.clone().then(Step::From(1.0)), p],
        };
        assert!(pair.is_pair());
        assert_eq!(run(&pair, &[0.0]), [0.5, 0.5]);
        assert!(pair.clone().rows(RowStep::Softmax).is_pair());
        assert!(!pair.each(|_| Step::Multiply(2.0)).is_pair());
    }

    #[test]
    fn rows() {
        let plain = Program::plain(3);
        assert!(plain.clone().each(|_| Step::Multiply(1.0)).is_plain());
        let two = plain
            .rows(RowStep::NormalizeL1)
            .each(|k| Step::Add(k as f64));
        assert_eq!(run(&two, &[1.0, -1.0, 2.0]), [0.25, 0.75, 2.5]);
        let again = two.rows(RowStep::NormalizeMax);
        assert_eq!(run(&again, &[1.0, -1.0, 2.0]), [0.1, 0.3, 1.0]);
        let zeros = Program::plain(2).rows(RowStep::NormalizeL2);
        assert_eq!(run(&zeros, &[0.0, 0.0]), [0.0, 0.0]);
        let zero = Program::plain(3).rows(RowStep::SoftmaxZero);
        assert_eq!(run(&zero, &[0.0, 1.0, 1.0]), [0.0, 0.5, 0.5]);
    }
}
