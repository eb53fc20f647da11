//! Plugins that bring something from outside: retrieved text, tools, images.

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, Opaque},
};

use super::{AdvancedToolFiltering, ModalityDetector};

contract! {
    /// Adds retrieved text.
    pub struct RagPlugin {
        /// Whether it is on.
        enabled: bool = false,
        /// Where text comes from.
        backend: RagBackend,
        /// The similarity from which text is added, 0..=1.
        similarity_threshold: f64 = 0.7,
        /// The most pieces of text.
        top_k: u32 = 5,
        /// The most characters added.
        max_context_length: u32 = 10_000,
        /// How text is added.
        injection_mode: RagInjection = RagInjection::ToolRole,
        /// What happens when nothing can be retrieved.
        on_failure: RagOnFailure = RagOnFailure::Skip,
        /// Whether results are kept.
        cache_results: bool = false,
        /// How long they are kept.
        cache_ttl_seconds: u64 = 3600,
        /// The confidence of the fact check from which text is retrieved, 0..=1.
        min_confidence_threshold: Option<f64> = None,
        /// The backend's own settings.
        backend_config: Option<Opaque> = None,
    }

    /// Says which of the request's tools pass.
    pub struct ToolsPlugin {
        /// Whether it is on.
        enabled: bool = false,
        /// Which tools pass.
        mode: ToolsMode = ToolsMode::Passthrough,
        /// Whether tools are chosen by similarity to the request.
        semantic_selection: Option<bool> = None,
        /// Tools that pass in mode `filtered`; all if empty.
        allow_tools: Vec<String> = Vec::new(),
        /// Tools that do not pass in mode `filtered`.
        block_tools: Vec<String> = Vec::new(),
        /// How tools are scored.
        strategy: ToolStrategy = ToolStrategy::Default,
        /// How tools are scored by what was called before.
        dynamic_retrieval: Option<DynamicRetrieval> = None,
    }

    /// How tools are scored by what was called before.
    pub struct DynamicRetrieval {
        /// Whether it is on.
        enabled: bool = false,
        /// What is scored.
        strategy: DynamicRetrievalStrategy = DynamicRetrievalStrategy::SemanticOnly,
        /// The tool calls looked at, at least 1.
        history_window: Option<u32> = None,
        /// How much each part counts.
        weights: DynamicRetrievalWeights = DynamicRetrievalWeights::default(),
        /// The confidence from which history counts, 0..=1.
        min_history_confidence: Option<f64> = None,
        /// Whether similarity alone decides below that.
        fallback_on_low_confidence: bool = false,
    }

    /// How much each part of a tool's score counts.
    pub struct DynamicRetrievalWeights {
        /// Similarity to the request.
        semantic: Option<f64> = None,
        /// What was called before.
        history: Option<f64> = None,
        /// What the decision suggests.
        decision_prior: Option<f64> = None,
        /// What repeating a tool costs.
        repetition_penalty: Option<f64> = None,
    }

    /// Adds tools from a database, or filters those of the request.
    pub struct ToolSelectionPlugin {
        /// Whether it is on.
        enabled: bool = false,
        /// Which of the two.
        mode: ToolSelectionMode = ToolSelectionMode::Add,
        /// The database; the global one if absent.
        tools_db_path: Option<Expanded> = None,
        /// The most tools added; the global number if absent.
        top_k: Option<u32> = None,
        /// The similarity from which a tool is added; the global one if absent.
        similarity_threshold: Option<f64> = None,
        /// How tools are filtered; as globally if absent.
        advanced_filtering: Option<AdvancedToolFiltering> = None,
        /// How tools are scored.
        strategy: ToolStrategy = ToolStrategy::Default,
        /// Whether no tools are sent when none is found; as globally if absent.
        fallback_to_empty: Option<bool> = None,
        /// The similarity from which a tool of the request is kept, 0..=1.
        relevance_threshold: f64 = 0.25,
        /// The tools kept in any case.
        preserve_count: u32 = 0,
    }

    /// Makes images.
    pub struct ImageGenPlugin {
        /// Whether it is on.
        enabled: bool = false,
        /// What makes them.
        backend: ImageBackend,
        /// The backend's own settings.
        backend_config: Option<Opaque> = None,
        /// How a wish for images is detected; as globally if absent.
        modality_detection: Option<ModalityDetector> = None,
        /// Their width in pixels.
        default_width: Option<u32> = None,
        /// Their height in pixels.
        default_height: Option<u32> = None,
        /// The most inference steps.
        max_inference_steps: Option<u32> = None,
        /// The time one image may take.
        timeout_seconds: Option<u64> = None,
    }
}

contract_enum! {
    /// Where retrieved text comes from.
    pub enum RagBackend {
        /// A Milvus collection.
        Milvus = "milvus",
        /// A Qdrant collection.
        Qdrant = "qdrant",
        /// An HTTP service.
        ExternalApi = "external_api",
        /// A tool of an MCP server.
        Mcp = "mcp",
        /// A vector store of OpenAI.
        OpenAi = "openai",
        /// Two others together.
        Hybrid = "hybrid",
        /// The router's own vector store.
        VectorStore = "vectorstore",
    }

    /// How retrieved text is added.
    pub enum RagInjection {
        /// As a tool's result.
        ToolRole = "tool_role" | "",
        /// To the system prompt.
        SystemPrompt = "system_prompt",
    }

    /// What happens when nothing can be retrieved.
    pub enum RagOnFailure {
        /// The request goes on.
        Skip = "skip" | "",
        /// The request goes on and a header says so.
        Warn = "warn",
        /// The request fails.
        Block = "block",
    }

    /// Which of the request's tools pass.
    pub enum ToolsMode {
        /// None.
        Nothing = "none",
        /// All.
        Passthrough = "passthrough" | "",
        /// Those that lists allow.
        Filtered = "filtered",
    }

    /// How tools are scored.
    pub enum ToolStrategy {
        /// As globally.
        Default = "default" | "",
        /// By similarity, words, tags, name and category.
        Weighted = "weighted",
        /// By similarity and what was called before.
        HybridHistory = "hybrid_history",
    }

    /// What dynamic retrieval scores.
    pub enum DynamicRetrievalStrategy {
        /// Similarity alone.
        SemanticOnly = "semantic_only" | "",
        /// Similarity and what was called before.
        HybridHistory = "hybrid_history",
    }

    /// Whether tools are added or filtered.
    pub enum ToolSelectionMode {
        /// Tools of a database are added.
        Add = "add" | "",
        /// Tools of the request are filtered.
        Filter = "filter",
    }

    /// What makes images.
    pub enum ImageBackend {
        /// A vLLM-Omni server.
        VllmOmni = "vllm_omni",
        /// OpenAI's images API.
        OpenAi = "openai",
    }
}
