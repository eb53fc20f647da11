//! `global`: everything that is not routing policy.

mod embeddings;
mod integrations;
mod knowledge_bases;
mod model_catalog;
mod model_selection;
mod modules;
mod observability;
mod postgres;
mod router;
mod services;
mod stores;
mod vector_backends;

pub use embeddings::*;
pub use integrations::*;
pub use knowledge_bases::*;
pub use model_catalog::*;
pub use model_selection::*;
pub use modules::*;
pub use observability::*;
pub use postgres::*;
pub use router::*;
pub use services::*;
pub use stores::*;
pub use vector_backends::*;

use crate::contract_macro::contract;

contract! {
    /// Everything that is not routing policy.
    pub struct Global {
        /// The router itself.
        router: RouterSettings = RouterSettings::default(),
        /// Services of the process.
        services: Services = Services::default(),
        /// Where things are kept.
        stores: Stores = Stores::default(),
        /// Other parts that requests pass through.
        integrations: Integrations = Integrations::default(),
        /// Models and knowledge bases of the router itself.
        model_catalog: ModelCatalog = ModelCatalog::default(),
    }
}
