//! Servers with a classify endpoint: what they are sent, and what they answer.

use std::sync::Arc;

use serde_json::{Value, json};

use super::UnreadableAnswer;

/// How far the sum of all probabilities may be from 1: servers round.
const SLACK: f64 = 0.02;
/// The most classes of an answer.
const MOST_CLASSES: usize = 1024;

/// The body that asks about `text`. The key `inputs` is read by servers of Hugging Face's shape, `input` and
/// `model` by those of vLLM's; both ignore what they do not know.
pub fn body(model: &str, text: &str) -> Value {
    json!({ "model": model, "input": text, "inputs": text })
}

/// The probabilities of an answer's classes: `[{"label": "safe", "score": 0.9}, …]`, also one list deeper, or
/// `{"data": [{"label": "safe", "probs": [0.9, 0.1]}]}`, whose other classes have no names and are left out.
///
/// # Errors
/// If it has neither form, a class occurs twice, a number is no probability, or a list does not sum to 1: a list
/// that leaves classes out would make an attack look less probable.
pub fn parse(answer: &str) -> Result<Vec<(Arc<str>, f64)>, UnreadableAnswer> {
    let unreadable = UnreadableAnswer { parser: "classify" };
    let answer: Value = serde_json::from_str(answer).map_err(|_| unreadable)?;
    let classes = match &answer {
        Value::Array(list) => scores(list),
        Value::Object(object) => object.get("data").and_then(Value::as_array).and_then(|data| named(data)),
        _ => None,
    };
    classes.ok_or(unreadable)
}

fn scores(list: &[Value]) -> Option<Vec<(Arc<str>, f64)>> {
    if let [Value::Array(inner)] = list {
        return scores(inner);
    }
    let mut classes: Vec<(Arc<str>, f64)> = Vec::with_capacity(list.len().min(MOST_CLASSES));
    for entry in list {
        let label = entry.get("label")?.as_str().map(str::trim).filter(|label| !label.is_empty())?;
        let score = share(entry.get("score")?)?;
        if classes.len() == MOST_CLASSES || classes.iter().any(|(known, _)| **known == *label) {
            return None;
        }
        classes.push((label.into(), score));
    }
    let sum: f64 = classes.iter().map(|(_, score)| score).sum();
    ((sum - 1.0).abs() <= SLACK).then_some(classes)
}

/// The class that is named has the highest of the probabilities.
fn named(data: &[Value]) -> Option<Vec<(Arc<str>, f64)>> {
    let [entry] = data else { return None };
    let label = entry.get("label")?.as_str().map(str::trim).filter(|label| !label.is_empty())?;
    let shares = entry.get("probs")?.as_array().filter(|shares| shares.len() <= MOST_CLASSES)?;
    let shares: Vec<f64> = shares.iter().map(share).collect::<Option<_>>()?;
    let sum: f64 = shares.iter().sum();
    let best = shares.into_iter().reduce(f64::max)?;
    ((sum - 1.0).abs() <= SLACK).then(|| vec![(label.into(), best)])
}

fn share(value: &Value) -> Option<f64> {
    value.as_f64().filter(|share| (0.0..=1.0).contains(share))
}
