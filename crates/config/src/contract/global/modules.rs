//! `global.model_catalog.modules`: what uses the router's own models.

use std::collections::BTreeMap;

use vsr_types::Secret;

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

use super::PrototypeScoring;

contract! {
    /// What uses the router's own models.
    pub struct Modules {
        /// Shorter texts for the signals.
        prompt_compression: PromptCompression = PromptCompression::default(),
        /// How much of a request's text is read.
        scan: ScanModule = ScanModule::default(),
        /// Prompt injection.
        prompt_guard: PromptGuard = PromptGuard::default(),
        /// Subject areas, personal data and preferences.
        classifier: Classifier = Classifier::default(),
        /// Difficulty.
        complexity: ComplexityModule = ComplexityModule::default(),
        /// Unsupported statements in answers.
        hallucination_mitigation: HallucinationMitigation = HallucinationMitigation::default(),
        /// What the user thinks of the previous answer.
        feedback_detector: FeedbackDetector = FeedbackDetector::default(),
        /// Text, image generation, or both.
        modality_detector: ModalityDetector = ModalityDetector::default(),
    }

    /// Shorter texts for the signals; what models receive is left alone.
    pub struct PromptCompression {
        /// Whether it is on.
        enabled: bool = false,
        /// The weights that the keys below replace.
        profile: CompressionProfile = CompressionProfile::Default,
        /// The tokens of a shortened text; 0 shortens nothing.
        max_tokens: u32 = 0,
        /// The bytes up to which a text is left alone.
        min_length: u32 = 0,
        /// Signals that read the whole text.
        skip_signals: Vec<String> = vec!["jailbreak".into(), "pii".into()],
        /// How much a sentence's connections count; the profile's if absent.
        textrank_weight: Option<f64> = None,
        /// How much a sentence's place counts; the profile's if absent.
        position_weight: Option<f64> = None,
        /// How much a sentence's rare words count; the profile's if absent.
        tfidf_weight: Option<f64> = None,
        /// How much a sentence's novelty counts; the profile's if absent.
        novelty_weight: Option<f64> = None,
        /// How much less the middle counts, 0..=1; the profile's if absent.
        position_depth: Option<f64> = None,
        /// The first sentences that are kept; the profile's if absent.
        preserve_first_n: Option<u32> = None,
        /// The last sentences that are kept; the profile's if absent.
        preserve_last_n: Option<u32> = None,
    }

    /// How much of a request's text the router's own models read.
    pub struct ScanModule {
        /// The most tokens read for one request, newest and tool text first; what was read for an earlier
        /// request counts too.
        max_tokens: u32 = 16_384,
        /// The time that reading may take; what is not read by then is unavailable.
        timeout: TimeSpan = TimeSpan::seconds(2),
    }

    /// Prompt injection.
    pub struct PromptGuard {
        /// Whether it is on.
        enabled: bool = true,
        /// The model, by its place in the catalogue.
        model_ref: ModelRole = ModelRole::PromptGuard,
        /// The model itself; wins over `model_ref`.
        model_id: Option<Expanded> = None,
        /// The score from which a text counts, 0..=1.
        threshold: f64 = 0.7,
        /// Whether it runs on the processor.
        use_cpu: bool = true,
        /// Whether it is a ModernBERT.
        use_modernbert: bool = false,
        /// Whether it is an mmBERT.
        use_mmbert_32k: bool = true,
        /// Whether a model served elsewhere judges.
        use_vllm: bool = false,
        /// The file that names its classes.
        jailbreak_mapping_path: Expanded = Expanded(
            "models/mmbert32k-jailbreak-detector-merged/jailbreak_type_mapping.json".into(),
        ),
    }

    /// Subject areas, personal data and preferences.
    pub struct Classifier {
        /// Subject areas.
        domain: DomainModule = DomainModule::default(),
        /// Subject areas, asked of an MCP server.
        mcp: McpModule = McpModule::default(),
        /// Personal data.
        pii: PiiModule = PiiModule::default(),
        /// How the user likes answers.
        preference: PreferenceModule = PreferenceModule::default(),
    }

    /// Subject areas.
    pub struct DomainModule {
        /// The model, by its place in the catalogue.
        model_ref: ModelRole = ModelRole::DomainClassifier,
        /// The model itself; wins over `model_ref`.
        model_id: Option<Expanded> = None,
        /// The probability from which a subject counts, 0..=1.
        threshold: f64 = 0.5,
        /// Whether it runs on the processor.
        use_cpu: bool = true,
        /// Whether it is a ModernBERT.
        use_modernbert: bool = false,
        /// Whether it is an mmBERT.
        use_mmbert_32k: bool = true,
        /// The file that names its classes.
        category_mapping_path: Expanded =
            Expanded("models/mmbert32k-intent-classifier-merged/category_mapping.json".into()),
        /// The subject of texts that have none; `other` if absent.
        fallback_category: Option<String> = None,
    }

    /// Subject areas, asked of an MCP server.
    pub struct McpModule {
        /// Whether it is on.
        enabled: bool = false,
        /// How it is reached.
        transport_type: Option<McpTransport> = None,
        /// The program of `stdio`.
        command: Option<Expanded> = None,
        /// The program's arguments.
        args: Vec<String> = Vec::new(),
        /// The program's environment: these variables and no others. They may be credentials.
        env: BTreeMap<String, Secret> = BTreeMap::new(),
        /// The server's URL.
        url: Option<Expanded> = None,
        /// The tool of the server that classifies.
        tool_name: Option<String> = None,
        /// The score from which a subject counts, 0..=1.
        threshold: Option<f64> = None,
        /// The time one call may take.
        timeout_seconds: Option<u64> = None,
    }

    /// Personal data.
    pub struct PiiModule {
        /// The model, by its place in the catalogue.
        model_ref: ModelRole = ModelRole::PiiClassifier,
        /// The model itself; wins over `model_ref`.
        model_id: Option<Expanded> = None,
        /// The score from which an entity counts, 0..=1.
        threshold: f64 = 0.9,
        /// Whether it runs on the processor.
        use_cpu: bool = true,
        /// Whether it is an mmBERT.
        use_mmbert_32k: bool = true,
        /// The file that names its classes.
        pii_mapping_path: Expanded =
            Expanded("models/mmbert32k-pii-detector-merged/pii_type_mapping.json".into()),
    }

    /// How the user likes answers.
    pub struct PreferenceModule {
        /// Whether examples are compared; a model served elsewhere judges otherwise.
        use_contrastive: bool = true,
        /// The embedding model; mmBERT if absent.
        embedding_model: Option<Expanded> = None,
        /// How examples become prototypes.
        prototype_scoring: PrototypeScoring = PrototypeScoring::default(),
    }

    /// Difficulty.
    pub struct ComplexityModule {
        /// How examples become prototypes.
        prototype_scoring: PrototypeScoring = PrototypeScoring::default(),
    }

    /// Unsupported statements in answers.
    pub struct HallucinationMitigation {
        /// Whether it is on.
        enabled: bool = false,
        /// What happens when something was found.
        on_hallucination_detected: Option<String> = None,
        /// Need for factual verification.
        fact_check: FactCheckModule = FactCheckModule::default(),
        /// Unsupported statements.
        detector: HallucinationDetector = HallucinationDetector::default(),
        /// Inference between texts.
        explainer: HallucinationExplainer = HallucinationExplainer::default(),
    }

    /// Need for factual verification.
    pub struct FactCheckModule {
        /// The model, by its place in the catalogue.
        model_ref: ModelRole = ModelRole::FactCheckClassifier,
        /// The model itself; wins over `model_ref`.
        model_id: Option<Expanded> = None,
        /// The score from which a text needs verification, 0..=1.
        threshold: f64 = 0.6,
        /// Whether it runs on the processor.
        use_cpu: bool = true,
        /// Whether it is an mmBERT.
        use_mmbert_32k: bool = true,
    }

    /// Unsupported statements.
    pub struct HallucinationDetector {
        /// The model, by its place in the catalogue.
        model_ref: ModelRole = ModelRole::HallucinationDetector,
        /// The model itself; wins over `model_ref`.
        model_id: Option<Expanded> = None,
        /// The score from which a token counts, 0..=1.
        threshold: f64 = 0.8,
        /// Whether it runs on the processor.
        use_cpu: bool = true,
        /// The fewest tokens of a statement.
        min_span_length: u32 = 2,
        /// The score of a statement, 0..=1.
        min_span_confidence: f64 = 0.6,
        /// The characters shown around a statement.
        context_window_size: u32 = 50,
        /// Whether an inference model confirms what was found.
        enable_nli_filtering: bool = true,
        /// The entailment from which a statement is supported, 0..=1.
        nli_entailment_threshold: f64 = 0.75,
    }

    /// Inference between texts.
    pub struct HallucinationExplainer {
        /// The model, by its place in the catalogue.
        model_ref: ModelRole = ModelRole::HallucinationExplainer,
        /// The model itself; wins over `model_ref`.
        model_id: Option<Expanded> = None,
        /// The score from which an inference counts, 0..=1.
        threshold: f64 = 0.9,
        /// Whether it runs on the processor.
        use_cpu: bool = true,
    }

    /// What the user thinks of the previous answer.
    pub struct FeedbackDetector {
        /// Whether it is on.
        enabled: bool = true,
        /// The model, by its place in the catalogue.
        model_ref: ModelRole = ModelRole::FeedbackDetector,
        /// The model itself; wins over `model_ref`.
        model_id: Option<Expanded> = None,
        /// The score from which a text counts, 0..=1.
        threshold: f64 = 0.7,
        /// Whether it runs on the processor.
        use_cpu: bool = true,
        /// Whether it is a ModernBERT.
        use_modernbert: bool = false,
        /// Whether it is an mmBERT.
        use_mmbert_32k: bool = true,
        /// The file that names its classes.
        feedback_mapping_path: Option<Expanded> = None,
    }

    /// Text, image generation, or both.
    pub struct ModalityDetector {
        /// Whether it is on.
        enabled: bool = false,
        /// Words that a prompt for an image begins with.
        prompt_prefixes: Vec<String> = Vec::new(),
        /// How it is detected.
        method: Option<ModalityMethod> = None,
        /// The classifier.
        classifier: Option<ModalityClassifier> = None,
        /// Words of a wish for an image.
        keywords: Vec<String> = Vec::new(),
        /// Words of a wish for both.
        both_keywords: Vec<String> = Vec::new(),
        /// The score from which the classifier decides alone, 0..=1.
        confidence_threshold: Option<f64> = None,
        /// The share of it from which the classifier still decides, 0..=1.
        lower_threshold_ratio: Option<f64> = None,
    }

    /// The classifier of modalities.
    pub struct ModalityClassifier {
        /// The directory of the model.
        model_path: Expanded = Expanded::default(),
        /// Whether it runs on the processor.
        use_cpu: bool = true,
    }
}

contract_enum! {
    /// Weights of prompt compression.
    pub enum CompressionProfile {
        /// For text of all kinds.
        Default = "default" | "",
        /// For code.
        Coding = "coding",
        /// For medical text.
        Medical = "medical",
        /// For text that may be an attack.
        Security = "security",
        /// For conversations.
        MultiTurn = "multi_turn" | "multi-turn",
    }

    /// A place in `global.model_catalog.system`.
    pub enum ModelRole {
        /// None.
        Nothing = "",
        /// Prompt injection.
        PromptGuard = "prompt_guard",
        /// Subject areas.
        DomainClassifier = "domain_classifier",
        /// Personal data.
        PiiClassifier = "pii_classifier",
        /// Need for factual verification.
        FactCheckClassifier = "fact_check_classifier",
        /// Unsupported statements.
        HallucinationDetector = "hallucination_detector",
        /// Inference between texts.
        HallucinationExplainer = "hallucination_explainer",
        /// What the user thinks of the previous answer.
        FeedbackDetector = "feedback_detector",
    }

    /// How an MCP server is reached.
    pub enum McpTransport {
        /// As a program.
        Stdio = "stdio",
        /// Over HTTP.
        StreamableHttp = "streamable-http" | "http" | "sse",
    }

    /// How modality is detected.
    pub enum ModalityMethod {
        /// By a classifier.
        Classifier = "classifier",
        /// By keywords.
        Keyword = "keyword",
        /// By both.
        Hybrid = "hybrid",
    }
}
