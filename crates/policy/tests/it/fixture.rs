//! A compiled policy over atoms declared by hand.

use vsr_config::{Config, Document};
use vsr_policy::Policy;
use vsr_types::{
    Atom, AtomId, AtomTable, DecisionOutcome, Diagnostics, Evidence, OnError, ProjectionTrace,
    UnavailableReason, Verdict,
};

/// The line that asks for the old behaviour.
pub(crate) const V0_3: &str = "global: {router: {compatibility: v0.3}}\n";

/// A policy, its atoms, and the evidence of one request.
pub(crate) struct Case {
    pub(crate) atoms: AtomTable,
    pub(crate) policy: Policy,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) evidence: Evidence,
}

pub(crate) fn config(text: &str) -> Config {
    let document = Document::parse("test.yaml", text, &|_| None);
    let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
    document.config().unwrap_or_else(|| panic!("not a configuration: {problems:?}")).clone()
}

pub(crate) fn atom(written: &str) -> Atom {
    let (family, name) = written.split_once(':').unwrap();
    Atom::new(family.parse().unwrap(), name)
}

impl Case {
    /// Compiles `config` over `atoms`, whatever is wrong with it.
    pub(crate) fn of(atoms: &[&str], config: &Config) -> Self {
        let mut table = AtomTable::default();
        for written in atoms {
            table.declare(atom(written));
        }
        let mut diagnostics = Diagnostics::default();
        let policy = Policy::compile(config, &mut table, &mut diagnostics);
        let evidence = Evidence::new(&table);
        Self { atoms: table, policy, diagnostics, evidence }
    }

    /// Compiles `text` over `atoms`, whatever is wrong with it.
    pub(crate) fn checked(atoms: &[&str], text: &str) -> Self {
        Self::of(atoms, &config(text))
    }

    /// Compiles `text` over `atoms`, which must not give errors.
    pub(crate) fn new(atoms: &[&str], text: &str) -> Self {
        let case = Self::checked(atoms, text);
        assert!(!case.diagnostics.has_errors(), "{:#?}", case.diagnostics);
        case
    }

    pub(crate) fn id(&self, written: &str) -> AtomId {
        let atom = atom(written);
        self.atoms.find(atom.family, &atom.name).unwrap_or_else(|| panic!("no atom {written}"))
    }

    pub(crate) fn matched(mut self, written: &str, confidence: f64) -> Self {
        self.evidence.set_matched(self.id(written), confidence);
        self
    }

    pub(crate) fn value(mut self, written: &str, value: f64) -> Self {
        self.evidence.set_value(self.id(written), value);
        self
    }

    pub(crate) fn unavailable(mut self, written: &str) -> Self {
        let id = self.id(written);
        self.evidence.set_unavailable(id, UnavailableReason::Overloaded, OnError::Unavailable);
        self
    }

    pub(crate) fn project(&mut self) -> ProjectionTrace {
        self.policy.evaluate_projections(&mut self.evidence)
    }

    pub(crate) fn decide(&mut self) -> Verdict {
        let projections = self.project();
        self.policy.decide(&self.evidence, projections)
    }

    /// The outcome of the first decision.
    pub(crate) fn outcome(&mut self) -> DecisionOutcome {
        self.decide().outcomes[0]
    }

    /// The winner's name, and by what it won.
    pub(crate) fn winner(&mut self) -> Option<(String, &'static str)> {
        let verdict = self.decide();
        verdict.winner.map(|winner| (winner.name.to_string(), verdict.won_by))
    }

    pub(crate) fn names(&self, ids: &[AtomId]) -> Vec<String> {
        ids.iter().map(|id| self.atoms.atom(*id).to_string()).collect()
    }

    pub(crate) fn confidence(&self, written: &str) -> Option<f64> {
        let id = self.id(written);
        self.evidence.is_matched(id).then(|| self.evidence.confidence(id).unwrap_or(f64::NAN))
    }

    pub(crate) fn is_unavailable(&self, written: &str) -> bool {
        self.evidence.is_unavailable(self.id(written))
    }
}

/// A configuration with one decision `d` of these rules.
pub(crate) fn with_rules(rules: &str) -> String {
    format!("routing:\n  decisions:\n    - name: d\n      rules: {rules}\n")
}

/// Every problem as `path: message (help)`, warnings marked.
pub(crate) fn problems(atoms: &[&str], text: &str) -> Vec<String> {
    let case = Case::checked(atoms, text);
    let lines = case.diagnostics.iter().map(|problem| {
        let mark = match problem.severity {
            vsr_types::Severity::Error => "",
            _ => "warning: ",
        };
        let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{mark}{}: {}{help}", problem.path, problem.message)
    });
    lines.collect()
}
