//! The bodies of `GET /v1/models` and `GET /v1/models/{id}`.

use bytes::Bytes;
use serde::Serialize;

/// A model that clients can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name to send as `model`.
    pub id: String,
    /// Who owns it.
    pub owned_by: String,
    /// Since when it is served, in seconds since the epoch.
    pub created_seconds: u64,
    /// What it is for.
    pub description: Option<String>,
    /// Where its logo is.
    pub logo_url: Option<String>,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Wire<'a>>,
}

#[derive(Serialize)]
struct Wire<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_url: Option<&'a str>,
}

/// The list of `models`, in their order.
pub fn model_list(models: &[ModelEntry]) -> Bytes {
    to_json(&List { object: "list", data: models.iter().map(ModelEntry::wire).collect() })
}

// === impl ModelEntry

impl ModelEntry {
    /// The body that describes this model alone.
    pub fn to_body(&self) -> Bytes {
        to_json(&self.wire())
    }

    fn wire(&self) -> Wire<'_> {
        Wire {
            id: &self.id,
            object: "model",
            created: self.created_seconds,
            owned_by: &self.owned_by,
            description: self.description.as_deref(),
            logo_url: self.logo_url.as_deref(),
        }
    }
}

/// Serialises one of this crate's own body types.
#[expect(clippy::expect_used, reason = "structs of strings and numbers with plain keys always serialise")]
pub(crate) fn to_json(body: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(body).expect("a body of strings and numbers"))
}
