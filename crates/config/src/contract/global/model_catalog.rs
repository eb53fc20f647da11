//! `global.model_catalog`: models and knowledge bases of the router itself.

use vsr_types::Secret;

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::Expanded,
};

use super::{Embeddings, KnowledgeBase, ModelBackend, Modules};

contract! {
    /// Models and knowledge bases of the router itself.
    pub struct ModelCatalog {
        /// Embedding models.
        embeddings: Embeddings = Embeddings::default(),
        /// The models that modules refer to.
        system: SystemModels = SystemModels::default(),
        /// Models served elsewhere.
        external: Vec<ExternalModel> = Vec::new(),
        /// Knowledge bases; a list written here replaces the built-in ones.
        kbs: Vec<KnowledgeBase> = KnowledgeBase::built_in(),
        /// What runs checkpoints of your own that are ONNX graphs; the router itself if absent.
        backend: Option<ModelBackend> = None,
        /// What uses the models.
        modules: Modules = Modules::default(),
        /// Where models named `hf://owner/model@revision` come from.
        hub: HubSettings = HubSettings::default(),
    }

    /// Where models named `hf://owner/model@revision` come from.
    pub struct HubSettings {
        /// The hub's base URL; `HF_ENDPOINT` if absent, and the public one if that is not set either.
        endpoint: Option<Expanded> = None,
        /// The environment variable that holds the hub's token.
        token_env: String = "HF_TOKEN".into(),
        /// The file that holds the hub's token; wins over `token_env`.
        token_file: Option<Expanded> = None,
        /// Where models are kept, relative to the configuration file; `vllm-sr/models` in the user's cache
        /// directory if absent.
        cache_dir: Option<Expanded> = None,
        /// Whether nothing is downloaded; `HF_HUB_OFFLINE=1` says the same.
        offline: bool = false,
        /// The most bytes of one model.
        max_model_bytes: u64 = 8_589_934_592,
    }

    /// The models that modules refer to; empty switches one off.
    pub struct SystemModels {
        /// Prompt injection.
        prompt_guard: Expanded = Expanded("models/mmbert32k-jailbreak-detector-merged".into()),
        /// Subject areas.
        domain_classifier: Expanded = Expanded("models/mmbert32k-intent-classifier-merged".into()),
        /// Personal data.
        pii_classifier: Expanded = Expanded("models/mmbert32k-pii-detector-merged".into()),
        /// Need for factual verification.
        fact_check_classifier: Expanded =
            Expanded("models/mmbert32k-factcheck-classifier-merged".into()),
        /// Unsupported statements.
        hallucination_detector: Expanded = Expanded("models/mom-halugate-detector".into()),
        /// Inference between texts.
        hallucination_explainer: Expanded = Expanded("models/mom-halugate-explainer".into()),
        /// What the user thinks of the previous answer.
        feedback_detector: Expanded = Expanded("models/mmbert32k-feedback-detector-merged".into()),
    }

    /// A model served elsewhere.
    pub struct ExternalModel {
        /// Its name, for references.
        name: Option<String> = None,
        /// Who serves it.
        llm_provider: String,
        /// What it is used for.
        model_role: ExternalModelRole,
        /// Where it is served.
        llm_endpoint: ExternalEndpoint,
        /// The model id the server knows.
        llm_model_name: String,
        /// The time one call may take; 0 means 30.
        llm_timeout_seconds: u64 = 30,
        /// How its answer is read.
        parser_type: ExternalParser = ExternalParser::Auto,
        /// The score from which its answer counts, 0..=1.
        threshold: Option<f64> = None,
        /// The key that the server asks for.
        access_key: Option<Secret> = None,
        /// The most output tokens.
        max_tokens: Option<u32> = None,
        /// The sampling temperature.
        temperature: Option<f64> = None,
    }

    /// Where a model is served.
    pub struct ExternalEndpoint {
        /// The host.
        address: Expanded,
        /// The port; that of the protocol if absent or 0.
        port: Option<u16> = None,
        /// The protocol.
        protocol: Option<ExternalProtocol> = None,
        /// Its name, for logs.
        name: Option<String> = None,
        /// Whether the chat template is applied.
        use_chat_template: bool = false,
        /// The text that the model is asked with.
        prompt_template: Option<String> = None,
    }
}

contract_enum! {
    /// What a model served elsewhere is used for.
    pub enum ExternalModelRole {
        /// To judge prompts.
        Guardrail = "guardrail",
        /// To classify.
        Classification = "classification",
        /// To score.
        Scoring = "scoring",
        /// To match preferences.
        Preference = "preference",
        /// To rewrite queries of the memory.
        MemoryRewrite = "memory_rewrite",
        /// To extract memories.
        MemoryExtraction = "memory_extraction",
    }

    /// How the answer of a model served elsewhere is read.
    pub enum ExternalParser {
        /// By the model's name, or by trying.
        Auto = "auto" | "",
        /// As Qwen3Guard writes.
        Qwen3Guard = "qwen3guard",
        /// As JSON.
        Json = "json",
        /// By words.
        Simple = "simple",
        /// As the probabilities of classes: the model is asked at the server's classify endpoint.
        Classify = "classify",
    }

    /// The protocol of a model served elsewhere.
    pub enum ExternalProtocol {
        /// Plain.
        Http = "http" | "",
        /// With TLS.
        Https = "https",
    }
}
