//! The policy of a snapshot: its decisions over its projections.

use std::collections::HashMap;

use vsr_config::{Compatibility, Config, Strategy};
use vsr_types::{
    AtomTable, DecisionName, DecisionOutcome, Diagnostic, Diagnostics, Evidence, FamilySet, Path,
    ProjectionTrace, Verdict, Winner,
};

use crate::{
    explain::DecisionExplanation,
    families,
    projections::Projections,
    ranking::{Contender, Ranking, Standing},
    reading::Reading,
    references::References,
    rules::{GateId, Program, Rule, RuleBuilder, RuleHome, RuleState},
};

/// Projections and decisions, compiled. Evaluation is pure: the same evidence, the same verdict.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) reading: Reading,
    ranking: Ranking,
    /// Another order, which counts while a decision with a tier matches: v0.3 only.
    tiered_ranking: Option<Ranking>,
    projections: Projections,
    pub(crate) decisions: Vec<Decision>,
    program: Program,
    used_families: FamilySet,
}

/// One decision.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) name: DecisionName,
    pub(crate) priority: i64,
    /// As written; 0 if absent.
    pub(crate) tier: i64,
    pub(crate) rule: Rule,
    gate: GateId,
}

// === impl Policy

impl Policy {
    /// Compiles projections and decisions. `atoms` holds the atoms of all signals; outputs of mappings
    /// are added to it. Everything wrong is reported; what is wrong never matches.
    pub fn compile(config: &Config, atoms: &mut AtomTable, diagnostics: &mut Diagnostics) -> Self {
        let reading = Reading { v0_3: config.global.router.compatibility == Some(Compatibility::V0_3) };
        let projections = Projections::compile(config, atoms, reading, diagnostics);
        let mut program = Program::default();
        let references = References { config, atoms };
        let decisions = compile_decisions(references, reading, &mut program, diagnostics);
        let rules = decisions.iter().map(|decision| &decision.rule);
        let used_families = families::used(rules, &projections, atoms);
        let strategy =
            config.routing.strategy.or(config.global.router.strategy).unwrap_or(Strategy::Priority);
        let standings: Vec<Standing> = decisions.iter().map(Decision::standing).collect();
        Self {
            reading,
            tiered_ranking: reading.v0_3.then(|| Ranking::tiered(standings.clone())),
            ranking: if reading.v0_3 {
                Ranking::untiered(strategy, standings)
            } else {
                Ranking::new(strategy, standings)
            },
            projections,
            decisions,
            program,
            used_families,
        }
    }

    pub(crate) fn projections(&self) -> &Projections {
        &self.projections
    }

    /// The families that decisions depend on, directly or through projections and composers.
    pub fn used_families(&self) -> FamilySet {
        self.used_families
    }

    /// Derives projections from signals, in place: partitions, composers, the embedding top-k, scores
    /// and mappings.
    pub fn evaluate_projections(&self, evidence: &mut Evidence) -> ProjectionTrace {
        self.projections.evaluate(evidence, self.reading)
    }

    /// Evaluates all decisions and picks the winner.
    pub fn decide(&self, evidence: &Evidence, projections: ProjectionTrace) -> Verdict {
        let outcomes: Vec<DecisionOutcome> =
            self.decisions.iter().map(|decision| self.outcome(decision, evidence)).collect();
        let ranking = self.ranking_for(&outcomes);
        let (mut first, mut second): (Option<Contender>, Option<Contender>) = (None, None);
        for contender in contenders(&outcomes) {
            if second.is_some_and(|second| !ranking.is_before(contender, second)) {
                continue;
            }
            second = match first {
                Some(first) if !ranking.is_before(contender, first) => Some(contender),
                _ => first.replace(contender),
            };
        }
        let won_by = match (first, second) {
            (Some(first), Some(second)) => ranking.reason(first, second),
            (Some(_), None) => "only match",
            (None, _) => "",
        };
        let winner = first.map(|first| self.winner(first, evidence));
        let runner_up = second.map(|second| self.winner(second, evidence));
        Verdict { winner, runner_up, won_by, outcomes, projections }
    }

    /// The full rule tree of every decision with the state of each node. Not for the hot path.
    pub fn explain(&self, evidence: &Evidence) -> Vec<DecisionExplanation> {
        let outcome = |decision| self.outcome(decision, evidence);
        self.decisions
            .iter()
            .map(|decision| DecisionExplanation::new(decision, outcome(decision), evidence, self.reading))
            .collect()
    }

    fn outcome(&self, decision: &Decision, evidence: &Evidence) -> DecisionOutcome {
        match self.program.state(decision.gate, evidence) {
            RuleState::Matched => {
                let confidence = decision.rule.confidence(evidence, self.reading).unwrap_or(0.0);
                // Adding zero makes -0 equal to 0 in a total order.
                DecisionOutcome::Matched(confidence + 0.0)
            }
            RuleState::NotMatched => DecisionOutcome::NotMatched,
            RuleState::Unavailable => DecisionOutcome::Unavailable,
        }
    }

    fn ranking_for(&self, outcomes: &[DecisionOutcome]) -> &Ranking {
        match &self.tiered_ranking {
            Some(tiered) if contenders(outcomes).any(|contender| tiered.has_tier(contender)) => tiered,
            _ => &self.ranking,
        }
    }

    fn winner(&self, contender: Contender, evidence: &Evidence) -> Winner {
        let decision = &self.decisions[contender.index];
        let mut matched_atoms = Vec::new();
        decision.rule.collect_atoms(evidence, self.reading, &mut matched_atoms);
        Winner {
            index: contender.index,
            name: decision.name.clone(),
            confidence: contender.confidence,
            matched_atoms,
        }
    }
}

/// The decisions that matched.
fn contenders(outcomes: &[DecisionOutcome]) -> impl Iterator<Item = Contender> {
    outcomes.iter().enumerate().filter_map(|(index, outcome)| match *outcome {
        DecisionOutcome::Matched(confidence) => Some(Contender { index, confidence }),
        _ => None,
    })
}

// === impl Decision

impl Decision {
    fn standing(&self) -> Standing {
        Standing { name: self.name.to_string(), tier: self.tier, priority: self.priority }
    }
}

fn compile_decisions(
    references: References<'_>,
    reading: Reading,
    program: &mut Program,
    diagnostics: &mut Diagnostics,
) -> Vec<Decision> {
    let builder = RuleBuilder { references, reading, home: RuleHome::Decision };
    let mut names: HashMap<&str, usize> = HashMap::new();
    let decisions = references.config.routing.decisions.iter().enumerate();
    decisions
        .map(|(index, written)| {
            let place = Path::keys("routing.decisions").index(index);
            if written.name.trim().is_empty() {
                diagnostics.error(place.key("name"), "a decision needs a name");
            } else if let Some(first) = names.get(written.name.as_str()) {
                diagnostics.push(
                    Diagnostic::error(
                        place.key("name"),
                        format!("there is another decision `{}`", written.name),
                    )
                    .help(format!("the first is decisions[{first}]; names of decisions are unique")),
                );
            } else {
                names.insert(&written.name, index);
            }
            if let Some(tier) = written.tier.filter(|tier| *tier < 1 && !reading.v0_3) {
                diagnostics.push(
                    Diagnostic::warning(place.key("tier"), format!("tier {tier} counts as no tier"))
                        .help("tiers start at 1, and decisions without one come last"),
                );
            }
            let rule = match &written.rules {
                Some(rules) => builder.root(rules, &place.key("rules"), diagnostics),
                None => Rule::Always,
            };
            Decision {
                name: written.name.as_str().into(),
                priority: written.priority,
                tier: written.tier.unwrap_or(0),
                gate: program.add(&rule),
                rule,
            }
        })
        .collect()
}
