//! A compiled policy and one evaluated request, for tests.

use vsr_config::Document;
use vsr_signals::{SignalInput, SignalRefusal, SignalSet, SignalSummary, TokenCalibration};
use vsr_types::{AtomTable, Diagnostics, Evidence, FamilySet, Identity, RequestView, SignalFamily};

/// A policy whose `routing.signals` was given.
pub(crate) struct Policy {
    pub(crate) atoms: AtomTable,
    pub(crate) set: SignalSet,
    pub(crate) diagnostics: Diagnostics,
}

/// What was found in one request.
pub(crate) struct Found<'p> {
    policy: &'p Policy,
    pub(crate) evidence: Evidence,
    pub(crate) summary: SignalSummary,
}

impl Policy {
    /// Compiles a whole configuration.
    pub(crate) fn of(yaml: &str) -> Self {
        let document = Document::parse("config.yaml", yaml, &|_| None);
        let problems: Vec<String> = document.problems().iter().map(ToString::to_string).collect();
        let config = document.config().unwrap_or_else(|| panic!("{}", problems.join("\n")));
        let (mut atoms, mut diagnostics) = (AtomTable::default(), Diagnostics::default());
        let set = SignalSet::compile(config, &mut atoms, &mut diagnostics);
        Self { atoms, set, diagnostics }
    }

    /// Compiles the block under `routing.signals`, which may be a flow mapping, and has no errors.
    pub(crate) fn signals(block: &str) -> Self {
        let policy = Self::unchecked(block);
        assert!(!policy.diagnostics.has_errors(), "{}", policy.problems().join("\n"));
        policy
    }

    /// The same, whatever the problems.
    pub(crate) fn unchecked(block: &str) -> Self {
        let indented: String = block.lines().map(|line| format!("    {line}\n")).collect();
        Self::of(&format!("version: v0.3\nrouting:\n  signals:\n{indented}"))
    }

    /// The problems as `path: message`, those about families that are not active left out.
    pub(crate) fn problems(&self) -> Vec<String> {
        let problems = self.diagnostics.iter();
        problems
            .filter(|problem| problem.severity != vsr_types::Severity::NotActive)
            .map(|problem| format!("{}: {}", problem.path, problem.message))
            .collect()
    }

    /// Evaluates a prompt of a known user.
    pub(crate) fn on(&self, prompt: &str) -> Found<'_> {
        self.on_request(&RequestView::from_prompt(prompt))
    }

    /// Evaluates a request of a known user.
    pub(crate) fn on_request(&self, request: &RequestView<'_>) -> Found<'_> {
        let identity = Identity { user: Some("ann".into()), ..Identity::default() };
        self.try_on(request, &identity, false).unwrap()
    }

    /// Evaluates a request of any caller.
    pub(crate) fn try_on(
        &self,
        request: &RequestView<'_>,
        identity: &Identity,
        authz_fail_open: bool,
    ) -> Result<Found<'_>, SignalRefusal> {
        let mut evidence = Evidence::new(&self.atoms);
        let tokens = TokenCalibration::new();
        let input = SignalInput { request, identity, tokens: &tokens, authz_fail_open, readings: None };
        let summary = self.set.evaluate(&input, FamilySet::ALL, &mut evidence)?;
        Ok(Found { policy: self, evidence, summary })
    }
}

impl<'p> Found<'p> {
    pub(crate) fn new(policy: &'p Policy, evidence: Evidence, summary: SignalSummary) -> Self {
        Self { policy, evidence, summary }
    }

    /// Why `family:name` could not be evaluated.
    pub(crate) fn reason(&self, family: SignalFamily, name: &str) -> Option<vsr_types::UnavailableReason> {
        self.evidence.reason(self.id(family, name))
    }

    fn id(&self, family: SignalFamily, name: &str) -> vsr_types::AtomId {
        self.policy.atoms.find(family, name).unwrap_or_else(|| panic!("no atom {family}:{name}"))
    }

    /// Whether `family:name` matched.
    pub(crate) fn matched(&self, family: SignalFamily, name: &str) -> bool {
        self.evidence.is_matched(self.id(family, name))
    }

    /// Whether `family:name` is unavailable.
    pub(crate) fn unavailable(&self, family: SignalFamily, name: &str) -> bool {
        self.evidence.is_unavailable(self.id(family, name))
    }

    /// The names of `family` that matched, in the order declared.
    pub(crate) fn names(&self, family: SignalFamily) -> Vec<&str> {
        self.policy.atoms.names(family).filter(|name| self.matched(family, name)).collect()
    }

    /// The raw value behind `family:name`.
    pub(crate) fn value(&self, family: SignalFamily, name: &str) -> Option<f64> {
        self.evidence.value(self.id(family, name))
    }

    /// The confidence of `family:name`.
    pub(crate) fn confidence(&self, family: SignalFamily, name: &str) -> Option<f64> {
        self.evidence.confidence(self.id(family, name))
    }

    /// The explanations of `family:name`.
    pub(crate) fn notes(&self, family: SignalFamily, name: &str) -> Vec<&str> {
        self.evidence.notes(self.id(family, name)).collect()
    }
}
