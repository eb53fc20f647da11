//! `global`: everything that is not routing policy.

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::Expanded,
};

use super::Strategy;

contract! {
    /// Everything that is not routing policy.
    pub struct Global {
        /// The router itself.
        router: RouterSettings = RouterSettings::default(),
        /// Services of the process.
        services: Services = Services::default(),
    }

    /// The router itself.
    pub struct RouterSettings {
        /// How one of several matching decisions is picked.
        strategy: Option<Strategy> = None,
        /// The model name that asks the router to choose, beside `auto`.
        auto_model_name: String = "MoM".into(),
        /// Whether `/v1/models` lists the model cards too.
        include_config_models_in_list: bool = false,
        /// The release whose known defects are reproduced for policies tuned on them.
        compatibility: Option<Compatibility> = None,
        /// Whether clients may name a model themselves.
        explicit_models: ExplicitModels = ExplicitModels::Allow,
        /// Where learned state is kept.
        state_dir: Expanded = Expanded(".vllm-sr".into()),
    }

    /// Services of the process.
    pub struct Services {
        /// The management API.
        api: ApiService = ApiService::default(),
        /// Who vouches for users.
        authz: AuthzService = AuthzService::default(),
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
    }

    /// Who vouches for users.
    pub struct AuthzService {
        /// Whether requests without a user pass as anonymous where roles matter.
        fail_open: bool = false,
        /// The headers that name users.
        identity: AuthzIdentity = AuthzIdentity::default(),
    }

    /// The headers that name users.
    pub struct AuthzIdentity {
        /// The user.
        user_id_header: String = "x-authz-user-id".into(),
        /// The user's groups, comma-separated.
        user_groups_header: String = "x-authz-user-groups".into(),
    }
}

contract_enum! {
    /// A release whose known defects are reproduced.
    pub enum Compatibility {
        /// The public v0.3 release.
        V0_3 = "v0.3",
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
