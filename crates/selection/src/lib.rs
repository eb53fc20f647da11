//! Algorithms: from a decision's candidates to one model.
//!
//! ```
//! use vsr_config::Document;
//! use vsr_selection::Selection;
//! use vsr_types::Diagnostics;
//!
//! let text = "routing: {decisions: [{name: code, modelRefs: [{model: small}, {model: large}]}]}";
//! let document = Document::parse("config.yaml", text, &|_| None);
//! let mut diagnostics = Diagnostics::default();
//! let selection = Selection::compile(document.config().unwrap(), &mut diagnostics);
//! assert_eq!(selection.choose(0).unwrap().candidate, 0);
//! ```

mod fixed;

use vsr_config::{AlgorithmKind, Config, Decision};
use vsr_types::{Diagnostics, ModelName, Path};

use crate::fixed::Fixed;

/// The compiled algorithm of every decision.
#[derive(Debug, Clone)]
pub struct Selection {
    decisions: Vec<Algorithm>,
}

/// What an algorithm picked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// The position in the decision's `modelRefs`.
    pub candidate: usize,
    /// The algorithm that picked.
    pub method: &'static str,
    /// The candidates with their scores, best first; empty where nothing was scored.
    pub scores: Vec<(ModelName, f64)>,
    /// The probability of this pick.
    pub propensity: f64,
}

#[derive(Debug, Clone)]
enum Algorithm {
    /// No candidates: the default model answers.
    None,
    /// One candidate: no algorithm runs.
    Single,
    /// The best by fixed scores.
    Fixed(Fixed),
}

// === impl Selection

impl Selection {
    /// Compiles the algorithm of every decision. Algorithms of the contract that are not active
    /// are reported and replaced by `static`.
    pub fn compile(config: &Config, diagnostics: &mut Diagnostics) -> Self {
        let decisions = Path::keys("routing.decisions");
        let compile = |(index, decision): (usize, &Decision)| {
            if let Some(algorithm) = &decision.algorithm {
                let kind = algorithm.kind.as_str();
                if algorithm.kind != AlgorithmKind::Static {
                    diagnostics.not_active(
                        decisions.index(index).key("algorithm"),
                        format!(
                            "algorithm `{kind}`; the first candidate with the best static score is taken"
                        ),
                    );
                }
            }
            match decision.model_refs.len() {
                0 => Algorithm::None,
                1 => Algorithm::Single,
                _ => Algorithm::Fixed(Fixed::compile(config, decision)),
            }
        };
        Self { decisions: config.routing.decisions.iter().enumerate().map(compile).collect() }
    }

    /// Picks a candidate of the decision at `index`; `None` if it has none.
    pub fn choose(&self, index: usize) -> Option<Pick> {
        match self.decisions.get(index)? {
            Algorithm::None => None,
            Algorithm::Single => {
                Some(Pick { candidate: 0, method: "single", scores: Vec::new(), propensity: 1.0 })
            }
            Algorithm::Fixed(fixed) => Some(fixed.choose()),
        }
    }
}
