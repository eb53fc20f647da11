//! The paths of stored responses and conversations.

/// What a path stands for. Ids are as written; those of another form than the router's own name nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'p> {
    Response(&'p str),
    InputItems(&'p str),
    Cancel(&'p str),
    Conversations,
    Conversation(&'p str),
    ConversationItems(&'p str),
    ConversationItem(&'p str, &'p str),
}

// === impl Place ===

impl<'p> Place<'p> {
    pub(crate) fn of(path: &'p str) -> Option<Self> {
        let mut parts = path.strip_prefix("/v1/")?.split('/');
        let (kind, id, sub, item) = (parts.next()?, parts.next(), parts.next(), parts.next());
        if parts.next().is_some() {
            return None;
        }
        Some(match (kind, id, sub, item) {
            ("responses", Some(id), None, None) => Self::Response(id),
            ("responses", Some(id), Some("input_items"), None) => Self::InputItems(id),
            ("responses", Some(id), Some("cancel"), None) => Self::Cancel(id),
            ("conversations", None, None, None) => Self::Conversations,
            ("conversations", Some(id), None, None) => Self::Conversation(id),
            ("conversations", Some(id), Some("items"), None) => Self::ConversationItems(id),
            ("conversations", Some(id), Some("items"), Some(item)) => Self::ConversationItem(id, item),
            _ => return None,
        })
    }

    /// The methods it takes.
    pub(crate) fn allowed(self) -> &'static str {
        match self {
            Self::Response(_) => "GET, DELETE",
            Self::InputItems(_) | Self::ConversationItem(..) => "GET",
            Self::Cancel(_) | Self::Conversations => "POST",
            Self::Conversation(_) => "GET, POST, DELETE",
            Self::ConversationItems(_) => "GET, POST",
        }
    }
}
