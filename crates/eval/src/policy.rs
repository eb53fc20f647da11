//! A configuration text as a policy that probes can be put to.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use vsr_config::Document;
use vsr_protocol::ViewedRequest;
use vsr_reader::Reader;
use vsr_router::{Metrics, Router, RouterParts, Snapshot, Surroundings, compile};
use vsr_store::{KeyValue, MemoryStore};
use vsr_types::{Clock, Identity, IdentitySource, SystemClock};
use vsr_upstream::Client;

use crate::{EvalError, Probe};

/// Embedded examples that are kept between versions of a policy.
const KEPT_EXAMPLES: usize = 100_000;

/// Policies that differ in little, compiled one after the other over the same models.
pub struct Policy<'p> {
    name: &'p str,
    directory: &'p Path,
    variables: &'p dyn Fn(&str) -> Option<String>,
    reader: Reader,
    examples: MemoryStore,
}

/// What became of a probe.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The decision that was reached; empty if none matched.
    pub decision: String,
    /// The values of all signals, by `family:name`.
    pub values: BTreeMap<String, f64>,
}

// === impl Policy

impl<'p> Policy<'p> {
    /// Policies called `name` whose relative paths begin at `directory`.
    pub fn new(
        name: &'p str,
        directory: &'p Path,
        variables: &'p dyn Fn(&str) -> Option<String>,
        reader: Reader,
    ) -> Self {
        Self { name, directory, variables, reader, examples: MemoryStore::new(KEPT_EXAMPLES) }
    }

    /// What becomes of each probe under the configuration `text`.
    ///
    /// # Errors
    /// If the configuration has errors or a model fails.
    pub async fn judge(&self, text: &str, probes: &[&Probe]) -> Result<Vec<Judged>, EvalError> {
        let snapshot = self.compile(text)?;
        let store = Some((&self.examples as &dyn KeyValue, &SystemClock as &dyn Clock));
        snapshot.prepare(store, &|_, _| {}).await?;
        let parts = RouterParts {
            clock: Arc::new(SystemClock),
            store: Arc::new(MemoryStore::new(1)),
            metrics: Metrics::default(),
        };
        let router = Router::new(Arc::clone(&snapshot), parts);
        let client = Client::new(snapshot.client_config());
        let mut judged = Vec::with_capacity(probes.len());
        for probe in probes {
            let request = ViewedRequest::new(probe.request.clone());
            let read = Box::pin(snapshot.full_reading(&request).run(&client)).await;
            let identity = Identity { source: IdentitySource::Operator, ..Identity::default() };
            let explanation = router.explain(&snapshot, &request, identity, &read);
            judged.push(Judged { decision: explanation.routing_decision, values: explanation.signal_values });
        }
        router.close();
        Ok(judged)
    }

    fn compile(&self, text: &str) -> Result<Arc<Snapshot>, EvalError> {
        let mut document = Document::parse(self.name, text, self.variables).in_directory(self.directory);
        let surroundings = Surroundings { variables: self.variables, reader: &self.reader };
        compile(&mut document, &surroundings).ok_or_else(|| {
            let errors = document.problems().into_iter().map(ToString::to_string);
            EvalError::Configuration(
                errors.filter(|line| line.contains("error")).collect::<Vec<_>>().join("; "),
            )
        })
    }
}
