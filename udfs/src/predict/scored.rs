//! `predict_proba(m, …)` of the rows for which `predict_proba(m, …) > 0.9` holds, as one function: rows that certainly
//! fail need no exact score, and what the others have is the plain call's output, in every bit.

use super::compared::Compared;
use super::function::answer;
use crate::score::Limits;
use arrow::array::Float64Array;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result as PlanResult;
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use std::sync::Arc;

/// A call's output where a comparison with it holds, and NULL elsewhere.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Scored {
    name: String,
    compared: Compared,
}

impl Scored {
    pub(super) fn new(compared: Compared) -> Self {
        Self {
            name: format!("score where {}", compared.name),
            compared,
        }
    }

    fn outputs(&self, scores: &[f64], limits: Limits) -> Float64Array {
        let output = |raw: &f64| {
            // NaN is neither; the comparison decides.
            if *raw < limits.low || *raw > limits.high {
                None
            } else {
                self.compared.passing(*raw)
            }
        };
        scores.iter().map(output).collect()
    }
}

impl ScalarUDFImpl for Scored {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.compared.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> PlanResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> PlanResult<DataType> {
        self.compared.call().return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> PlanResult<FieldRef> {
        let output = self.compared.call().return_field_from_args(args)?;
        Ok(Arc::new(Field::new(
            &self.name,
            output.data_type().clone(),
            true,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let limits = self.compared.limits_of_passing();
        let call = &self.compared.call;
        let (scores, constant) = call.scores(&args.args, args.number_rows, limits)?;
        answer(Arc::new(self.outputs(&scores, limits)), constant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::testing::{model, run};
    use crate::predict::{Output, PinnedModel, Predict, Side, predict_udf};
    use crate::score::features::Feature;
    use crate::score::forest::Forest;
    use crate::score::forest::objective::Objective;
    use crate::score::forest::random::{Random, Shape, tree};
    use arrow::array::{ArrayRef, AsArray};
    use arrow::datatypes::Float64Type;
    use datafusion_expr::ScalarUDF;

    const FEATURES: usize = 4;

    fn scored_model(seed: u64, trees: usize, objective: Objective) -> Arc<PinnedModel> {
        let random = &mut Random(seed);
        let shape = Shape {
            zero_missing: true,
            ..Shape::plain(FEATURES, trees, 30)
        };
        let trees = (0..trees).map(|_| {
            let leaves = 2 + random.below(shape.leaves);
            let mut tree = tree(random, &shape, leaves);
            tree.leaves.iter_mut().for_each(|leaf| *leaf /= 40.0);
            tree
        });
        let features = ["a", "b", "c", "d"].map(Feature::numeric).to_vec();
        model(
            "m",
            Forest::new(features, trees.collect(), 1, objective, false),
        )
    }

    fn bits(values: ColumnarValue, rows: usize) -> Vec<Option<u64>> {
        let array = values.into_array(rows).unwrap();
        let values = array.as_primitive::<Float64Type>();
        values.iter().map(|v| v.map(f64::to_bits)).collect()
    }

    /// What the call gives and what the comparison says, of forests and bounds of all kinds.
    #[test]
    fn outputs_of_rows_that_pass() {
        let mut seen = [0; 2];
        for (seed, (objective, output)) in [
            (Objective::Identity, Output::Predict),
            (Objective::Exp, Output::Predict),
            (Objective::Sigmoid(1.0), Output::ProbaOf(0)),
            (Objective::Sigmoid(1.5), Output::ProbaOf(1)),
            (Objective::Sigmoid(1.0), Output::Raw),
        ]
        .into_iter()
        .cycle()
        .take(15)
        .enumerate()
        {
            let model = scored_model(seed as u64 + 1, 1 + seed * 5, objective);
            let call = predict_udf(&model, output, "p").unwrap();
            let random = &mut Random(seed as u64);
            for rows in [1, 3, 1000] {
                let mut column = || -> ColumnarValue {
                    let values = (0..rows).map(|_| (!random.one_in(50)).then(|| random.number(0)));
                    ColumnarValue::Array(Arc::new(values.collect::<Float64Array>()) as ArrayRef)
                };
                let args: Vec<_> = (0..FEATURES).map(|_| column()).collect();
                let plain = bits(run(call.inner().as_ref(), args.clone(), rows), rows);
                let mut sorted: Vec<f64> = plain
                    .iter()
                    .flatten()
                    .copied()
                    .map(f64::from_bits)
                    .collect();
                sorted.sort_by(f64::total_cmp);
                let mut bounds: Vec<f64> = [0, 1, 5, 9, 10]
                    .map(|tenth| sorted[(rows - 1) * tenth / 10])
                    .to_vec();
                bounds.extend([0.0, 1.0, 1e300, f64::INFINITY, f64::NEG_INFINITY]);
                for bound in bounds {
                    for side in [Side::Above, Side::AtLeast, Side::Below, Side::AtMost] {
                        let compared = Predict::of(&call).unwrap().compared(side, bound).unwrap();
                        let scored = Compared::of(&compared).unwrap().scored();
                        let holds = |output: &u64| {
                            let order = f64::from_bits(*output).total_cmp(&bound);
                            match side {
                                Side::Above => order.is_gt(),
                                Side::AtLeast => order.is_ge(),
                                Side::Below => order.is_lt(),
                                Side::AtMost => order.is_le(),
                            }
                        };
                        let expected: Vec<_> = plain.iter().map(|o| o.filter(holds)).collect();
                        let found = bits(run(scored.inner().as_ref(), args.clone(), rows), rows);
                        assert_eq!(
                            found,
                            expected,
                            "{objective:?} {output:?} {}",
                            scored.name()
                        );
                        seen[0] += found.iter().flatten().count();
                        seen[1] += found.iter().filter(|v| v.is_none()).count();
                    }
                }
            }
        }
        assert!(seen.iter().all(|count| *count > 50_000), "{seen:?}");
    }

    #[test]
    fn of_row_groups_and_of_constants() {
        let model = scored_model(1, 3, Objective::Identity);
        let call = predict_udf(&model, Output::Predict, "p").unwrap();
        let (args, rows) = (vec![ColumnarValue::Scalar(5.0.into()); FEATURES], 100);
        let ColumnarValue::Scalar(output) = run(call.inner().as_ref(), args.clone(), rows) else {
            panic!("constants have one output");
        };
        let compare = |bound| {
            Predict::of(&call)
                .unwrap()
                .compared(Side::Above, bound)
                .unwrap()
        };
        let (passing, failing) = (compare(-1e9), compare(1e9));
        let scored = |function: &ScalarUDF| {
            let made = Compared::of(function).unwrap().scored();
            run(made.inner().as_ref(), args.clone(), rows)
        };
        assert!(matches!(scored(&passing), ColumnarValue::Scalar(found) if found == output));
        assert!(matches!(scored(&failing), ColumnarValue::Scalar(found) if found.is_null()));
        let groups = Compared::of(&failing).unwrap().of_row_groups();
        assert!(
            matches!(run(groups.inner().as_ref(), args.clone(), rows), ColumnarValue::Scalar(all) if all == true.into())
        );
        assert_ne!(groups, failing);
        assert!(!Compared::of(&groups).unwrap().is_of_rows());
    }
}
