//! `global.model_catalog.kbs`: knowledge bases, and the two built-in ones.

use std::collections::BTreeMap;

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::Expanded,
};

use super::PrototypeScoring;

contract! {
    /// Labelled examples that requests are compared with.
    pub struct KnowledgeBase {
        /// Its name, unique.
        name: String,
        /// Where it is.
        source: KnowledgeBaseSource,
        /// The score from which a label counts, 0..=1.
        threshold: f64 = 0.0,
        /// The score from which one label counts, 0..=1.
        label_thresholds: BTreeMap<String, f64> = BTreeMap::new(),
        /// Labels that count together.
        groups: BTreeMap<String, Vec<String>> = BTreeMap::new(),
        /// Numbers computed from groups.
        metrics: Vec<KnowledgeBaseMetric> = Vec::new(),
        /// How examples become prototypes.
        prototype_scoring: PrototypeScoring = PrototypeScoring::default(),
    }

    /// Where a knowledge base is.
    pub struct KnowledgeBaseSource {
        /// The directory.
        path: Expanded,
        /// The file in it.
        manifest: String = "labels.json".into(),
    }

    /// A number computed from groups.
    pub struct KnowledgeBaseMetric {
        /// Its name, unique.
        name: String,
        /// How it is computed.
        kind as "type": KnowledgeBaseMetricKind = KnowledgeBaseMetricKind::GroupMargin,
        /// The group that counts for it.
        positive_group: String,
        /// The group that counts against it.
        negative_group: String,
    }
}

contract_enum! {
    /// How a number is computed from groups.
    pub enum KnowledgeBaseMetricKind {
        /// The score of one group less that of another.
        GroupMargin = "group_margin",
    }
}

impl KnowledgeBase {
    /// The knowledge bases that exist when a configuration lists none.
    pub fn built_in() -> Vec<Self> {
        vec![privacy(), mmlu()]
    }
}

const CONTAINMENT: &[&str] =
    &["prompt_injection", "credential_exfiltration", "jailbreak_role", "system_prompt_extraction"];
const PRIVATE: &[&str] = &[
    "proprietary_code",
    "internal_document",
    "pii",
    "business_strategy",
    "trade_secret_ip",
    "operational_infrastructure",
    "locality_directive",
    "customer_data",
];
const FRONTIER: &[&str] = &["architecture_analysis", "root_cause_analysis", "multi_step_tradeoffs"];
const LOCAL: &[&str] = &["generic_coding", "simple_task", "general_knowledge"];
const ESCALATE: &[&str] = &[
    "biology",
    "business",
    "computer science",
    "economics",
    "history",
    "math",
    "other",
    "philosophy",
    "psychology",
];
const KEEP: &[&str] = &["chemistry", "engineering", "health", "law", "physics"];

/// The thresholds are those of the embedded model's scale (`docs/models.md` says how they were found): its similarities
/// lie lower than those of the release's model, between 0.45 and 0.8.
const PRIVATE_THRESHOLD: f64 = 0.67;
const INJECTION_THRESHOLD: f64 = 0.68;
const FRONTIER_THRESHOLD: f64 = 0.64;
const LOCAL_THRESHOLD: f64 = 0.6;
const SUBJECT_THRESHOLD: f64 = 0.57;

fn privacy() -> KnowledgeBase {
    let frontier = FRONTIER.iter().map(|label| ((*label).to_owned(), FRONTIER_THRESHOLD));
    let local = LOCAL.iter().map(|label| ((*label).to_owned(), LOCAL_THRESHOLD));
    let injection = [("prompt_injection".to_owned(), INJECTION_THRESHOLD)];
    KnowledgeBase {
        threshold: PRIVATE_THRESHOLD,
        label_thresholds: frontier.chain(local).chain(injection).collect(),
        groups: groups(&[
            ("security_containment", &[CONTAINMENT]),
            ("privacy_policy", &[PRIVATE]),
            ("frontier_reasoning", &[FRONTIER]),
            ("local_standard", &[LOCAL]),
            ("private", &[CONTAINMENT, PRIVATE]),
            ("public", &[FRONTIER, LOCAL]),
        ]),
        ..shipped("privacy_kb", "knowledge_bases/privacy/", ["private_vs_public", "private", "public"])
    }
}

fn mmlu() -> KnowledgeBase {
    KnowledgeBase {
        threshold: SUBJECT_THRESHOLD,
        groups: groups(&[("escalate", &[ESCALATE]), ("keep", &[KEEP])]),
        ..shipped("mmlu_kb", "knowledge_bases/mmlu/", ["escalate_vs_keep", "escalate", "keep"])
    }
}

fn shipped(name: &str, path: &str, [metric, positive, negative]: [&str; 3]) -> KnowledgeBase {
    KnowledgeBase {
        name: name.into(),
        source: KnowledgeBaseSource { path: Expanded(path.into()), manifest: "labels.json".into() },
        threshold: 0.0,
        label_thresholds: BTreeMap::new(),
        groups: BTreeMap::new(),
        metrics: vec![KnowledgeBaseMetric {
            name: metric.into(),
            kind: KnowledgeBaseMetricKind::GroupMargin,
            positive_group: positive.into(),
            negative_group: negative.into(),
        }],
        prototype_scoring: PrototypeScoring::default(),
    }
}

fn groups(listed: &[(&str, &[&[&str]])]) -> BTreeMap<String, Vec<String>> {
    let labels = |parts: &[&[&str]]| parts.concat().into_iter().map(str::to_owned).collect();
    listed.iter().map(|(name, parts)| ((*name).to_owned(), labels(parts))).collect()
}
