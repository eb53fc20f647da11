//! The formats of well-known keys: a prefix, and what may follow it.

/// What the characters after a prefix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Capital letters and digits.
    Capital,
    /// Letters, digits, `-` and `_`.
    Url,
    /// Lower-case hexadecimal digits.
    Hex,
    /// Letters, digits, `-`, `_` and `.`.
    Dotted,
}

/// A key format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// How every such key begins.
    pub(super) prefix: &'static str,
    pub(super) alphabet: Alphabet,
    /// How many characters follow at least.
    pub(super) least: usize,
    /// How many follow at most.
    pub(super) most: usize,
}

const fn format(prefix: &'static str, alphabet: Alphabet, least: usize, most: usize) -> Format {
    Format { prefix, alphabet, least, most }
}

/// Where prefixes share a beginning, the longer one comes first.
pub(super) const FORMATS: &[Format] = &[
    // Anthropic, OpenRouter, OpenAI.
    format("sk-ant-", Alphabet::Url, 24, 200),
    format("sk-or-v1-", Alphabet::Hex, 64, 64),
    format("sk-proj-", Alphabet::Url, 24, 240),
    format("sk-svcacct-", Alphabet::Url, 24, 240),
    format("sk-admin-", Alphabet::Url, 24, 240),
    format("sk-", Alphabet::Alphanumeric, 32, 64),
    // AWS.
    format("AKIA", Alphabet::Capital, 16, 16),
    format("ASIA", Alphabet::Capital, 16, 16),
    format("ABIA", Alphabet::Capital, 16, 16),
    format("ACCA", Alphabet::Capital, 16, 16),
    // GitHub.
    format("github_pat_", Alphabet::Url, 70, 100),
    format("ghp_", Alphabet::Alphanumeric, 36, 255),
    format("gho_", Alphabet::Alphanumeric, 36, 255),
    format("ghu_", Alphabet::Alphanumeric, 36, 255),
    format("ghs_", Alphabet::Alphanumeric, 36, 255),
    format("ghr_", Alphabet::Alphanumeric, 36, 255),
    // GitLab.
    format("glpat-", Alphabet::Url, 20, 64),
    format("gldt-", Alphabet::Url, 20, 64),
    format("glrt-", Alphabet::Url, 20, 64),
    format("glcbt-", Alphabet::Url, 20, 64),
    // Slack.
    format("xoxb-", Alphabet::Url, 20, 200),
    format("xoxp-", Alphabet::Url, 20, 200),
    format("xoxa-", Alphabet::Url, 20, 200),
    format("xoxr-", Alphabet::Url, 20, 200),
    format("xoxs-", Alphabet::Url, 20, 200),
    format("xapp-", Alphabet::Url, 20, 200),
    // Google.
    format("AIza", Alphabet::Url, 35, 35),
    format("GOCSPX-", Alphabet::Url, 28, 28),
    format("ya29.", Alphabet::Dotted, 20, 512),
    // Stripe.
    format("sk_live_", Alphabet::Alphanumeric, 16, 128),
    format("sk_test_", Alphabet::Alphanumeric, 16, 128),
    format("rk_live_", Alphabet::Alphanumeric, 16, 128),
    format("rk_test_", Alphabet::Alphanumeric, 16, 128),
    format("whsec_", Alphabet::Alphanumeric, 24, 128),
    // Hugging Face, Replicate, Groq, xAI, Perplexity, Cohere-style and others.
    format("hf_", Alphabet::Alphanumeric, 30, 64),
    format("api_org_", Alphabet::Alphanumeric, 30, 64),
    format("r8_", Alphabet::Alphanumeric, 37, 40),
    format("gsk_", Alphabet::Alphanumeric, 48, 56),
    format("xai-", Alphabet::Alphanumeric, 64, 96),
    format("pplx-", Alphabet::Alphanumeric, 40, 64),
    format("nvapi-", Alphabet::Url, 40, 80),
    // npm, PyPI, SendGrid, DigitalOcean, Databricks, Shopify, Twilio, Doppler, Vault.
    format("npm_", Alphabet::Alphanumeric, 36, 36),
    format("pypi-AgEI", Alphabet::Url, 50, 512),
    format("SG.", Alphabet::Dotted, 60, 80),
    format("dop_v1_", Alphabet::Hex, 64, 64),
    format("dapi", Alphabet::Hex, 32, 32),
    format("shpat_", Alphabet::Hex, 32, 32),
    format("SK", Alphabet::Hex, 32, 32),
    format("dp.pt.", Alphabet::Alphanumeric, 40, 48),
    format("hvs.", Alphabet::Url, 24, 200),
];

// === impl Alphabet

impl Alphabet {
    /// Whether `byte` is one of its characters.
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Capital => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
        }
    }
}
