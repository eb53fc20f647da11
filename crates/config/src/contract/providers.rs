//! `providers`: defaults, and the backends of every model.

use std::collections::BTreeMap;

use vsr_types::Secret;

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

contract! {
    /// The models' backends.
    pub struct Providers {
        /// What holds where a model or decision says nothing.
        defaults: ProviderDefaults = ProviderDefaults::default(),
        /// The models and where they are served.
        models: Vec<ProviderModel> = Vec::new(),
    }

    /// What holds where a model or decision says nothing.
    pub struct ProviderDefaults {
        /// The model for requests that no decision claims: a model card or a LoRA adapter.
        default_model: Option<String> = None,
        /// How families of models are told to reason.
        reasoning_families: BTreeMap<String, ReasoningFamily> = BTreeMap::new(),
        /// The effort where a decision asks for reasoning and states none; `medium` if absent.
        default_reasoning_effort: Option<String> = None,
        /// The HTTP proxy through which backends are reached that name none, as for `backend_refs[].proxy`.
        proxy: Option<Secret> = None,
    }

    /// How a family of models is told to reason.
    pub struct ReasoningFamily {
        /// Where the parameter goes.
        kind as "type": ReasoningFamilyType,
        /// The parameter's name.
        parameter: String,
    }

    /// A model and where it is served.
    pub struct ProviderModel {
        /// The model card this serves.
        name: String,
        /// The entry of `defaults.reasoning_families` for this model.
        reasoning_family: Option<String> = None,
        /// The model id the backends know.
        provider_model_id: Option<String> = None,
        /// The backends.
        backend_refs: Vec<BackendRef> = Vec::new(),
        /// What tokens cost.
        pricing: Option<Pricing> = None,
        /// The protocol the backends speak.
        api_format: ApiFormat = ApiFormat::OpenAi,
        /// How the backends are asked by clients of Responses.
        responses: ResponsesSupport = ResponsesSupport::Translated,
        /// Model ids by backend type; replaces `provider_model_id`.
        external_model_ids: BTreeMap<String, String> = BTreeMap::new(),
        /// Health, retries and balancing.
        reliability: Option<Reliability> = None,
    }

    /// One backend of a model.
    pub struct BackendRef {
        /// Its name; the first unnamed one is `primary`.
        name: Option<String> = None,
        /// `host:port`, optionally with a scheme.
        endpoint: Option<Expanded> = None,
        /// `http` or `https`, for `endpoint`.
        protocol: Option<BackendProtocol> = None,
        /// Its share of the model's requests; 0 takes it out.
        weight: Option<f64> = None,
        /// The kind of backend, a key of `external_model_ids`.
        kind as "type": Option<String> = None,
        /// The URL that `chat_path` is appended to.
        base_url: Option<Expanded> = None,
        /// The provider, which sets the authentication header and path.
        provider: Option<ProviderKind> = None,
        /// The header that carries the key.
        auth_header: Option<String> = None,
        /// The word before the key.
        auth_prefix: Option<String> = None,
        /// Headers added to every request.
        extra_headers: BTreeMap<String, Secret> = BTreeMap::new(),
        /// The provider's API version.
        api_version: Option<String> = None,
        /// The path of chat completions, used as it is.
        chat_path: Option<String> = None,
        /// The key itself; better named by `api_key_env`, or written as `${VAR}`.
        api_key: Option<Secret> = None,
        /// The environment variable that holds the key.
        api_key_env: Option<String> = None,
        /// What its certificate is checked against, and who the router is to it.
        tls: Option<BackendTls> = None,
        /// The HTTP proxy through which it is reached, as `http://user:password@host:port`, or `direct` for none. If absent,
        /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.
        proxy: Option<Secret> = None,
        /// Whether HTTP/2 is spoken with it.
        http2: BackendHttp2 = BackendHttp2::Never,
        /// The keys of AWS that its requests are signed with (SigV4).
        aws: Option<AwsKeys> = None,
    }

    /// What a backend's certificate is checked against, and who the router is to it.
    pub struct BackendTls {
        /// A file with the only authorities that may vouch for it (PEM); the system's if absent.
        ca_file: Option<Expanded> = None,
        /// A file with the certificate that it is shown if it asks (PEM).
        cert_file: Option<Expanded> = None,
        /// A file with that certificate's key (PEM).
        key_file: Option<Expanded> = None,
    }

    /// Where the keys of AWS are, and what they sign.
    pub struct AwsKeys {
        /// The region; the one in the host's name if absent.
        region: Option<Expanded> = None,
        /// The service that is signed for.
        service: String = "bedrock".into(),
        /// The environment variable that holds the access key's id.
        access_key_id_env: String = "AWS_ACCESS_KEY_ID".into(),
        /// The environment variable that holds the secret access key.
        secret_access_key_env: String = "AWS_SECRET_ACCESS_KEY".into(),
        /// The environment variable that holds the session token, where there is one.
        session_token_env: String = "AWS_SESSION_TOKEN".into(),
    }

    /// What tokens cost.
    pub struct Pricing {
        /// The currency.
        currency: String = "USD".into(),
        /// Price of a million prompt tokens.
        prompt_per_1m: Option<f64> = None,
        /// Price of a million completion tokens.
        completion_per_1m: Option<f64> = None,
        /// Price of a million prompt tokens read from the provider's cache.
        cached_input_per_1m: Option<f64> = None,
    }

    /// Health, retries and balancing of a model's backends.
    pub struct Reliability {
        /// How a backend is picked: `weighted` (the default), `least_request` or `consistent_hash`.
        lb_policy: Option<String> = None,
        /// How often a request is tried again, also at the backend that failed. If absent, it is tried twice at others.
        retry_count: Option<u32> = None,
        /// What is tried again, separated by commas: `connect-failure`, `reset`, `gateway-error`, `5xx`, `retriable-4xx`,
        /// `rate-limited` or statuses; `connect-failure,rate-limited` if absent.
        retry_on: Option<String> = None,
        /// The wait before a second attempt; doubled for each one after it, and drawn at random below that.
        retry_backoff: TimeSpan = TimeSpan(std::time::Duration::from_millis(25)),
        /// The longest `retry-after` that is waited for.
        max_retry_after: TimeSpan = TimeSpan::seconds(1),
        /// The largest share of a model's requests that may be repetitions at one time, in percent.
        retry_budget_percent: u32 = 20,
        /// So many requests may be repetitions at one time, whatever their share.
        min_retry_concurrency: u32 = 3,
        /// Failures in a row that eject a backend; 5 if absent, 0 for none.
        consecutive_5xx: Option<u32> = None,
        /// How long a backend is ejected at first, and by how much longer each time; 30 s if absent.
        base_ejection_time: Option<TimeSpan> = None,
        /// The longest time a backend is ejected.
        max_ejection_time: TimeSpan = TimeSpan::seconds(300),
        /// The largest share of backends ejected at one time, in percent; 50 if absent. One may always be, the last never.
        max_ejection_percent: Option<u32> = None,
        /// The path at the server's root that is asked for regularly, such as `/health`; without it nothing is.
        health_check_path: Option<String> = None,
        /// The time between two checks, a tenth more or less; 10 s if absent.
        health_check_interval: Option<TimeSpan> = None,
        /// The time a check may take; 2 s if absent.
        health_check_timeout: Option<TimeSpan> = None,
        /// Failed checks in a row that leave a backend out.
        health_check_unhealthy_threshold: u32 = 3,
        /// Passed checks in a row that bring it back.
        health_check_healthy_threshold: u32 = 2,
        /// The time to connect.
        connect_timeout: TimeSpan = TimeSpan::seconds(5),
        /// From the request sent to the head of the response.
        first_byte_timeout: TimeSpan = TimeSpan::seconds(120),
        /// Between two parts of a streamed answer.
        stream_idle_timeout: TimeSpan = TimeSpan::seconds(60),
        /// The whole exchange; the listener's timeout if absent.
        request_timeout: Option<TimeSpan> = None,
    }
}

contract_enum! {
    /// Where a reasoning parameter goes.
    pub enum ReasoningFamilyType {
        /// Into `chat_template_kwargs`, as true or false.
        ChatTemplateKwargs = "chat_template_kwargs",
        /// An effort: top level for OpenAI, into `chat_template_kwargs` elsewhere.
        ReasoningEffort = "reasoning_effort",
        /// An effort at the top level, whatever the backend.
        TopLevelReasoningEffort = "top_level_reasoning_effort",
    }

    /// Whether HTTP/2 is spoken with a backend.
    pub enum BackendHttp2 {
        /// No.
        Never = "never",
        /// If the backend picks it in the TLS handshake.
        Offered = "offered",
        /// Always, in plain text too.
        Only = "only",
    }

    /// The protocol a model's backends speak.
    pub enum ApiFormat {
        /// OpenAI chat completions.
        OpenAi = "openai",
        /// Anthropic messages.
        Anthropic = "anthropic",
    }

    /// How backends are asked by clients of Responses.
    pub enum ResponsesSupport {
        /// In the protocol of `api_format`.
        Translated = "translated",
        /// In Responses itself, which the backends speak too.
        Native = "native",
    }

    /// The scheme of an `endpoint`.
    pub enum BackendProtocol {
        /// Plain.
        Http = "http",
        /// With TLS.
        Https = "https",
    }

    /// A provider with a known authentication header and path.
    pub enum ProviderKind {
        /// OpenAI and compatible services.
        OpenAi = "openai",
        /// Anthropic.
        Anthropic = "anthropic",
        /// Azure OpenAI.
        AzureOpenAi = "azure-openai",
        /// Amazon Bedrock.
        Bedrock = "bedrock",
        /// Google Gemini.
        Gemini = "gemini",
        /// Google Vertex AI.
        VertexAi = "vertex-ai",
        /// MiniMax.
        MiniMax = "minimax",
        /// A vLLM server.
        Vllm = "vllm",
    }
}
