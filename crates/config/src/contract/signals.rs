//! `routing.signals`: the rules of the eighteen families.

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::TokenCount,
};

contract! {
    /// The evidence to collect, by family.
    pub struct Signals {
        /// Words and phrases.
        keywords: Vec<KeywordRule> = Vec::new(),
        /// Similarity to examples.
        embeddings: Vec<EmbeddingRule> = Vec::new(),
        /// Subject areas.
        domains: Vec<DomainRule> = Vec::new(),
        /// Need for factual verification.
        fact_check: Vec<LearnedRule> = Vec::new(),
        /// What the user thinks of the previous answer.
        user_feedbacks: Vec<LearnedRule> = Vec::new(),
        /// The user asks the same again.
        reasks: Vec<ReaskRule> = Vec::new(),
        /// How the user likes answers.
        preferences: Vec<PreferenceRule> = Vec::new(),
        /// Languages.
        language: Vec<LanguageRule> = Vec::new(),
        /// Token counts.
        context: Vec<ContextRule> = Vec::new(),
        /// The shape of the text.
        structure: Vec<StructureRule> = Vec::new(),
        /// Difficulty.
        complexity: Vec<ComplexityRule> = Vec::new(),
        /// Text, image generation, or both.
        modality: Vec<LearnedRule> = Vec::new(),
        /// Roles of users and groups.
        role_bindings: Vec<RoleBinding> = Vec::new(),
        /// Prompt injection.
        jailbreak: Vec<JailbreakRule> = Vec::new(),
        /// Personal data.
        pii: Vec<PiiRule> = Vec::new(),
        /// Knowledge bases.
        kb: Vec<KbRule> = Vec::new(),
        /// The shape of the conversation.
        conversation: Vec<ConversationRule> = Vec::new(),
        /// Operational events.
        events: Vec<EventRule> = Vec::new(),
    }

    /// A rule over words and phrases.
    pub struct KeywordRule {
        /// Its name.
        name: String,
        /// How keywords combine.
        operator: KeywordOperator = KeywordOperator::Or,
        /// What is looked for.
        keywords: Vec<String>,
        /// Whether letter case matters.
        case_sensitive: bool = false,
        /// How a keyword is compared.
        method: KeywordMethod = KeywordMethod::Literal,
        /// Whether words a few edits away count; the same as `method: fuzzy`.
        fuzzy_match: bool = false,
        /// The most edits of a fuzzy match; values above 2 are taken as a percentage of similarity.
        fuzzy_threshold: Option<u32> = None,
        /// The BM25 score from which a keyword counts; 0.1 if absent or 0.
        bm25_threshold: Option<f64> = None,
        /// The n-gram similarity from which a keyword counts; 0.4 if absent or 0.
        ngram_threshold: Option<f64> = None,
        /// The length of the n-grams; 3 if absent or 0.
        ngram_arity: Option<u32> = None,
        /// For people.
        description: Option<String> = None,
    }

    /// A rule over similarity to examples.
    pub struct EmbeddingRule {
        /// Its name.
        name: String,
        /// The score from which it matches.
        threshold: f64 = 0.0,
        /// The examples.
        candidates: Vec<String> = Vec::new(),
        /// How similarities become a score.
        aggregation_method: AggregationMethod = AggregationMethod::Blend,
        /// What the query is taken from.
        query_modality: QueryModality = QueryModality::Text,
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
        /// For people.
        description: Option<String> = None,
    }

    /// A subject area.
    pub struct DomainRule {
        /// Its name.
        name: String,
        /// For people.
        description: Option<String> = None,
        /// The MMLU categories it stands for; its own name if that is one.
        mmlu_categories: Vec<String> = Vec::new(),
        /// Model scores of the legacy static selector.
        model_scores: Vec<ModelScore> = Vec::new(),
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
    }

    /// A model's score in a domain.
    pub struct ModelScore {
        /// The model.
        model: String,
        /// Its score.
        score: f64,
        /// Whether it should reason.
        use_reasoning: bool = false,
    }

    /// A rule that names a class of a classifier.
    pub struct LearnedRule {
        /// The class.
        name: String,
        /// For people.
        description: Option<String> = None,
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
    }

    /// A rule over repeated questions.
    pub struct ReaskRule {
        /// Its name.
        name: String,
        /// For people.
        description: Option<String> = None,
        /// The similarity from which two turns count as the same; 0.8 if absent or 0.
        threshold: Option<f64> = None,
        /// How many turns in a row must be similar; 1 if absent or 0.
        lookback_turns: Option<u32> = None,
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
    }

    /// A rule over how the user likes answers.
    pub struct PreferenceRule {
        /// Its name.
        name: String,
        /// What it stands for; also an example.
        description: Option<String> = None,
        /// Examples.
        examples: Vec<String> = Vec::new(),
        /// The score from which it matches.
        threshold: Option<f64> = None,
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
    }

    /// A language.
    pub struct LanguageRule {
        /// Its ISO 639-1 code.
        name: String,
        /// For people.
        description: Option<String> = None,
        /// The confidence from which it matches; 0.3 if absent or 0.
        threshold: Option<f64> = None,
    }

    /// A range of token counts.
    pub struct ContextRule {
        /// Its name.
        name: String,
        /// At least so many.
        min_tokens: Option<TokenCount> = None,
        /// At most so many; unbounded if absent.
        max_tokens: Option<TokenCount> = None,
        /// For people.
        description: Option<String> = None,
    }

    /// A rule over the shape of the text.
    pub struct StructureRule {
        /// Its name.
        name: String,
        /// For people.
        description: Option<String> = None,
        /// What is measured.
        feature: StructureFeature,
        /// When it matches; above 0 if absent.
        predicate: Option<Predicate> = None,
    }

    /// What a structure rule measures.
    pub struct StructureFeature {
        /// How it is measured.
        kind as "type": StructureFeatureType,
        /// What is looked for.
        source: StructureSource,
    }

    /// What a structure rule looks for.
    pub struct StructureSource {
        /// What kind of thing.
        kind as "type": StructureSourceType,
        /// The regular expression.
        pattern: Option<String> = None,
        /// The keywords.
        keywords: Vec<String> = Vec::new(),
        /// Markers that must occur in order; any of the lists.
        sequences: Vec<Vec<String>> = Vec::new(),
        /// Whether letter case matters.
        case_sensitive: bool = false,
    }

    /// Bounds on a number.
    pub struct Predicate {
        /// Above this.
        gt: Option<f64> = None,
        /// At least this.
        gte: Option<f64> = None,
        /// Below this.
        lt: Option<f64> = None,
        /// At most this.
        lte: Option<f64> = None,
    }

    /// A rule over difficulty.
    pub struct ComplexityRule {
        /// Its name; it emits `name:easy`, `name:medium` or `name:hard`.
        name: String,
        /// The margin from which a request is hard or easy.
        threshold: Option<f64> = None,
        /// What hard requests look like.
        hard: ComplexityExamples = ComplexityExamples::default(),
        /// What easy requests look like.
        easy: ComplexityExamples = ComplexityExamples::default(),
        /// For people.
        description: Option<String> = None,
        /// A condition without which nothing is emitted.
        composer: Option<RuleNode> = None,
        /// What tells hard from easy; the examples, or the classifier where a rule has none.
        method: Option<ComplexityMethod> = None,
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
    }

    /// Examples of one side of a complexity rule.
    pub struct ComplexityExamples {
        /// Texts.
        candidates: Vec<String> = Vec::new(),
        /// Images.
        image_candidates: Vec<String> = Vec::new(),
    }

    /// A role, and who has it.
    pub struct RoleBinding {
        /// Its name.
        name: String,
        /// The role: what decisions name.
        role: String,
        /// The users and groups who have the role.
        subjects: Vec<Subject>,
        /// For people.
        description: Option<String> = None,
    }

    /// A user or a group.
    pub struct Subject {
        /// Which of the two.
        kind: SubjectKind,
        /// The user's or group's name.
        name: String,
    }

    /// A rule over prompt injection.
    pub struct JailbreakRule {
        /// Its name.
        name: String,
        /// How it is detected.
        method: JailbreakMethod = JailbreakMethod::Classifier,
        /// The score from which it matches.
        threshold: Option<f64> = None,
        /// Whether earlier messages are read.
        include_history: bool = false,
        /// What attacks look like.
        jailbreak_patterns: Vec<String> = Vec::new(),
        /// What harmless requests look like.
        benign_patterns: Vec<String> = Vec::new(),
        /// Whether the rule is unavailable unless it matched or all of the text was read; if absent, what the model has
        /// not seen yet must have been read.
        require_full_scan: Option<bool> = None,
        /// For people.
        description: Option<String> = None,
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
    }

    /// A rule over personal data.
    pub struct PiiRule {
        /// Its name.
        name: String,
        /// The confidence from which an entity counts.
        threshold: Option<f64> = None,
        /// Types that do not count.
        pii_types_allowed: Vec<String> = Vec::new(),
        /// Whether the rule is unavailable unless it matched or all of the text was read; if absent, what the model has
        /// not seen yet must have been read.
        require_full_scan: Option<bool> = None,
        /// Whether earlier messages are read.
        include_history: bool = false,
        /// For people.
        description: Option<String> = None,
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
    }

    /// A rule over a knowledge base.
    pub struct KbRule {
        /// Its name.
        name: String,
        /// The knowledge base.
        kb: String,
        /// What must be near.
        target: KbTarget,
        /// How near.
        matching as "match": KbMatch = KbMatch::Threshold,
        /// For people.
        description: Option<String> = None,
        /// What it counts as when it cannot be evaluated.
        on_error: OnErrorRule = OnErrorRule::Unavailable,
    }

    /// A label or a group of a knowledge base.
    pub struct KbTarget {
        /// Which of the two.
        kind: KbTargetKind,
        /// Its name.
        value: String,
    }

    /// A rule over the shape of the conversation.
    pub struct ConversationRule {
        /// Its name.
        name: String,
        /// For people.
        description: Option<String> = None,
        /// What is counted.
        feature: ConversationFeature,
        /// When it matches; above 0 if absent.
        predicate: Option<Predicate> = None,
    }

    /// What a conversation rule counts.
    pub struct ConversationFeature {
        /// How it is counted.
        kind as "type": ConversationFeatureType,
        /// What is counted.
        source: ConversationSource,
    }

    /// What a conversation rule counts.
    pub struct ConversationSource {
        /// What kind of thing.
        kind as "type": ConversationSourceType,
        /// Whose messages.
        role: Option<ConversationRole> = None,
    }

    /// A rule over operational events.
    pub struct EventRule {
        /// Its name.
        name: String,
        /// For people.
        description: Option<String> = None,
        /// Event types.
        event_types: Vec<String> = Vec::new(),
        /// Words for how severe an event is.
        severities: Vec<Severity> = Vec::new(),
        /// Action codes.
        action_codes: Vec<String> = Vec::new(),
        /// Whether words of urgency count.
        temporal: bool = false,
        /// Whether one criterion is enough or all are needed.
        matching as "match": EventMatch = EventMatch::Any,
        /// How many criteria are needed; wins over `match`.
        min_criteria: Option<u32> = None,
    }

    /// A node of a rule tree: a leaf with a type, or an operator over conditions.
    pub struct RuleNode {
        /// The signal type of a leaf.
        kind as "type": Option<String> = None,
        /// The rule a leaf names.
        name: Option<String> = None,
        /// How the conditions combine.
        operator: Option<RuleOperator> = None,
        /// The conditions.
        conditions: Vec<RuleNode> = Vec::new(),
        /// A leaf's own bounds, on its raw value or else its confidence.
        predicate: Option<Predicate> = None,
        /// What a leaf counts as when its rule cannot be evaluated.
        on_error: Option<OnErrorRule> = None,
    }
}

contract_enum! {
    /// How the keywords of a rule combine.
    pub enum KeywordOperator {
        /// Any.
        Or = "OR",
        /// All.
        And = "AND",
        /// None.
        Nor = "NOR",
    }

    /// How a keyword is compared.
    pub enum KeywordMethod {
        /// Word by word.
        Literal = "literal" | "" | "keyword",
        /// As a regular expression.
        Regex = "regex",
        /// Word by word, a few edits away.
        Fuzzy = "fuzzy",
        /// By BM25 score.
        Bm25 = "bm25",
        /// By n-gram similarity.
        Ngram = "ngram",
    }

    /// How similarities become a score.
    pub enum AggregationMethod {
        /// Best and support, blended.
        Blend = "",
        /// Their mean.
        Mean = "mean",
        /// The highest.
        Max = "max",
        /// Whether any is above the threshold.
        Any = "any",
    }

    /// What a query is taken from.
    pub enum QueryModality {
        /// The text.
        Text = "text" | "",
        /// The first image.
        Image = "image",
        /// The first audio.
        Audio = "audio",
    }

    /// What a rule counts as when it cannot be evaluated.
    pub enum OnErrorRule {
        /// Neither true nor false.
        Unavailable = "unavailable",
        /// As if it had matched.
        Match = "match",
        /// As if it had not matched.
        NoMatch = "no_match",
    }

    /// How a structure feature is measured.
    pub enum StructureFeatureType {
        /// Whether it occurs.
        Exists = "exists",
        /// How often.
        Count = "count",
        /// How often per text unit.
        Density = "density",
        /// Whether markers occur in order.
        Sequence = "sequence",
    }

    /// What a structure rule looks for.
    pub enum StructureSourceType {
        /// A regular expression.
        Regex = "regex",
        /// Keywords.
        KeywordSet = "keyword_set",
        /// Markers in order.
        Sequence = "sequence",
        /// The text's length in bytes.
        TextBytes = "text_bytes",
    }

    /// Whether a subject is a user or a group.
    pub enum SubjectKind {
        /// A user.
        User = "User",
        /// A group.
        Group = "Group",
    }

    /// How prompt injection is detected.
    pub enum JailbreakMethod {
        /// By a classifier.
        Classifier = "classifier" | "",
        /// By similarity to attacks against harmless requests.
        Contrastive = "contrastive",
        /// By the patterns as text.
        Pattern = "pattern",
        /// By all of these.
        Hybrid = "hybrid",
    }

    /// What tells hard requests from easy ones.
    pub enum ComplexityMethod {
        /// Similarity to the examples.
        Contrastive = "contrastive",
        /// The classifier of difficulty.
        Classifier = "classifier",
        /// The mean of both.
        Hybrid = "hybrid",
    }

    /// Whether a knowledge-base rule names a label or a group.
    pub enum KbTargetKind {
        /// A label.
        Label = "label",
        /// A group.
        Group = "group",
    }

    /// How near a knowledge-base target must be.
    pub enum KbMatch {
        /// Above its threshold.
        Threshold = "threshold" | "",
        /// The nearest of all.
        Best = "best",
    }

    /// How a conversation feature is counted.
    pub enum ConversationFeatureType {
        /// How many.
        Count = "count",
        /// Whether any.
        Exists = "exists",
    }

    /// What a conversation rule counts.
    pub enum ConversationSourceType {
        /// Messages.
        Message = "message",
        /// Tools the client declared.
        ToolDefinition = "tool_definition",
        /// Tool calls of the assistant.
        AssistantToolCall = "assistant_tool_call",
        /// Tool results.
        AssistantToolCycle = "assistant_tool_cycle",
        /// Whether the last message is a tool result.
        ActiveToolLoop = "active_tool_loop",
        /// Images.
        ImageContent = "image_content",
    }

    /// Whose messages a conversation rule counts.
    pub enum ConversationRole {
        /// The user's.
        User = "user",
        /// The assistant's.
        Assistant = "assistant",
        /// The system's.
        System = "system",
        /// The developer's.
        Developer = "developer",
        /// Tool results.
        Tool = "tool",
        /// All but the user's.
        NonUser = "non_user",
    }

    /// How severe an event is.
    pub enum Severity {
        /// Critical.
        Critical = "critical",
        /// High.
        High = "high",
        /// Medium.
        Medium = "medium",
        /// Low.
        Low = "low",
    }

    /// Whether one criterion of an event rule is enough.
    pub enum EventMatch {
        /// One is enough.
        Any = "any",
        /// All are needed.
        All = "all",
    }

    /// How conditions combine.
    pub enum RuleOperator {
        /// All.
        And = "AND",
        /// Any.
        Or = "OR",
        /// Not the one.
        Not = "NOT",
    }
}
