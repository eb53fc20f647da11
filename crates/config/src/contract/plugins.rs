//! `routing.decisions[].plugins[]`: what else happens to a request or its answer.

use crate::contract_macro::{contract, contract_enum};

use super::{HybridMode, ImageGenPlugin, MemoryReflection, RagPlugin, ToolSelectionPlugin, ToolsPlugin};

contract! {
    /// Answers at once, without a model.
    pub struct FastResponsePlugin {
        /// The answer.
        message: String,
    }

    /// Answers from earlier answers to similar requests.
    pub struct SemanticCachePlugin {
        /// Whether it is on.
        enabled: bool = false,
        /// The similarity from which a stored answer serves; the store's if absent.
        similarity_threshold: Option<f64> = None,
        /// How long an answer is kept: 0 is not stored, -1 or absent is the store's.
        ttl_seconds: Option<i64> = None,
    }

    /// Puts a system prompt before the conversation.
    pub struct SystemPromptPlugin {
        /// Whether it is on.
        enabled: bool = true,
        /// What is put before the conversation.
        system_prompt: String = String::new(),
        /// What happens to a system prompt that is there already.
        mode: SystemPromptMode = SystemPromptMode::Insert,
    }

    /// Changes the headers of the upstream request.
    pub struct HeaderMutationPlugin {
        /// Headers to set.
        add: Vec<HeaderValue> = Vec::new(),
        /// Headers to set.
        update: Vec<HeaderValue> = Vec::new(),
        /// Headers to remove.
        delete: Vec<String> = Vec::new(),
    }

    /// A header and its value.
    pub struct HeaderValue {
        /// The header.
        name: String,
        /// Its value.
        value: String,
    }

    /// Bounds the parameters of a request.
    pub struct RequestParamsPlugin {
        /// Parameters to remove.
        blocked_params: Vec<String> = Vec::new(),
        /// The most output tokens.
        max_tokens_limit: Option<u64> = None,
        /// The most answers of one request.
        max_n: Option<u32> = None,
        /// Whether unknown parameters are removed.
        strip_unknown: bool = false,
    }

    /// Looks for statements that the context does not support.
    pub struct HallucinationPlugin {
        /// Whether it is on.
        enabled: bool = false,
        /// Whether an inference model confirms what was found.
        use_nli: bool = false,
        /// What happens when something was found.
        hallucination_action: FindingAction = FindingAction::Header,
        /// What happens to facts that nothing could verify.
        unverified_factual_action: FindingAction = FindingAction::Header,
        /// Whether the places found are told.
        include_hallucination_details: bool = false,
    }

    /// Looks for answers that give in to an attack.
    pub struct ResponseJailbreakPlugin {
        /// Whether it is on.
        enabled: bool = false,
        /// The score from which an answer counts; the prompt guard's if absent.
        threshold: Option<f64> = None,
        /// What happens to such an answer.
        action: ResponseJailbreakAction = ResponseJailbreakAction::Header,
    }

    /// Records the request and its routing.
    pub struct RouterReplayPlugin {
        /// Whether it is on.
        enabled: bool = true,
        /// The most records kept of one decision.
        max_records: u64 = 10_000,
        /// Whether request bodies are kept.
        capture_request_body: bool = true,
        /// Whether response bodies are kept.
        capture_response_body: bool = true,
        /// The most bytes kept of a body.
        max_body_bytes: u64 = 4096,
        /// The most bytes kept of each field of the tool trace; 0 keeps all.
        max_tool_trace_bytes: u64 = 0,
        /// The most steps kept of the tool trace; 0 keeps all.
        max_tool_trace_steps: u64 = 100,
    }

    /// Remembers users.
    pub struct MemoryPlugin {
        /// Whether it is on.
        enabled: bool = false,
        /// The most memories added; the store's if absent.
        retrieval_limit: Option<u32> = None,
        /// The similarity from which a memory is added; the store's if absent.
        similarity_threshold: Option<f64> = None,
        /// Whether answers are remembered; the store's if absent.
        auto_store: Option<bool> = None,
        /// Whether words count beside similarity; the store's if absent.
        hybrid_search: Option<bool> = None,
        /// How both are combined; the store's if absent.
        hybrid_mode: Option<HybridMode> = None,
        /// What is filtered before memories are added; the store's if absent.
        reflection: Option<MemoryReflection> = None,
    }
}

contract_enum! {
    /// What happens to a system prompt that is there already.
    pub enum SystemPromptMode {
        /// It follows the plugin's.
        Insert = "insert" | "",
        /// It goes before the plugin's.
        Append = "append",
        /// It is replaced.
        Replace = "replace",
    }

    /// What happens when something was found in an answer.
    pub enum FindingAction {
        /// A header says so.
        Header = "header" | "annotate" | "warn" | "",
        /// The answer says so.
        Body = "body",
        /// Nothing.
        Nothing = "none",
    }

    /// What happens to an answer that gives in to an attack.
    pub enum ResponseJailbreakAction {
        /// A header says so.
        Header = "header" | "",
        /// It is replaced by an error.
        Block = "block",
        /// Nothing.
        Nothing = "none",
    }
}

/// Declares the plugin types: `Variant(Payload) = "type" | "alias"`.
macro_rules! plugins {
    ($(
        #[doc = $doc:literal]
        $variant:ident($payload:ty) = $word:literal $(| $alias:literal)*
    ),* $(,)?) => {
        contract_enum! {
            /// A plugin type.
            pub enum PluginKind {
                $(#[doc = $doc] $variant = $word $(| $alias)*,)*
            }
        }

        /// Something else that happens to a request or its answer: a type, and its settings.
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(tag = "type", content = "configuration")]
        pub enum Plugin {
            $(
                #[doc = $doc]
                #[serde(rename = $word)]
                $variant($payload),
            )*
        }

        impl Plugin {
            /// The type.
            pub const fn kind(&self) -> PluginKind {
                match self { $(Self::$variant(_) => PluginKind::$variant,)* }
            }

            fn read(
                kind: PluginKind,
                configuration: &crate::node::Node,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Self {
                use crate::decode::Contract;
                match kind {
                    $(PluginKind::$variant => Self::$variant(
                        <$payload>::decode(configuration, decoder).unwrap_or_else(<$payload>::placeholder),
                    ),)*
                }
            }

            fn schemas(schemas: &mut crate::decode::Schemas) -> Vec<serde_json::Value> {
                vec![$(Self::schema_of(
                    $doc,
                    &[$word $(, $alias)*],
                    &<$payload as crate::decode::Contract>::schema(schemas),
                ),)*]
            }

            fn feed_payload(&self, fingerprint: &mut crate::fingerprint::Fingerprint) {
                match self {
                    $(Self::$variant(payload) => {
                        crate::decode::Contract::feed(payload, fingerprint);
                    })*
                }
            }
        }
    };
}

plugins! {
    /// Answers at once, without a model.
    FastResponse(FastResponsePlugin) = "fast_response",
    /// Looks for statements that the context does not support.
    Hallucination(HallucinationPlugin) = "hallucination",
    /// Changes the headers of the upstream request.
    HeaderMutation(HeaderMutationPlugin) = "header_mutation",
    /// Makes images.
    ImageGen(ImageGenPlugin) = "image_gen",
    /// Remembers users.
    Memory(MemoryPlugin) = "memory",
    /// Adds retrieved text.
    Rag(RagPlugin) = "rag",
    /// Bounds the parameters of a request.
    RequestParams(RequestParamsPlugin) = "request_params",
    /// Looks for answers that give in to an attack.
    ResponseJailbreak(ResponseJailbreakPlugin) = "response_jailbreak",
    /// Records the request and its routing.
    RouterReplay(RouterReplayPlugin) = "router_replay",
    /// Answers from earlier answers to similar requests.
    SemanticCache(SemanticCachePlugin) = "semantic-cache" | "semantic_cache" | "response_cache",
    /// Puts a system prompt before the conversation.
    SystemPrompt(SystemPromptPlugin) = "system_prompt",
    /// Adds or filters tools.
    ToolSelection(ToolSelectionPlugin) = "tool_selection",
    /// Says which tools pass.
    Tools(ToolsPlugin) = "tools",
}

impl crate::decode::Contract for Plugin {
    fn decode(node: &crate::node::Node, decoder: &mut crate::decode::Decoder<'_>) -> Option<Self> {
        let entries = decoder.entries(node)?;
        for entry in entries {
            if !matches!(entry.key.as_str(), "type" | "configuration") {
                decoder.unknown(entry, &["type", "configuration"]);
            }
        }
        let Some(kind) = node.get("type") else {
            decoder.missing("type");
            return None;
        };
        let kind = decoder.in_key("type", |decoder| PluginKind::decode(kind, decoder))?;
        let empty = crate::node::Node { span: node.span, value: crate::node::Value::Map(Vec::new()) };
        let configuration = node.get("configuration").filter(|value| !value.is_null()).unwrap_or(&empty);
        Some(decoder.in_key("configuration", |decoder| Self::read(kind, configuration, decoder)))
    }

    fn placeholder() -> Self {
        Self::RequestParams(RequestParamsPlugin::default())
    }

    fn schema(schemas: &mut crate::decode::Schemas) -> serde_json::Value {
        schemas.define("Plugin", |schemas| serde_json::json!({ "oneOf": Self::schemas(schemas) }))
    }

    fn feed(&self, fingerprint: &mut crate::fingerprint::Fingerprint) {
        fingerprint.text(self.kind().as_str());
        self.feed_payload(fingerprint);
    }
}

impl Plugin {
    /// Whether it is on. A type without the key `enabled` is on by being there.
    pub const fn is_enabled(&self) -> bool {
        match self {
            Self::FastResponse(_) | Self::HeaderMutation(_) | Self::RequestParams(_) => true,
            Self::Hallucination(plugin) => plugin.enabled,
            Self::ImageGen(plugin) => plugin.enabled,
            Self::Memory(plugin) => plugin.enabled,
            Self::Rag(plugin) => plugin.enabled,
            Self::ResponseJailbreak(plugin) => plugin.enabled,
            Self::RouterReplay(plugin) => plugin.enabled,
            Self::SemanticCache(plugin) => plugin.enabled,
            Self::SystemPrompt(plugin) => plugin.enabled,
            Self::ToolSelection(plugin) => plugin.enabled,
            Self::Tools(plugin) => plugin.enabled,
        }
    }

    fn schema_of(doc: &str, words: &[&str], configuration: &serde_json::Value) -> serde_json::Value {
        serde_json::json!({
            "type": "object",
            "description": doc.trim(),
            "properties": { "type": { "enum": words }, "configuration": configuration },
            "required": ["type"],
            "additionalProperties": false,
        })
    }
}
