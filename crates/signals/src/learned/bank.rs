//! Prototype banks: examples, merged where they say the same, that a text is compared with.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use vsr_config::PrototypeScoring;

/// The embeddings of a configuration's examples, all made by one model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PrototypeVectors {
    fingerprint: Arc<str>,
    vectors: HashMap<Arc<str>, Arc<[f32]>>,
}

/// How similarities become a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scoring {
    /// The share of the best similarity.
    best_weight: f64,
    /// How many similarities make up the rest; all if 0.
    top_m: usize,
    /// The similarity from which examples are merged; `None` merges nothing.
    merge_at: Option<f64>,
    most: usize,
}

/// Examples that a text is compared with.
#[derive(Debug, Clone)]
pub(super) struct Bank {
    texts: Vec<Arc<str>>,
    scoring: Scoring,
    /// The prototypes and the model that made them; empty until vectors are installed.
    state: OnceLock<(Arc<str>, Vec<Prototype>)>,
}

#[derive(Debug, Clone)]
struct Prototype {
    text: Arc<str>,
    vector: Arc<[f32]>,
}

/// How near a text is to a bank.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Nearness {
    pub(super) score: f64,
    /// The highest similarity.
    pub(super) best: f64,
    /// The prototype with it.
    pub(super) nearest: Arc<str>,
}

// === impl PrototypeVectors

impl PrototypeVectors {
    /// The embeddings, of length 1, that the model called `fingerprint` made of texts.
    pub fn new(
        fingerprint: impl Into<Arc<str>>,
        vectors: impl IntoIterator<Item = (Arc<str>, Arc<[f32]>)>,
    ) -> Self {
        Self { fingerprint: fingerprint.into(), vectors: vectors.into_iter().collect() }
    }

    /// The model that made them.
    pub fn fingerprint(&self) -> &Arc<str> {
        &self.fingerprint
    }
}

// === impl Scoring

impl Scoring {
    /// The best similarity blended with the mean of the next, over merged examples.
    pub(super) fn blend(settings: &PrototypeScoring) -> Self {
        let best_weight = if settings.best_weight > 0.0 { settings.best_weight.min(1.0) } else { 0.75 };
        Self {
            best_weight,
            top_m: settings.top_m as usize,
            merge_at: settings.enabled.then_some(settings.cluster_similarity_threshold),
            most: settings.max_prototypes as usize,
        }
    }

    /// The mean of all similarities, over merged examples.
    pub(super) fn mean(settings: &PrototypeScoring) -> Self {
        Self { best_weight: 0.0, top_m: 0, ..Self::blend(settings) }
    }

    /// The highest similarity to any example.
    pub(super) const MAX: Self = Self { best_weight: 1.0, top_m: 1, merge_at: None, most: usize::MAX };
}

// === impl Bank

impl Bank {
    /// A bank of `texts`, blank ones and repetitions left out. It scores nothing until vectors are
    /// installed.
    pub(super) fn new<'t>(texts: impl IntoIterator<Item = &'t str>, scoring: Scoring) -> Self {
        let mut distinct: Vec<Arc<str>> = Vec::new();
        for text in texts.into_iter().map(str::trim).filter(|text| !text.is_empty()) {
            if !distinct.iter().any(|known| **known == *text) {
                distinct.push(text.into());
            }
        }
        Self { texts: distinct, scoring, state: OnceLock::new() }
    }

    /// The examples.
    pub(super) fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// Whether there are no examples.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Makes prototypes, if every example has a vector of one dimension and there are none yet.
    pub(super) fn install(&self, vectors: &PrototypeVectors) {
        let found: Option<Vec<Prototype>> = self
            .texts
            .iter()
            .map(|text| {
                let vector = vectors.vectors.get(text)?.clone();
                Some(Prototype { text: text.clone(), vector })
            })
            .collect();
        let made = found
            .filter(|found| found.windows(2).all(|pair| pair[0].vector.len() == pair[1].vector.len()))
            .map(|found| (vectors.fingerprint.clone(), merge(found, self.scoring)));
        if let Some(made) = made {
            self.state.get_or_init(|| made);
        }
    }

    /// How near `query`, made by the model called `fingerprint`, is. `None` without prototypes of that
    /// model and dimension.
    pub(super) fn nearness(&self, query: &[f32], fingerprint: &Arc<str>) -> Option<Nearness> {
        let (made_by, prototypes) = self.state.get()?;
        if made_by != fingerprint || prototypes.first()?.vector.len() != query.len() {
            return None;
        }
        let mut similarities: Vec<(f64, usize)> = prototypes
            .iter()
            .enumerate()
            .map(|(index, prototype)| (similarity(query, &prototype.vector), index))
            .collect();
        similarities.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        let (best, index) = *similarities.first()?;
        let count = match self.scoring.top_m {
            0 => similarities.len(),
            top => top.min(similarities.len()),
        };
        let support =
            similarities[..count].iter().map(|(similarity, _)| similarity).sum::<f64>() / count as f64;
        let score = self.scoring.best_weight * best + (1.0 - self.scoring.best_weight) * support;
        Some(Nearness { score, best, nearest: prototypes[index].text.clone() })
    }
}

/// The dot product: the cosine of vectors of length 1. Eight sums side by side, so that every machine adds
/// in the same order, and quickly.
pub(super) fn similarity(left: &[f32], right: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0_f32; LANES];
    let (left_chunks, right_chunks) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest = left_chunks.remainder().iter().zip(right_chunks.remainder());
    let rest: f32 = rest.map(|(left, right)| left * right).sum();
    for (left, right) in left_chunks.zip(right_chunks) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    f64::from(sums.iter().sum::<f32>() + rest)
}

/// Greedy clustering: the example with most neighbours takes them, until none is left; of each cluster
/// the example nearest to all others stands for it. The largest and tightest clusters are kept.
fn merge(examples: Vec<Prototype>, scoring: Scoring) -> Vec<Prototype> {
    let Some(merge_at) = scoring.merge_at else { return examples };
    let count = examples.len();
    let mut similarities = vec![1.0_f64; count * count];
    for left in 0..count {
        for right in 0..left {
            let value = similarity(&examples[left].vector, &examples[right].vector);
            similarities[left * count + right] = value;
            similarities[right * count + left] = value;
        }
    }
    let near = |left: usize, right: usize| left == right || similarities[left * count + right] >= merge_at;
    let mut neighbours: Vec<usize> =
        (0..count).map(|left| (0..count).filter(|right| near(left, *right)).count()).collect();
    let mut is_left = vec![true; count];
    let mut clusters: Vec<(usize, f64, usize)> = Vec::new();
    let by_text = |left: usize, right: usize| examples[right].text.cmp(&examples[left].text);
    while let Some(seed) = (0..count)
        .filter(|index| is_left[*index])
        .max_by(|left, right| neighbours[*left].cmp(&neighbours[*right]).then_with(|| by_text(*left, *right)))
    {
        let members: Vec<usize> = (0..count).filter(|index| is_left[*index] && near(seed, *index)).collect();
        for member in &members {
            is_left[*member] = false;
            (0..count).filter(|other| near(*member, *other)).for_each(|other| neighbours[other] -= 1);
        }
        let mean = |of: usize| {
            members.iter().map(|member| similarities[of * count + member]).sum::<f64>() / members.len() as f64
        };
        let medoid = members
            .iter()
            .map(|member| (mean(*member), *member))
            .max_by(|left, right| left.0.total_cmp(&right.0).then_with(|| by_text(left.1, right.1)));
        clusters.extend(medoid.map(|(mean, medoid)| (members.len(), mean, medoid)));
    }
    clusters.sort_by(|left, right| {
        let larger = right.0.cmp(&left.0).then_with(|| right.1.total_cmp(&left.1));
        larger.then_with(|| examples[left.2].text.cmp(&examples[right.2].text))
    });
    clusters.truncate(scoring.most.max(1));
    clusters.into_iter().map(|(_, _, medoid)| examples[medoid].clone()).collect()
}
