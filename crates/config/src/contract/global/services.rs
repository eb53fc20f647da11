//! `global.services`: services of the process.

use std::collections::BTreeMap;

use vsr_types::Secret;

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

use super::{MilvusRecords, Observability, PostgresConnection, QdrantRecords};

contract! {
    /// Services of the process.
    pub struct Services {
        /// The management API.
        api: ApiService = ApiService::default(),
        /// Stored responses and conversations.
        response_api: ResponseApi = ResponseApi::default(),
        /// Recorded requests.
        router_replay: RouterReplay = RouterReplay::default(),
        /// Where start-up progress is told.
        startup_status: StartupStatus = StartupStatus::default(),
        /// Metrics and traces.
        observability: Observability = Observability::default(),
        /// Who vouches for users.
        authz: AuthzService = AuthzService::default(),
        /// How much users may use.
        ratelimit: RateLimit = RateLimit::default(),
    }

    /// The management API.
    pub struct ApiService {
        /// The address to bind.
        address: Expanded = Expanded("127.0.0.1".into()),
        /// The port to bind.
        port: u16 = 8080,
        /// The file that holds the bearer token.
        token_file: Option<Expanded> = None,
        /// The environment variable that holds the bearer token.
        token_env: Option<String> = None,
        /// Classification of many texts in one request.
        batch_classification: BatchClassification = BatchClassification::default(),
    }

    /// Classification of many texts in one request.
    pub struct BatchClassification {
        /// The most texts of one request; 0 sets no bound of its own.
        max_batch_size: u32 = 0,
        /// The texts from which they are classified at the same time.
        concurrency_threshold: u32 = 0,
        /// The most texts classified at one time; 0 sets no bound of its own.
        max_concurrency: u32 = 0,
        /// What is measured.
        metrics: BatchMetrics = BatchMetrics::default(),
    }

    /// What batch classification measures.
    pub struct BatchMetrics {
        /// Whether anything is measured.
        enabled: bool = false,
        /// The share of requests measured, 0..=1.
        sample_rate: f64 = 1.0,
        /// Labels by number of texts.
        batch_size_ranges: Vec<BatchSizeRange> = Vec::new(),
        /// Bounds of the duration histogram in seconds.
        duration_buckets: Vec<f64> = Vec::new(),
        /// Bounds of the size histogram.
        size_buckets: Vec<f64> = Vec::new(),
        /// Whether tasks are counted.
        detailed_goroutine_tracking: bool = false,
        /// Whether times are measured finely.
        high_resolution_timing: bool = false,
    }

    /// A label for a number of texts.
    pub struct BatchSizeRange {
        /// At least so many.
        min: u32,
        /// At most so many; -1 is unbounded.
        max: i32,
        /// The label.
        label: String,
    }

    /// Stored responses and conversations.
    pub struct ResponseApi {
        /// Whether it is on.
        enabled: bool = true,
        /// Where they are kept.
        store_backend: ResponseBackend = ResponseBackend::Redis,
        /// How long they are kept after they were made or last continued.
        ttl_seconds: u64 = 86_400,
        /// The most responses and conversations kept.
        max_responses: u64 = 1000,
        /// The most bytes of all that is kept.
        max_bytes: u64 = 134_217_728,
        /// The Redis server.
        redis: Option<ResponseRedis> = None,
    }

    /// The Redis server of stored responses.
    pub struct ResponseRedis {
        /// `host:port`.
        address: Option<Expanded> = None,
        /// The password.
        password: Option<Secret> = None,
        /// The database's number.
        db: u32 = 0,
        /// What keys begin with.
        key_prefix: String = "sr:".into(),
        /// Whether it is a cluster.
        cluster_mode: bool = false,
        /// The cluster's nodes.
        cluster_addresses: Vec<Expanded> = Vec::new(),
        /// The most connections.
        pool_size: u32 = 10,
        /// The connections kept open.
        min_idle_conns: u32 = 2,
        /// How often a command is tried again.
        max_retries: u32 = 3,
        /// The time to connect.
        dial_timeout: TimeSpan = TimeSpan::seconds(5),
        /// The time to read an answer.
        read_timeout: TimeSpan = TimeSpan::seconds(3),
        /// The time to write a command.
        write_timeout: TimeSpan = TimeSpan::seconds(3),
        /// Whether the connection is encrypted.
        tls_enabled: bool = false,
        /// The client certificate.
        tls_cert_path: Option<Expanded> = None,
        /// The client certificate's key.
        tls_key_path: Option<Expanded> = None,
        /// The authorities.
        tls_ca_path: Option<Expanded> = None,
        /// A file with these settings.
        config_path: Option<Expanded> = None,
    }

    /// Recorded requests.
    pub struct RouterReplay {
        /// Whether requests are recorded.
        enabled: bool = true,
        /// Where records are kept.
        store_backend: ReplayBackend = ReplayBackend::Postgres,
        /// How long they are kept.
        ttl_seconds: u64 = 2_592_000,
        /// Whether requests do not wait for writing.
        async_writes: bool = false,
        /// The Redis server.
        redis: Option<ReplayRedis> = None,
        /// The Postgres server.
        postgres: Option<PostgresConnection> = None,
        /// The Milvus server.
        milvus: Option<MilvusRecords> = None,
        /// The Qdrant server.
        qdrant: Option<QdrantRecords> = None,
    }

    /// The Redis server of recorded requests.
    pub struct ReplayRedis {
        /// `host:port`.
        address: Option<Expanded> = None,
        /// The database's number.
        db: u32 = 0,
        /// The password.
        password: Option<Secret> = None,
        /// Whether the connection is encrypted.
        use_tls: bool = false,
        /// Whether the server's certificate is not checked.
        tls_skip_verify: bool = false,
        /// How often a command is tried again.
        max_retries: u32 = 3,
        /// The most connections.
        pool_size: u32 = 10,
        /// What keys begin with.
        key_prefix: String = "router_replay:".into(),
    }

    /// Where start-up progress is told.
    pub struct StartupStatus {
        /// Where.
        store_backend: StartupStatusBackend = StartupStatusBackend::File,
        /// The Redis server.
        redis: Option<ReplayRedis> = None,
    }

    /// Who vouches for users.
    pub struct AuthzService {
        /// Whether requests without a user pass as anonymous where roles matter.
        fail_open: bool = false,
        /// The headers that name users.
        identity: AuthzIdentity = AuthzIdentity::default(),
        /// Where users' upstream keys come from, in order.
        providers: Vec<AuthzProvider> = Vec::new(),
    }

    /// The headers that name users.
    pub struct AuthzIdentity {
        /// The header that names the user.
        user_id_header: String = "x-authz-user-id".into(),
        /// The user's groups, comma-separated.
        user_groups_header: String = "x-authz-user-groups".into(),
    }

    /// Where users' upstream keys come from.
    pub struct AuthzProvider {
        /// From headers or from this file.
        kind as "type": AuthzProviderKind,
        /// The header of each provider.
        headers: BTreeMap<String, String> = BTreeMap::new(),
    }

    /// How much users may use.
    pub struct RateLimit {
        /// Whether requests pass when a limiter fails.
        fail_open: bool = false,
        /// The limiters; every one must agree.
        providers: Vec<RateLimitProvider> = Vec::new(),
    }

    /// A limiter.
    pub struct RateLimitProvider {
        /// What counts.
        kind as "type": RateLimitKind,
        /// The server's `host:port`.
        address: Option<Expanded> = None,
        /// The domain of the server's rules.
        domain: Option<String> = None,
        /// The rules.
        rules: Vec<RateLimitRule> = Vec::new(),
    }

    /// A limit.
    pub struct RateLimitRule {
        /// Its name.
        name: String = String::new(),
        /// Whom it concerns.
        matching as "match": RateLimitMatch = RateLimitMatch::default(),
        /// The most requests in a unit of time; 0 sets no bound.
        requests_per_unit: u64 = 0,
        /// The most tokens in a unit of time; 0 sets no bound.
        tokens_per_unit: u64 = 0,
        /// The unit of time.
        unit: RateLimitUnit = RateLimitUnit::Minute,
    }

    /// Whom a limit concerns; `*` or absent is everybody.
    pub struct RateLimitMatch {
        /// Only for this user.
        user: Option<String> = None,
        /// A group.
        group: Option<String> = None,
        /// A model.
        model: Option<String> = None,
    }
}

contract_enum! {
    /// Where responses are kept.
    pub enum ResponseBackend {
        /// A Redis server.
        Redis = "redis" | "",
        /// This process.
        Memory = "memory",
        /// The embedded store in the state directory.
        Embedded = "embedded",
    }

    /// Where records are kept.
    pub enum ReplayBackend {
        /// A Postgres server.
        Postgres = "postgres" | "",
        /// A Redis server.
        Redis = "redis",
        /// A Milvus server.
        Milvus = "milvus",
        /// A Qdrant server.
        Qdrant = "qdrant",
        /// This process.
        Memory = "memory",
    }

    /// Where start-up progress is told.
    pub enum StartupStatusBackend {
        /// A file.
        File = "file" | "",
        /// A Redis server.
        Redis = "redis",
    }

    /// Where a user's upstream keys come from.
    pub enum AuthzProviderKind {
        /// Request headers.
        HeaderInjection = "header-injection" | "header",
        /// This file.
        StaticConfig = "static-config",
    }

    /// What counts requests.
    pub enum RateLimitKind {
        /// An Envoy rate limit server.
        EnvoyRatelimit = "envoy-ratelimit",
        /// This process.
        LocalLimiter = "local-limiter",
        /// A Redis server.
        Redis = "redis",
    }

    /// A unit of time.
    pub enum RateLimitUnit {
        /// A second.
        Second = "second",
        /// A minute.
        Minute = "minute" | "",
        /// An hour.
        Hour = "hour",
        /// A day.
        Day = "day",
    }
}
