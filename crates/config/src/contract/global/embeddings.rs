//! `global.model_catalog.embeddings`: embedding models, and how examples become prototypes.

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::Expanded,
};

contract! {
    /// Embedding models.
    pub struct Embeddings {
        /// Those of the semantic signals.
        semantic: SemanticEmbeddings = SemanticEmbeddings::default(),
    }

    /// The embedding models of the semantic signals; an empty path is no model.
    pub struct SemanticEmbeddings {
        /// Qwen3.
        qwen3_model_path: Expanded = Expanded::default(),
        /// Gemma.
        gemma_model_path: Expanded = Expanded::default(),
        /// mmBERT.
        mmbert_model_path: Expanded = Expanded("models/mmbert-embed-32k-2d-matryoshka".into()),
        /// Text and images in one space.
        multimodal_model_path: Expanded = Expanded::default(),
        /// MiniLM.
        bert_model_path: Expanded = Expanded::default(),
        /// Whether they run on the processor.
        use_cpu: bool = true,
        /// How they are used.
        embedding_config: EmbeddingConfig = EmbeddingConfig::default(),
    }

    /// How embedding models are used.
    pub struct EmbeddingConfig {
        /// What runs them.
        backend: ModelBackend = ModelBackend::Native,
        /// The model of the semantic signals.
        model_type: EmbeddingModel = EmbeddingModel::Mmbert,
        /// Whether examples are embedded at start.
        preload_embeddings: bool = true,
        /// The dimension of the embeddings.
        target_dimension: u32 = 768,
        /// The layer of the embeddings.
        target_layer: u32 = 22,
        /// Whether rules may match below their own threshold when none matches.
        enable_soft_matching: bool = true,
        /// The most rules that match; 0 sets no bound.
        top_k: i64 = 1,
        /// The score of a soft match, 0..=1.
        min_score_threshold: f64 = 0.5,
        /// How examples become prototypes.
        prototype_scoring: PrototypeScoring = PrototypeScoring::default(),
    }

    /// How examples become prototypes, and similarities a score.
    pub struct PrototypeScoring {
        /// Whether similar examples are merged.
        enabled: bool = true,
        /// The similarity from which examples are merged, 0..=1.
        cluster_similarity_threshold: f64 = 0.9,
        /// The most prototypes.
        max_prototypes: u32 = 8,
        /// The share of the best similarity, 0..=1.
        best_weight: f64 = 0.75,
        /// The similarities that make up the rest.
        top_m: u32 = 2,
        /// The lead a winner needs.
        margin_threshold: f64 = 0.0,
    }
}

contract_enum! {
    /// What runs the router's own models.
    pub enum ModelBackend {
        /// The router itself, on the CPU.
        Native = "candle" | "native" | "",
        /// ONNX Runtime on the CPU.
        OnnxRuntime = "onnxruntime",
        /// ONNX Runtime on NVIDIA's GPUs.
        Cuda = "cuda",
        /// ONNX Runtime on AMD's GPUs by ROCm.
        Rocm = "rocm",
        /// ONNX Runtime on AMD's GPUs by MIGraphX.
        MiGraphX = "migraphx",
        /// ONNX Runtime by OpenVINO.
        OpenVino = "openvino",
        /// ONNX Runtime on Apple's processors.
        CoreMl = "coreml",
    }

    /// An embedding model.
    pub enum EmbeddingModel {
        /// mmBERT.
        Mmbert = "mmbert" | "",
        /// Qwen3.
        Qwen3 = "qwen3",
        /// Gemma.
        Gemma = "gemma",
        /// MiniLM.
        Bert = "bert",
        /// Text and images in one space.
        Multimodal = "multimodal",
    }
}
