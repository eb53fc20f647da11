//! `global.router`: the router itself.

use crate::{
    contract::Strategy,
    contract_macro::{contract, contract_enum},
    scalars::Expanded,
};

use super::ModelSelection;

contract! {
    /// The router itself.
    pub struct RouterSettings {
        /// Where routing comes from.
        config_source: ConfigSource = ConfigSource::File,
        /// How one of several matching decisions is picked.
        strategy: Option<Strategy> = None,
        /// The model name that asks the router to choose, beside `auto`.
        auto_model_name: String = "MoM".into(),
        /// All names that ask the router to choose; replaces `auto` and `auto_model_name`.
        auto_model_names: Option<Vec<String>> = None,
        /// Whether `/v1/models` lists the model cards too.
        include_config_models_in_list: bool = false,
        /// Whether a proxy in front chooses its route anew after the model changed.
        clear_route_cache: bool = true,
        /// How request bodies are taken in by a proxy in front.
        streamed_body: StreamedBody = StreamedBody::default(),
        /// Whether a request header may switch the router off.
        skip_processing: SkipProcessing = SkipProcessing::default(),
        /// Settings that decisions' algorithms inherit.
        model_selection: ModelSelection = ModelSelection::default(),
        /// The release whose known defects are reproduced for policies tuned on them.
        compatibility: Option<Compatibility> = None,
        /// Whether clients may name a model themselves.
        explicit_models: ExplicitModels = ExplicitModels::Allow,
        /// Which losses of translation between protocols are refused; none by default.
        strict_translation: StrictTranslation = StrictTranslation::default(),
        /// Where learned state is kept.
        state_dir: Expanded = Expanded(".vllm-sr".into()),
        /// Threads that serve requests; one for each processor core if absent.
        worker_threads: Option<u32> = None,
    }

    /// Which losses of translation between protocols are refused, before the backend is called.
    pub struct StrictTranslation {
        /// Whatever is at least this bad.
        refuse_from: Option<LossSeverity> = None,
        /// These losses by their codes, however bad they are.
        refuse: Vec<String> = Vec::new(),
    }

    /// How request bodies are taken in by a proxy in front.
    pub struct StreamedBody {
        /// Whether they come in parts.
        enabled: bool = false,
        /// The largest body; 0 is the listener's bound.
        max_bytes: u64 = 0,
        /// The time a body may take; 0 is the listener's bound.
        timeout_sec: u64 = 0,
    }

    /// Whether a request header may switch the router off.
    pub struct SkipProcessing {
        /// Whether `x-vsr-skip-processing` is obeyed.
        enabled: bool = false,
    }
}

contract_enum! {
    /// Where routing comes from.
    pub enum ConfigSource {
        /// This file.
        File = "file" | "",
        /// Kubernetes resources.
        Kubernetes = "kubernetes",
    }

    /// A release whose known defects are reproduced.
    pub enum Compatibility {
        /// The public v0.3 release.
        V0_3 = "v0.3",
    }

    /// How bad a loss of translation is.
    pub enum LossSeverity {
        /// Said in another way, or without effect on the answer.
        Info = "info",
        /// Something that the client asked for does not happen.
        Lossy = "lossy",
        /// Something is wrong with the request itself.
        Error = "error",
    }

    /// Whether clients may name a model themselves.
    pub enum ExplicitModels {
        /// Any configured model.
        Allow = "allow",
        /// Only models that some decision lists.
        Listed = "listed",
        /// None: every request is routed.
        Deny = "deny",
    }
}
