//! Figures of merit of classifiers and embeddings.

/// The area under the ROC curve of `scores` for `labels`: the share of pairs of a positive and a negative in which the
/// positive has the higher score, ties half (Hanley & McNeil 1982). `None` without both.
pub fn auroc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let ranks = ranks(scores);
    let positives = labels.iter().filter(|label| **label).count();
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let sum: f64 = ranks.iter().zip(labels).filter(|(_, label)| **label).map(|(rank, _)| rank).sum();
    let least = (positives * (positives + 1)) as f64 / 2.0;
    Some((sum - least) / (positives * negatives) as f64)
}

/// The lowest threshold at which at most `share` of the negatives reach it, and the share of positives that reach it.
/// `None` without negatives.
pub fn threshold_at(scores: &[f64], labels: &[bool], share: f64) -> Option<(f64, f64)> {
    let of = |wanted: bool| {
        scores.iter().zip(labels).filter(move |(_, label)| **label == wanted).map(|(score, _)| *score)
    };
    let mut negatives: Vec<f64> = of(false).collect();
    if negatives.is_empty() {
        return None;
    }
    negatives.sort_by(|left, right| right.total_cmp(left));
    let allowed = (negatives.len() as f64 * share).floor() as usize;
    // Just above the highest negative that must not pass.
    let threshold = negatives.get(allowed).map_or(0.0, |highest| highest.next_up());
    let (mut count, mut caught) = (0_usize, 0_usize);
    for score in of(true) {
        count += 1;
        caught += usize::from(score >= threshold);
    }
    Some((threshold, caught as f64 / count.max(1) as f64))
}

/// The share of right answers.
pub fn accuracy(predicted: &[usize], labels: &[usize]) -> f64 {
    let right = predicted.iter().zip(labels).filter(|(predicted, label)| predicted == label).count();
    right as f64 / labels.len().max(1) as f64
}

/// The mean F1 over the classes that occur.
pub fn macro_f1(predicted: &[usize], labels: &[usize], classes: usize) -> f64 {
    let (mut sum, mut present) = (0.0, 0);
    for class in 0..classes {
        let count = |test: &dyn Fn(usize, usize) -> bool| {
            predicted.iter().zip(labels).filter(|(predicted, label)| test(**predicted, **label)).count()
        };
        let hits = count(&|predicted, label| predicted == class && label == class);
        let wrong = count(&|predicted, label| (predicted == class) != (label == class));
        if hits + wrong > 0 {
            present += 1;
            sum += 2.0 * hits as f64 / (2 * hits + wrong) as f64;
        }
    }
    sum / f64::from(present.max(1))
}

/// The expected calibration error over ten bins of confidence (Guo et al. 2017): the mean distance between how sure the
/// answers of a bin are and how many are right, weighted by their number.
pub fn calibration_error(confidences: &[f64], right: &[bool]) -> f64 {
    const BINS: usize = 10;
    let mut bins = [(0.0, 0.0, 0_usize); BINS];
    for (confidence, right) in confidences.iter().zip(right) {
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += confidence;
        bin.1 += f64::from(u8::from(*right));
        bin.2 += 1;
    }
    let distance = |(sure, right, _): &(f64, f64, usize)| (sure - right).abs();
    bins.iter().map(distance).sum::<f64>() / confidences.len().max(1) as f64
}

/// Spearman's rank correlation: Pearson's correlation of the ranks, ties sharing their mean rank.
pub fn spearman(left: &[f64], right: &[f64]) -> f64 {
    let (left, right) = (ranks(left), ranks(right));
    let mean = (left.len() as f64 + 1.0) / 2.0;
    let (mut product, mut squares) = (0.0, (0.0, 0.0));
    for (left, right) in left.iter().zip(&right) {
        let (left, right) = (left - mean, right - mean);
        product += left * right;
        squares.0 += left * left;
        squares.1 += right * right;
    }
    product / (squares.0 * squares.1).sqrt()
}

/// Ranks from 1, ties sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|left, right| values[*left].total_cmp(&values[*right]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let rank = (start + end + 1) as f64 / 2.0;
        order[start..end].iter().for_each(|index| ranks[*index] = rank);
        start = end;
    }
    ranks
}
