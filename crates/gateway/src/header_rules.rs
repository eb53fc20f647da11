//! What a listener's configuration says of headers that pass, beside what holds by default.

/// The rules of one listener.
#[derive(Debug, Default)]
pub(crate) struct HeaderRules {
    request_allow: Vec<Pattern>,
    request_deny: Vec<Pattern>,
    response_allow: Vec<Pattern>,
    response_deny: Vec<Pattern>,
}

/// Names of headers, in lower case.
#[derive(Debug)]
enum Pattern {
    Name(String),
    Prefix(String),
}

// === impl HeaderRules ===

impl HeaderRules {
    pub(crate) fn new(rules: &vsr_config::HeaderRules) -> Self {
        let read = |list: &[String]| list.iter().map(|written| Pattern::of(written)).collect();
        Self {
            request_allow: read(&rules.request_allow),
            request_deny: read(&rules.request_deny),
            response_allow: read(&rules.response_allow),
            response_deny: read(&rules.response_deny),
        }
    }

    /// Whether a client's header reaches backends; `by_default` is what holds without a rule.
    pub(crate) fn passes_request(&self, name: &str, by_default: bool) -> bool {
        !matches(&self.request_deny, name) && (by_default || matches(&self.request_allow, name))
    }

    /// Whether a backend's header reaches clients; `by_default` is what holds without a rule.
    pub(crate) fn passes_response(&self, name: &str, by_default: bool) -> bool {
        !matches(&self.response_deny, name) && (by_default || matches(&self.response_allow, name))
    }
}

fn matches(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern {
        Pattern::Name(known) => known == name,
        Pattern::Prefix(start) => name.starts_with(start.as_str()),
    })
}

// === impl Pattern ===

impl Pattern {
    fn of(written: &str) -> Self {
        let name = written.to_ascii_lowercase();
        match name.strip_suffix('*') {
            Some(start) => Self::Prefix(start.to_owned()),
            None => Self::Name(name),
        }
    }
}
