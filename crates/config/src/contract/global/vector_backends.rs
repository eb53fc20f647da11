//! Vector databases as several stores use them: Redis and Valkey, Milvus.

use vsr_types::Secret;

use crate::{
    contract_macro::contract,
    scalars::{Expanded, TimeSpan},
};

use super::MetricType;

contract! {
    /// A Redis or Valkey server with a vector index.
    pub struct RedisStore {
        /// The server.
        connection: RedisConnection = RedisConnection::default(),
        /// The index.
        index: RedisIndex = RedisIndex::default(),
        /// How it is searched.
        search: RedisSearch = RedisSearch::default(),
        /// Conveniences for development.
        development: RedisDevelopment = RedisDevelopment::default(),
        /// What is logged.
        logging: StoreLogging = StoreLogging::default(),
    }

    /// A Redis or Valkey server.
    pub struct RedisConnection {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 6379,
        /// The database's number.
        database: u32 = 0,
        /// The password.
        password: Option<Secret> = None,
        /// The time a command may take.
        timeout: TimeSpan = TimeSpan::seconds(5),
        /// Transport security.
        tls: StoreTls = StoreTls::default(),
    }

    /// Transport security of a connection to a store.
    pub struct StoreTls {
        /// Whether it is on.
        enabled: bool = false,
        /// The client certificate.
        cert_file: Option<Expanded> = None,
        /// The client certificate's key.
        key_file: Option<Expanded> = None,
        /// The authorities.
        ca_file: Option<Expanded> = None,
    }

    /// An index of a Redis or Valkey server.
    pub struct RedisIndex {
        /// Its name.
        name: String = "semantic_cache_idx".into(),
        /// What keys begin with.
        prefix: String = "doc:".into(),
        /// The vectors.
        vector_field: VectorField = VectorField::default(),
        /// How it is built.
        index_type: String = "HNSW".into(),
        /// Parameters of building.
        params: IndexParams = IndexParams::default(),
    }

    /// A field of vectors.
    pub struct VectorField {
        /// Its name.
        name: String = "embedding".into(),
        /// The dimension; the model's if absent or 0.
        dimension: Option<u32> = None,
        /// How similarity is measured.
        metric_type: MetricType = MetricType::Cosine,
    }

    /// Parameters of building an index.
    pub struct IndexParams {
        /// Links of a node.
        m as "M": u32 = 16,
        /// Breadth of building.
        ef_construction as "efConstruction": u32 = 64,
    }

    /// How a Redis or Valkey index is searched.
    pub struct RedisSearch {
        /// The neighbours looked at.
        topk: u32 = 1,
    }

    /// Conveniences for development with Redis or Valkey.
    pub struct RedisDevelopment {
        /// Whether the index is dropped at start.
        drop_index_on_startup: bool = false,
        /// Whether the index is created if absent.
        auto_create_index: bool = true,
        /// Whether errors are told in full.
        verbose_errors: bool = false,
    }

    /// What a store logs.
    pub struct StoreLogging {
        /// From this level.
        level: String = "info".into(),
        /// Whether searches are logged.
        enable_query_log: bool = false,
        /// Whether searches are measured.
        enable_metrics: bool = false,
    }

    /// A Milvus server.
    pub struct MilvusStore {
        /// The server.
        connection: MilvusConnection = MilvusConnection::default(),
        /// The collection.
        collection: MilvusCollection = MilvusCollection::default(),
        /// How it is searched.
        search: MilvusSearch = MilvusSearch::default(),
        /// Connections and batches.
        performance: MilvusPerformance = MilvusPerformance::default(),
        /// What is cleaned up.
        data_management: MilvusDataManagement = MilvusDataManagement::default(),
        /// What is logged.
        logging: StoreLogging = StoreLogging::default(),
        /// Conveniences for development.
        development: MilvusDevelopment = MilvusDevelopment::default(),
    }

    /// A Milvus server.
    pub struct MilvusConnection {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 19530,
        /// The database.
        database: String = "default".into(),
        /// The time a call may take.
        timeout: TimeSpan = TimeSpan::seconds(30),
        /// Who asks.
        auth: MilvusAuth = MilvusAuth::default(),
        /// Transport security.
        tls: StoreTls = StoreTls::default(),
    }

    /// Who asks a Milvus server.
    pub struct MilvusAuth {
        /// Whether it is on.
        enabled: bool = false,
        /// The user.
        username: Option<String> = None,
        /// The user's password.
        password: Option<Secret> = None,
    }

    /// A Milvus collection.
    pub struct MilvusCollection {
        /// Its name.
        name: Option<String> = None,
        /// For people.
        description: Option<String> = None,
        /// The vectors.
        vector_field: VectorField = VectorField::default(),
        /// How it is indexed.
        index: MilvusIndex = MilvusIndex::default(),
    }

    /// An index of a Milvus collection.
    pub struct MilvusIndex {
        /// How it is built.
        kind as "type": String = "HNSW".into(),
        /// Parameters of building.
        params: IndexParams = IndexParams::default(),
    }

    /// How a Milvus collection is searched.
    pub struct MilvusSearch {
        /// Parameters of searching.
        params: MilvusSearchParams = MilvusSearchParams::default(),
        /// The neighbours looked at.
        topk: u32 = 10,
        /// How soon a write is seen.
        consistency_level: Option<String> = None,
    }

    /// Parameters of searching a Milvus collection.
    pub struct MilvusSearchParams {
        /// Breadth of searching.
        ef: u32 = 64,
    }

    /// Connections to a Milvus server, and batches.
    pub struct MilvusPerformance {
        /// Connections.
        connection_pool: MilvusPool = MilvusPool::default(),
        /// Batches.
        batch: MilvusBatch = MilvusBatch::default(),
    }

    /// Connections to a Milvus server.
    pub struct MilvusPool {
        /// The most connections.
        max_connections: Option<u32> = None,
        /// The most idle connections.
        max_idle_connections: Option<u32> = None,
        /// The time to wait for one.
        acquire_timeout: Option<TimeSpan> = None,
    }

    /// Batches of a Milvus server.
    pub struct MilvusBatch {
        /// The entries of one batch.
        insert_batch_size: Option<u32> = None,
        /// The time a batch may take.
        timeout: Option<TimeSpan> = None,
    }

    /// What is cleaned up in a Milvus collection.
    pub struct MilvusDataManagement {
        /// Old entries.
        ttl: MilvusTtl = MilvusTtl::default(),
        /// Gaps.
        compaction: MilvusCompaction = MilvusCompaction::default(),
    }

    /// Old entries of a Milvus collection.
    pub struct MilvusTtl {
        /// Whether they are removed.
        enabled: bool = false,
        /// The field that holds their time.
        timestamp_field: Option<String> = None,
        /// The period after which they are removed.
        cleanup_interval: Option<TimeSpan> = None,
    }

    /// Gaps in a Milvus collection.
    pub struct MilvusCompaction {
        /// Whether they are closed.
        enabled: bool = false,
        /// The period after which they are closed.
        interval: Option<TimeSpan> = None,
    }

    /// Conveniences for development with Milvus.
    pub struct MilvusDevelopment {
        /// Whether the collection is dropped at start.
        drop_collection_on_startup: bool = false,
        /// Whether the collection is created if absent.
        auto_create_collection: bool = true,
        /// Whether errors are told in full.
        verbose_errors: bool = false,
    }
}
