//! What is expected of each file.

/// What a part of a configuration is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A `routing:` document.
    Routing,
    /// `algorithm:` or `plugins:` of a decision.
    Decision,
    /// One `plugin:` of a decision.
    Plugin,
}

/// What becomes of a file.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A configuration that runs.
    Runs,
    /// Helm values whose block `config` runs.
    HelmValues,
    /// A part that runs within a configuration.
    Fragment(Kind),
    /// A part that could never do what it says: the problem says so in these words.
    Refused(Kind, &'static str),
    /// No whole configuration of the router: one of the problems says so in these words.
    Told(&'static str),
    /// Requests for a policy, and how many reach the decision they name with the embedded models.
    Probes { policy: &'static str, probes: usize, reached: usize },
    /// A knowledge base, and how many labels are the nearest to the first of their own exemplars.
    KnowledgeBase { labels: usize, exemplars: usize, reached: usize },
    /// For people.
    Text,
}

const NO_CONFIGURATION: &str = "this is no vllm-sr configuration; found the keys apiVersion, kind";
const SECOND_DOCUMENT: &str = "a second document begins here";
const NO_CARDS: &str = "there is no model card";
/// The routing language is not YAML, and this version does not read it.
const DSL: &str = "error";

pub(super) const FILES: &[(&str, Outcome)] = &[
    ("README.md", Outcome::Text),
    ("config/algorithm/looper/confidence.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/looper/ratings.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/looper/remom.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/automix.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/elo.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/gmtrouter.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/hybrid.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/kmeans.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/knn.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/latency-aware.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/mlp.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/multi-factor.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/rl-driven.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/router-dc.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/session-aware.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/static.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/algorithm/selection/svm.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/config.yaml", Outcome::Runs),
    ("config/decision/and/urgent-business.yaml", Outcome::Fragment(Kind::Routing)),
    (
        "config/decision/composite/priority-safe-escalation.yaml",
        Outcome::Refused(Kind::Routing, "one of its levels must be named"),
    ),
    ("config/decision/not/exclude-jailbreak.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/decision/or/business-or-law.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/decision/single/domain-business.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/decision/single/domain-computer-science.yaml", Outcome::Fragment(Kind::Routing)),
    (
        "config/knowledge_bases/mmlu/labels.json",
        Outcome::KnowledgeBase { labels: 14, exemplars: 210, reached: 8 },
    ),
    (
        "config/knowledge_bases/privacy/labels.json",
        Outcome::KnowledgeBase { labels: 18, exemplars: 392, reached: 8 },
    ),
    ("config/plugin/content-safety/hybrid.yaml", Outcome::Fragment(Kind::Decision)),
    ("config/plugin/fast-response/busy.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/hallucination/fact-check.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/header-mutation/tenant-routing.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/image-gen/basic.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/memory/session-memory.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/rag/milvus.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/rag/qdrant.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/request-params/budget-tier.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/response-jailbreak/strict.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/router-replay/debug.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/semantic-cache/high-recall.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/semantic-cache/memory.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/system-prompt/expert.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/tool-selection/add-from-database.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/tool-selection/filter-request-tools.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/plugin/tools/semantic-select.yaml", Outcome::Fragment(Kind::Plugin)),
    ("config/signal/authz/rbac.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/complexity/escalation.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/context/long-context.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/conversation/agentic-shape.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/domain/mmlu.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/embedding/image-routing.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/embedding/support.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/event/payment-critical.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/fact-check/needs-verification.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/jailbreak/patterns.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/kb/privacy.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/keyword/nlp.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/keyword/regex.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/language/multilingual.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/modality/multimodal.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/pii/strict.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/preference/power-user.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/reask/dissatisfaction.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/structure/request-shape.yaml", Outcome::Fragment(Kind::Routing)),
    ("config/signal/user-feedback/escalation.yaml", Outcome::Fragment(Kind::Routing)),
    ("deploy/recipes/balance.dsl", Outcome::Told(DSL)),
    (
        "deploy/recipes/balance.probes.yaml",
        Outcome::Probes { policy: "deploy/recipes/balance.yaml", probes: 55, reached: 33 },
    ),
    ("deploy/recipes/balance.yaml", Outcome::Runs),
    ("deploy/recipes/bounded-candidate-iteration.dsl", Outcome::Told(DSL)),
    ("e2e/config/authz-profile-c-static-only.yaml", Outcome::Told(NO_CARDS)),
    ("e2e/config/authz-profile-e-local-vllm.yaml", Outcome::Told(NO_CARDS)),
    ("e2e/config/config.agent-smoke.cpu.yaml", Outcome::Runs),
    ("e2e/config/config.authz-rbac.yaml", Outcome::Runs),
    ("e2e/config/config.hallucination.yaml", Outcome::Runs),
    ("e2e/config/config.memory-user-redis-enabled.yaml", Outcome::Runs),
    ("e2e/config/config.memory-user.yaml", Outcome::Runs),
    ("e2e/config/config.multi-endpoint.yaml", Outcome::Runs),
    ("e2e/config/config.response-api-redis.yaml", Outcome::Runs),
    ("e2e/config/config.testing.yaml", Outcome::Runs),
    ("e2e/config/onnx-binding/config.onnx-binding-test.yaml", Outcome::Runs),
    ("e2e/profiles/ai-gateway/values.yaml", Outcome::HelmValues),
    ("e2e/profiles/anthropic-shim/gateway-resources/backend.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("e2e/profiles/anthropic-shim/values.yaml", Outcome::HelmValues),
    ("e2e/profiles/authz-rbac/gateway-resources/gwapi-resources.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("e2e/profiles/dashboard/dashboard-deployment.yaml", Outcome::Told(NO_CONFIGURATION)),
    ("e2e/profiles/dynamic-config/crds/intelligentpool.yaml", Outcome::Told(NO_CONFIGURATION)),
    ("e2e/profiles/dynamic-config/values.yaml", Outcome::HelmValues),
    ("e2e/profiles/llm-d/manifests/inference-sim.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("e2e/profiles/llm-d/values.yaml", Outcome::HelmValues),
    (
        "e2e/profiles/ml-model-selection/gateway-resources/gwapi-resources.yaml",
        Outcome::Told(SECOND_DOCUMENT),
    ),
    ("e2e/profiles/multi-endpoint/gateway-resources/backend.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("e2e/profiles/multi-endpoint/values.yaml", Outcome::HelmValues),
    ("e2e/profiles/multimodal-routing/crds/intelligentroute.yaml", Outcome::Told(NO_CONFIGURATION)),
    ("e2e/profiles/production-stack/prometheus-config.yaml", Outcome::Told("unknown key `scrape_configs`")),
    ("e2e/profiles/rag-hybrid-search/manifests/llama-stack.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("e2e/profiles/response-api-redis-cluster/values.yaml", Outcome::HelmValues),
    ("e2e/profiles/response-api/values.yaml", Outcome::HelmValues),
    ("e2e/profiles/routing-strategies/config-with-embedding.yaml", Outcome::Runs),
    ("e2e/profiles/routing-strategies/values.yaml", Outcome::HelmValues),
    ("e2e/profiles/vectorstore-registry/values.yaml", Outcome::HelmValues),
    ("src/semantic-router/pkg/k8s/testdata/base-config.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/input/01-basic.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("src/semantic-router/pkg/k8s/testdata/input/03-embedding-only.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("src/semantic-router/pkg/k8s/testdata/input/05-keyword-embedding.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("src/semantic-router/pkg/k8s/testdata/input/07-domain-embedding.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("src/semantic-router/pkg/k8s/testdata/input/09-keyword-plugin.yaml", Outcome::Told(SECOND_DOCUMENT)),
    ("src/semantic-router/pkg/k8s/testdata/input/11-domain-plugin.yaml", Outcome::Told(SECOND_DOCUMENT)),
    (
        "src/semantic-router/pkg/k8s/testdata/input/13-keyword-domain-plugin.yaml",
        Outcome::Told(SECOND_DOCUMENT),
    ),
    (
        "src/semantic-router/pkg/k8s/testdata/input/15-keyword-embedding-domain-plugin.yaml",
        Outcome::Told(SECOND_DOCUMENT),
    ),
    (
        "src/semantic-router/pkg/k8s/testdata/input/17-embedding-multimodal.yaml",
        Outcome::Told(SECOND_DOCUMENT),
    ),
    ("src/semantic-router/pkg/k8s/testdata/output/01-basic.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/output/03-embedding-only.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/output/05-keyword-embedding.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/output/07-domain-embedding.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/output/09-keyword-plugin.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/output/11-domain-plugin.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/output/13-keyword-domain-plugin.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/output/15-keyword-embedding-domain-plugin.yaml", Outcome::Runs),
    ("src/semantic-router/pkg/k8s/testdata/output/17-embedding-multimodal.yaml", Outcome::Runs),
];

const AROUND: &str = "\
version: v0.3
providers:
  defaults: {default_model: small}
  models:
    - {name: small, backend_refs: [{endpoint: 'a:1'}]}
    - {name: 'qwen2.5:3b', backend_refs: [{endpoint: 'a:1'}]}
    - {name: qwen3-32b, backend_refs: [{endpoint: 'a:1'}]}
global: {model_catalog: {embeddings: {semantic: {embedding_config: {model_type: multimodal}}}}}
";

const CARDS: &str = "  modelCards:
    - {name: small, description: Quick}
    - {name: 'qwen2.5:3b', description: Small}
    - {name: qwen3-32b, description: Large, loras: [{name: computer-science-expert}]}
";

/// What the release's decisions name and do not declare.
const SIGNALS: &str = "  signals:
    keywords: [{name: urgent_keywords, operator: OR, keywords: [urgent]}]
    complexity: [{name: needs_reasoning, threshold: 0.1, hard: {candidates: [prove it]}, easy: {candidates: [hello]}}]
    jailbreak: [{name: prompt_injection, threshold: 0.7}]
";

const DECISION: &str = "  decisions:
    - name: d
      modelRefs: [{model: small}, {model: qwen3-32b}]
";

fn indented(text: &str, depth: usize) -> String {
    text.lines().map(|line| format!("{:depth$}{line}\n", "")).collect()
}

/// A configuration around a fragment.
pub(super) fn around(kind: Kind, fragment: &str) -> String {
    let part = match kind {
        Kind::Routing => {
            let signals = if fragment.contains("\n  signals:\n") { "" } else { SIGNALS };
            return AROUND.to_owned()
                + &fragment.replacen("routing:\n", &format!("routing:\n{CARDS}{signals}"), 1);
        }
        Kind::Decision => fragment.to_owned(),
        Kind::Plugin => fragment
            .replacen("plugin:\n", "plugins:\n  -\n", 1)
            .lines()
            .enumerate()
            .map(|(line, text)| if line < 2 { format!("{text}\n") } else { format!("  {text}\n") })
            .collect(),
    };
    format!("{AROUND}routing:\n{CARDS}{DECISION}{}", indented(&part, 6))
}
