//! All models served elsewhere of one configuration, and the reading of one request's texts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use vsr_config::{Config, PreferenceRule};
use vsr_signals::{
    ReadingPlan, TextNeed,
    external::{
        RemoteFailure, RemoteOutcome, RemoteReading, RemoteReadings, RemoteRoles, RemoteTask, classify,
        guardrail::{self, Judgement},
        preference,
    },
};
use vsr_types::{Diagnostics, UnavailableReason};
use vsr_upstream::Client;

use crate::{
    asked::{Asked, Kind},
    breaker::BreakerSettings,
    cache::{Cache, key},
    compile, completion,
    endpoint::Server,
    error::CallError,
    pieces::{self, Piece},
};

/// The output of a guardrail and of a matcher where the configuration sets no limit: the release's.
const JUDGEMENT_TOKENS: u32 = 512;
const ROUTE_TOKENS: u32 = 1000;

/// What the models of one configuration may take.
#[derive(Debug, Clone, Copy)]
pub struct RemoteLimits {
    /// When a model is no longer asked.
    pub breaker: BreakerSettings,
    /// The calls that one request makes at once.
    pub calls_per_request: usize,
    /// The calls that one model has at once, of all requests.
    pub calls_per_model: usize,
    /// The pieces of text that a guardrail is shown of one request: of each share of its texts as many as that has of
    /// the budget, of a text that does not fit both ends.
    pub pieces_per_request: usize,
    /// The answers that are remembered.
    pub cache_entries: usize,
    /// How long an answer is remembered.
    pub cache_lifetime: Duration,
    /// How long an MCP server that ended is left alone at first; twice as long each time that it ends without having
    /// answered, up to half a minute.
    pub restart_pause: Duration,
    /// How long an MCP server may take to start and to say what it can do.
    pub start_limit: Duration,
}

/// The models served elsewhere that a configuration names. Shared by all threads; each thread asks with its own
/// client, and the one MCP server there may be lives on a thread of its own, which ends with this.
#[derive(Debug)]
pub struct RemoteModels {
    guardrail: Option<Arc<Asked>>,
    domain: Option<Arc<Asked>>,
    preference: Option<Arc<Asked>>,
    rules: Vec<PreferenceRule>,
    cache: Arc<Cache>,
    limits: RemoteLimits,
}

/// One call to make.
struct Question<'p> {
    need: usize,
    task: RemoteTask,
    text: std::borrow::Cow<'p, str>,
    bytes: usize,
}

// === impl RemoteLimits

impl Default for RemoteLimits {
    fn default() -> Self {
        Self {
            breaker: BreakerSettings::default(),
            calls_per_request: 8,
            calls_per_model: 64,
            pieces_per_request: 32,
            cache_entries: 8192,
            cache_lifetime: Duration::from_secs(900),
            restart_pause: Duration::from_millis(200),
            start_limit: Duration::from_secs(30),
        }
    }
}

// === impl RemoteModels

impl RemoteModels {
    /// The models that `config` gives a role, and a report of what cannot be asked and of what nothing asks. Nothing
    /// is called and no program started before the first request that needs it.
    pub fn compile(
        config: &Config,
        variables: &dyn Fn(&str) -> Option<String>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        Self::compile_with(config, RemoteLimits::default(), variables, diagnostics)
    }

    /// The same with other limits.
    pub fn compile_with(
        config: &Config,
        limits: RemoteLimits,
        variables: &dyn Fn(&str) -> Option<String>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let roles = RemoteRoles::of(config);
        let models = compile::models(config, roles, &limits, variables, diagnostics);
        let [guardrail, domain, preference] = models.map(|asked| asked.map(Arc::new));
        Self {
            guardrail,
            domain,
            preference,
            rules: config.routing.signals.preferences.clone(),
            cache: Arc::new(Cache::new(limits.cache_entries, limits.cache_lifetime)),
            limits,
        }
    }

    /// Takes over what `previous` learned of models that are the same in both: their breakers, and an MCP server that
    /// runs; and the answers, if all models are the same and are asked the same.
    pub fn adopt(&mut self, previous: &Self) {
        let mut all_same = self.rules == previous.rules;
        for (new, old) in [
            (&mut self.guardrail, &previous.guardrail),
            (&mut self.domain, &previous.domain),
            (&mut self.preference, &previous.preference),
        ] {
            match (&mut *new, old) {
                (Some(asked), Some(known)) if asked.is_same(known) => *asked = Arc::clone(known),
                (None, None) => {}
                _ => all_same = false,
            }
        }
        if all_same {
            self.cache = Arc::clone(&previous.cache);
        }
    }

    /// Whether there is nobody to ask.
    pub fn is_empty(&self) -> bool {
        self.guardrail.is_none() && self.domain.is_none() && self.preference.is_none()
    }

    /// How long one call may take at most.
    pub fn longest_call(&self) -> Duration {
        let models = [&self.guardrail, &self.domain, &self.preference].into_iter().flatten();
        models.map(|asked| asked.timeout).max().unwrap_or_default()
    }

    /// Starts what takes time to start, so that the first request need not wait for it. Returns at once.
    pub fn start(&self) {
        if let Some(Kind::Tool(client)) = self.domain.as_deref().map(|asked| &asked.kind) {
            client.start();
        }
    }

    /// Ends the MCP server, and waits until its program is gone. Blocks; call it off the threads that serve requests.
    /// Without it the same happens, unwaited for, when this is dropped.
    pub fn shutdown(&self) {
        if let Some(Kind::Tool(client)) = self.domain.as_deref().map(|asked| &asked.kind) {
            client.shutdown();
        }
    }

    /// Asks what `plan` wants of models served elsewhere, until `deadline`. Whatever goes wrong is in the readings.
    pub fn read<'r>(
        &'r self,
        client: &'r Client,
        plan: &'r ReadingPlan,
        deadline: Instant,
    ) -> BoxFuture<'r, RemoteReadings> {
        Box::pin(async move {
            let mut questions = self.questions(plan).into_iter();
            let mut running = FuturesUnordered::new();
            let mut readings = Vec::new();
            loop {
                let free = self.limits.calls_per_request.max(1) - running.len();
                running.extend(questions.by_ref().take(free).map(|it| self.reading(client, it, deadline)));
                match running.next().await {
                    Some(reading) => readings.push(reading),
                    None => return RemoteReadings::new(readings),
                }
            }
        })
    }

    async fn reading(&self, client: &Client, question: Question<'_>, deadline: Instant) -> RemoteReading {
        let outcome = self.answer(client, &question, deadline).await;
        RemoteReading { need: question.need, task: question.task, bytes: question.bytes, outcome }
    }

    /// One question for each text and task; a guardrail's texts in pieces, as many as allowed.
    fn questions<'p>(&self, plan: &'p ReadingPlan) -> Vec<Question<'p>> {
        let mut questions = Vec::new();
        let guarded = |need: &&TextNeed| need.wants.remote.contains(RemoteTask::Guardrail);
        let judged: Vec<&TextNeed> = plan.needs().iter().filter(guarded).collect();
        let mut pieces = pieces::chosen(&judged, self.limits.pieces_per_request).into_iter();
        for (need, wanted) in plan.needs().iter().enumerate() {
            let text: &'p str = &wanted.text;
            for task in wanted.wants.remote.iter() {
                if task != RemoteTask::Guardrail {
                    questions.push(Question { need, task, text: pieces::ends(text), bytes: text.len() });
                    continue;
                }
                for Piece { range, new } in pieces.next().unwrap_or_default() {
                    questions.push(Question { need, task, text: text[range].into(), bytes: new });
                }
            }
        }
        questions
    }

    /// What the configuration calls the model that is asked; none where nobody is.
    pub fn name(&self, task: RemoteTask) -> Option<&Arc<str>> {
        self.model(task).map(|asked| &asked.name)
    }

    fn model(&self, task: RemoteTask) -> Option<&Asked> {
        match task {
            RemoteTask::Guardrail => self.guardrail.as_deref(),
            RemoteTask::Domain => self.domain.as_deref(),
            RemoteTask::Preference => self.preference.as_deref(),
        }
    }

    async fn answer(
        &self,
        client: &Client,
        question: &Question<'_>,
        deadline: Instant,
    ) -> Result<RemoteOutcome, RemoteFailure> {
        let Some(asked) = self.model(question.task) else {
            return Err(RemoteFailure::new(UnavailableReason::NotActive, "there is no model to ask"));
        };
        let key = key(question.task, &question.text);
        if let Some(known) = self.cache.get(&key, Instant::now()) {
            return Ok(known);
        }
        let outcome = asked.guarded(deadline, |limit| self.call(asked, client, question, limit)).await?;
        self.cache.insert(key, outcome.clone(), Instant::now());
        Ok(outcome)
    }

    async fn call(
        &self,
        asked: &Asked,
        client: &Client,
        question: &Question<'_>,
        limit: Duration,
    ) -> Result<RemoteOutcome, CallError> {
        let text = &*question.text;
        let classes = match &asked.kind {
            Kind::Chat(server) => return self.chat(asked, server, client, question, limit).await,
            Kind::Classify(server) => {
                let body = classify::body(asked.model_name(), text);
                classify::parse(&server.ask(client, &body, limit).await?)?
            }
            Kind::Tool(tool) => tool.classify(text, limit).await?,
        };
        if question.task != RemoteTask::Guardrail {
            return Ok(RemoteOutcome::Classes(classes));
        }
        let probability = guardrail::attack_probability(&classes)?;
        Ok(RemoteOutcome::Guardrail { probability, is_attack: probability >= 0.5 })
    }

    async fn chat(
        &self,
        asked: &Asked,
        server: &Server,
        client: &Client,
        question: &Question<'_>,
        limit: Duration,
    ) -> Result<RemoteOutcome, CallError> {
        let Some(settings) = &asked.settings else { return Err(CallError::Protocol("no model is named")) };
        let is_route = question.task == RemoteTask::Preference;
        let (prompt, tokens) = match is_route {
            true => (preference::prompt(&self.rules, &question.text), ROUTE_TOKENS),
            false => (guardrail::prompt(settings, &question.text), JUDGEMENT_TOKENS),
        };
        let body = completion::request(settings, &prompt, tokens);
        let answer = completion::text(&server.ask(client, &body, limit).await?)?;
        if is_route {
            let rule = preference::parse(&self.rules, &answer)?;
            return Ok(RemoteOutcome::Route(rule.map(|rule| rule.name.as_str().into())));
        }
        let judgement = guardrail::parse(settings.parser_type, &settings.llm_model_name, &answer)?;
        let is_attack = judgement == Judgement::Unsafe;
        Ok(RemoteOutcome::Guardrail { probability: judgement.score(), is_attack })
    }
}
