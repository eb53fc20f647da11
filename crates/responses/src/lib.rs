//! Stored responses and conversations: who owns them, how turns are chained, what is kept and for how long.
//!
//! A stored response holds its own turn, the client's items and the model's, and a link to the turn before it. A chain is
//! walked back link by link, never deeper than [`MAX_DEPTH`]. A conversation is a name for the newest turn of a chain, so
//! that both are read by the same code. Everything is kept under its [`Owner`]: what another owner asks for cannot be
//! told from what does not exist.
//!
//! Writing is done by one thread of its own, many changes in one transaction; see [`Responses`].

mod book;
mod draft;
mod error;
mod history;
mod ids;
mod items;
mod keeper;
mod named;
mod owner;
mod progress;
mod record;
mod responses;

pub use book::Bounds;
pub use draft::Draft;
pub use error::{Error, HistoryError};
pub use history::{History, HistoryLimits, MAX_DEPTH, is_self_contained};
pub use ids::{ResponseId, conversation_id, is_conversation_id, is_response_id};
pub use items::{Page, PageQuery, Referenced, listed, page, referenced_response, unnamed};
pub use keeper::{Event, Kept};
pub use owner::Owner;
pub use progress::Progress;
pub use record::{Conversation, Items, Record, Upstream};
pub use responses::Responses;
