//! The native HTTP data plane: listeners, who is at the door, requests in, answers and streams out, drain.
//!
//! It knows how bytes travel and nothing of how a route is chosen: [`vsr_router::Router::route`] decides, this crate
//! does what it says. Worker threads share nothing on the path of a request: each has its own runtime, its own
//! connections to clients and its own pool of connections to backends.

mod accept;
mod activity;
mod answer;
mod bind;
mod body;
mod chat;
mod compress;
mod connection;
mod count;
mod door;
mod error;
mod events;
mod failure;
mod forward;
mod framing;
mod gateway;
mod guard;
mod header_rules;
mod headers;
mod health_checks;
mod http2;
mod listener;
mod listeners;
mod models;
mod pass_through;
mod ping;
mod refusal;
mod relay;
mod request_id;
mod responses;
mod service;
mod status;
mod tls;
mod transport;
mod turn;
mod worker;

pub use error::BindError;
pub use gateway::{Gateway, GatewayOptions};
pub use listeners::{Listeners, NewListeners};
pub use status::{Download, Phase, Status};
