//! `global.stores`: caches, memory and vector stores.

use vsr_types::Secret;

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

use super::{MilvusStore, PostgresConnection, RedisStore};

contract! {
    /// Where things are kept.
    pub struct Stores {
        /// Answers to similar requests.
        semantic_cache: SemanticCacheStore = SemanticCacheStore::default(),
        /// What is remembered of users.
        memory: MemoryStore = MemoryStore::default(),
        /// Uploaded documents; there is no such store if absent.
        vector_store: Option<VectorStore> = None,
    }

    /// Answers to similar requests.
    pub struct SemanticCacheStore {
        /// Whether it is on.
        enabled: bool = true,
        /// Where they are kept.
        backend_type: CacheBackend = CacheBackend::Memory,
        /// The similarity from which an answer serves; `min_score_threshold` if absent.
        similarity_threshold: Option<f64> = None,
        /// The most answers.
        max_entries: u64 = 1000,
        /// How long they are kept.
        ttl_seconds: u64 = 3600,
        /// Which answer goes first when the store is full.
        eviction_policy: EvictionPolicy = EvictionPolicy::Fifo,
        /// The embedding model.
        embedding_model: StoreEmbeddingModel = StoreEmbeddingModel::Bert,
        /// The Redis server.
        redis: Option<RedisStore> = None,
        /// The Milvus server.
        milvus: Option<MilvusStore> = None,
        /// The Valkey server.
        valkey: Option<RedisStore> = None,
        /// The Qdrant server.
        qdrant: Option<QdrantCache> = None,
    }

    /// The Qdrant server of the cache.
    pub struct QdrantCache {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 6334,
        /// The key.
        api_key: Option<Secret> = None,
        /// Whether the connection is encrypted.
        use_tls: bool = false,
        /// The time to connect.
        connect_timeout: TimeSpan = TimeSpan::seconds(10),
        /// The collection.
        collection_name: String = "semantic_cache".into(),
    }

    /// What is remembered of users.
    pub struct MemoryStore {
        /// Whether it is on.
        enabled: bool = false,
        /// Where it is kept.
        backend: MemoryBackend = MemoryBackend::Milvus,
        /// Whether answers are remembered.
        auto_store: bool = false,
        /// Decisions that remember nothing.
        disabled_routes: Vec<String> = Vec::new(),
        /// Models that remember nothing.
        disabled_models: Vec<String> = Vec::new(),
        /// The Milvus server.
        milvus: MemoryMilvus = MemoryMilvus::default(),
        /// The Valkey server.
        valkey: Option<MemoryValkey> = None,
        /// The Qdrant server.
        qdrant: Option<MemoryQdrant> = None,
        /// A cache before these.
        redis_cache: MemoryRedisCache = MemoryRedisCache::default(),
        /// The embedding model; the best one loaded if absent.
        embedding_model: Option<StoreEmbeddingModel> = None,
        /// Turns after which memories are extracted.
        extraction_batch_size: u32 = 10,
        /// The most memories added.
        default_retrieval_limit: u32 = 5,
        /// The similarity from which a memory is added, 0..=1.
        default_similarity_threshold: f64 = 0.70,
        /// Whether words count beside similarity.
        hybrid_search: bool = false,
        /// How both are combined.
        hybrid_mode: HybridMode = HybridMode::Weighted,
        /// Whether the similarity asked for follows the results.
        adaptive_threshold: bool = false,
        /// Which memories are forgotten.
        quality_scoring: MemoryQuality = MemoryQuality::default(),
        /// What is filtered before memories are added.
        reflection: MemoryReflection = MemoryReflection::default(),
    }

    /// The Milvus server of the memory.
    pub struct MemoryMilvus {
        /// `host:port`.
        address: Expanded = Expanded("localhost:19530".into()),
        /// The collection.
        collection: String = "agentic_memory".into(),
        /// The dimension of the embeddings.
        dimension: u32 = 384,
        /// How many partitions.
        num_partitions: Option<u32> = None,
    }

    /// The Valkey server of the memory.
    pub struct MemoryValkey {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 6379,
        /// The database's number.
        database: u32 = 0,
        /// The password.
        password: Option<Secret> = None,
        /// The time a command may take.
        timeout: TimeSpan = TimeSpan::seconds(10),
        /// What keys begin with.
        collection_prefix: String = "mem:".into(),
        /// The index.
        index_name: String = "mem_idx".into(),
        /// The dimension of the embeddings; the model's if absent.
        dimension: Option<u32> = None,
        /// How similarity is measured.
        metric_type: MetricType = MetricType::Cosine,
        /// Links of the index.
        index_m: u32 = 16,
        /// Breadth of building the index.
        index_ef_construction: u32 = 200,
        /// Whether the connection is encrypted.
        tls_enabled: bool = false,
        /// The authorities.
        tls_ca_path: Option<Expanded> = None,
        /// Whether the server's certificate is not checked.
        tls_insecure_skip_verify: bool = false,
    }

    /// The Qdrant server of the memory.
    pub struct MemoryQdrant {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 6334,
        /// The key.
        api_key: Option<Secret> = None,
        /// Whether the connection is encrypted.
        use_tls: bool = false,
        /// The time to connect.
        connect_timeout: TimeSpan = TimeSpan::seconds(10),
        /// The collection.
        collection: String = "agentic_memory".into(),
        /// The dimension of the embeddings.
        dimension: u32 = 384,
    }

    /// A cache before the memory.
    pub struct MemoryRedisCache {
        /// Whether it is on.
        enabled: bool = false,
        /// `host:port`.
        address: Expanded = Expanded("localhost:6379".into()),
        /// How long results are kept.
        ttl_seconds: u64 = 300,
        /// The database's number.
        db: u32 = 0,
        /// What keys begin with.
        key_prefix: String = "memory_cache:".into(),
        /// The password.
        password: Option<Secret> = None,
    }

    /// Which memories are forgotten.
    pub struct MemoryQuality {
        /// The days a memory lasts at first.
        initial_strength_days: Option<u32> = None,
        /// The strength below which a memory goes, 0..=1.
        prune_threshold: Option<f64> = None,
        /// The most memories of one user.
        max_memories_per_user: Option<u32> = None,
    }

    /// What is filtered before memories are added.
    pub struct MemoryReflection {
        /// Whether anything is.
        enabled: bool = true,
        /// How memories are weighed.
        algorithm: ReflectionAlgorithm = ReflectionAlgorithm::Heuristic,
        /// The most tokens added.
        max_inject_tokens: u32 = 2048,
        /// The days after which a memory counts half.
        recency_decay_days: f64 = 30.0,
        /// The similarity from which two memories are one, 0..=1.
        dedup_threshold: f64 = 0.9,
        /// Memories with these words are left out.
        block_patterns: Vec<String> = Vec::new(),
    }

    /// Uploaded documents.
    pub struct VectorStore {
        /// Whether it is on.
        enabled: bool = false,
        /// Where vectors are kept.
        backend_type: VectorBackend = VectorBackend::Memory,
        /// Where files are kept.
        file_storage_dir: Expanded = Expanded("/var/lib/vsr/data".into()),
        /// The largest file in mebibytes.
        max_file_size_mb: u32 = 50,
        /// The embedding model.
        embedding_model: StoreEmbeddingModel = StoreEmbeddingModel::Bert,
        /// The dimension of the embeddings; the model's if absent.
        embedding_dimension: Option<u32> = None,
        /// Documents taken in at one time.
        ingestion_workers: u32 = 2,
        /// The endings of files that are taken in.
        supported_formats: Vec<String> =
            [".txt", ".md", ".json", ".csv", ".html"].map(String::from).to_vec(),
        /// Where the list of documents is kept.
        metadata_store: MetadataStore = MetadataStore::Memory,
        /// The Postgres server of that list.
        metadata_postgres: Option<PostgresConnection> = None,
        /// The Milvus server.
        milvus: Option<MilvusStore> = None,
        /// This process.
        memory: VectorMemory = VectorMemory::default(),
        /// The Llama Stack server.
        llama_stack: Option<LlamaStack> = None,
        /// The Valkey server.
        valkey: Option<VectorValkey> = None,
        /// The Qdrant server.
        qdrant: Option<VectorQdrant> = None,
    }

    /// Vectors kept in this process.
    pub struct VectorMemory {
        /// The most entries of one store.
        max_entries_per_store: Option<u64> = None,
    }

    /// A Llama Stack server.
    pub struct LlamaStack {
        /// Its URL.
        endpoint: Expanded,
        /// The token.
        auth_token: Option<Secret> = None,
        /// The embedding model it uses.
        embedding_model: Option<String> = None,
        /// The time one call may take.
        request_timeout_seconds: u64 = 30,
        /// How it searches.
        search_type: LlamaStackSearch = LlamaStackSearch::Vector,
    }

    /// The Valkey server of the vector store.
    pub struct VectorValkey {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 6379,
        /// The database's number.
        database: u32 = 0,
        /// The password.
        password: Option<Secret> = None,
        /// The time to connect.
        connect_timeout: TimeSpan = TimeSpan::seconds(10),
        /// What keys begin with.
        collection_prefix: String = "vsr_vs_".into(),
        /// How similarity is measured.
        metric_type: MetricType = MetricType::Cosine,
        /// Links of the index.
        index_m: u32 = 16,
        /// Breadth of building the index.
        index_ef_construction: u32 = 200,
    }

    /// The Qdrant server of the vector store.
    pub struct VectorQdrant {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 6334,
        /// The key.
        api_key: Option<Secret> = None,
        /// Whether the connection is encrypted.
        use_tls: bool = false,
        /// The time to connect.
        connect_timeout: TimeSpan = TimeSpan::seconds(10),
        /// What collections begin with.
        collection_prefix: String = "vsr_vs_".into(),
    }
}

contract_enum! {
    /// Where cached answers are kept.
    pub enum CacheBackend {
        /// This process.
        Memory = "memory" | "",
        /// A Redis server.
        Redis = "redis",
        /// A Valkey server.
        Valkey = "valkey",
        /// A Milvus server.
        Milvus = "milvus",
        /// A Qdrant server.
        Qdrant = "qdrant",
        /// This process, and a Milvus server.
        Hybrid = "hybrid",
    }

    /// Which answer goes first when the cache is full.
    pub enum EvictionPolicy {
        /// The oldest.
        Fifo = "fifo" | "",
        /// The one not used for longest.
        Lru = "lru",
        /// The one used least often.
        Lfu = "lfu",
    }

    /// The embedding model of a store.
    pub enum StoreEmbeddingModel {
        /// MiniLM.
        Bert = "bert" | "",
        /// mmBERT.
        Mmbert = "mmbert",
        /// Text and images in one space.
        Multimodal = "multimodal",
        /// Qwen3.
        Qwen3 = "qwen3",
        /// Gemma.
        Gemma = "gemma",
    }

    /// Where memories are kept.
    pub enum MemoryBackend {
        /// A Milvus server.
        Milvus = "milvus" | "",
        /// A Valkey server.
        Valkey = "valkey",
        /// A Qdrant server.
        Qdrant = "qdrant",
        /// This process.
        Memory = "memory",
    }

    /// How similarity and words are combined.
    pub enum HybridMode otherwise Weighted {
        /// By weights.
        Weighted = "weighted" | "",
        /// By ranks.
        Rrf = "rrf",
    }

    /// How memories are weighed.
    pub enum ReflectionAlgorithm otherwise Heuristic {
        /// By age and similarity.
        Heuristic = "heuristic" | "",
        /// Not at all.
        Noop = "noop",
    }

    /// Where vectors are kept.
    pub enum VectorBackend {
        /// This process.
        Memory = "memory" | "",
        /// A Milvus server.
        Milvus = "milvus",
        /// A Llama Stack server.
        LlamaStack = "llama_stack",
        /// A Valkey server.
        Valkey = "valkey",
        /// A Qdrant server.
        Qdrant = "qdrant",
    }

    /// Where the list of documents is kept.
    pub enum MetadataStore {
        /// This process.
        Memory = "memory" | "",
        /// A Postgres server.
        Postgres = "postgres",
    }

    /// How a Llama Stack server searches.
    pub enum LlamaStackSearch {
        /// By similarity.
        Vector = "vector" | "",
        /// By similarity and words.
        Hybrid = "hybrid",
    }

    /// How similarity is measured.
    pub enum MetricType {
        /// By the angle.
        Cosine = "COSINE" | "",
        /// By the inner product.
        InnerProduct = "IP",
        /// By the distance.
        Euclidean = "L2",
    }
}
