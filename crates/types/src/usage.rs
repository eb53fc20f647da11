//! What an answer cost in tokens.

use serde::{Deserialize, Serialize};

/// Token counts of one answer, as the backend reported them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    pub prompt_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub completion_tokens: u64,
    /// Tokens of the request that the backend took from its prefix cache.
    pub cached_tokens: u64,
    /// Tokens of the answer spent on reasoning.
    pub reasoning_tokens: u64,
}

// === impl Usage

impl Usage {
    /// Prompt and completion tokens together.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}
