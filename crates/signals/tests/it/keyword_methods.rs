//! Keyword rules that find words nearly: fuzzy, BM25, n-grams.

use vsr_types::SignalFamily::Keyword;

use crate::policy::Policy;

fn rule(fields: &str) -> Policy {
    Policy::signals(&format!("keywords: [{{name: k, {fields}}}]"))
}

#[test]
fn fuzzy_keywords_are_found_a_few_edits_away() {
    let policy = rule("keywords: [urgent], fuzzy_match: true");
    assert!(policy.on("this is urgnt!").matched(Keyword, "k"));
    assert_eq!(policy.on("this is URGNET").notes(Keyword, "k"), ["urgnet ~ urgent"]);
    assert_eq!(policy.on("this is Urgent").notes(Keyword, "k"), ["urgent"]);
    assert!(!policy.on("this is urban").matched(Keyword, "k"));
}

#[test]
fn the_fuzzy_method_is_literal_and_fuzzy() {
    let policy = rule("keywords: [password], method: fuzzy, fuzzy_threshold: 1");
    assert!(policy.on("my passwrd").matched(Keyword, "k"));
    assert!(policy.on("my password").matched(Keyword, "k"));
    assert!(!policy.on("my passwd").matched(Keyword, "k"));
}

#[test]
fn fuzzy_phrases_are_compared_with_as_many_words() {
    let policy = rule("keywords: [social security], method: fuzzy, fuzzy_threshold: 82");
    assert_eq!(
        policy.on("my socail-security number").notes(Keyword, "k"),
        ["socail security ~ social security"]
    );
    assert!(!policy.on("social networks and security").matched(Keyword, "k"));
}

#[test]
fn large_fuzzy_thresholds_are_percentages_of_similarity() {
    // 1 edit in 8 letters is 87 percent, 2 are 75.
    let policy = rule("keywords: [password], method: fuzzy, fuzzy_threshold: 82");
    assert!(policy.on("passwort").matched(Keyword, "k"));
    assert!(!policy.on("passwd").matched(Keyword, "k"));
}

#[test]
fn short_fuzzy_keywords_are_not_found_everywhere() {
    let policy = rule("keywords: [ai, sql], fuzzy_match: true");
    assert!(!policy.on("it is a fine day").matched(Keyword, "k"));
    assert!(policy.on("an AI").matched(Keyword, "k"));
    assert!(policy.on("some sqk").matched(Keyword, "k"));
    assert!(!policy.on("some sky").matched(Keyword, "k"));
}

#[test]
fn a_fuzzy_threshold_that_is_neither_is_warned_about() {
    let policy = rule("keywords: [urgent], fuzzy_match: true, fuzzy_threshold: 5");
    assert_eq!(
        policy.problems(),
        [
            "routing.signals.keywords[0].fuzzy_threshold: 5 is neither a number of edits (0 to 2) nor a percentage of similarity (50 to 100); 2 edits are used"
        ]
    );
}

#[test]
fn fuzzy_match_works_with_plain_regexes_only() {
    let policy = rule(r#"method: regex, fuzzy_match: true, keywords: [urgent, "immediat(e|ely)"]"#);
    assert!(policy.on("urgnt").matched(Keyword, "k"));
    assert!(!policy.on("imediately").matched(Keyword, "k"));
}

#[test]
fn bm25_finds_inflected_words() {
    let policy = rule("method: bm25, keywords: [machine learning, gradient, classifier]");
    let found = policy.on("How do I compute the gradients?");
    let [note] = found.notes(Keyword, "k")[..] else { panic!("one keyword") };
    assert!(note.starts_with("gradient bm25 "), "{note}");
    assert!(policy.on("Classifiers are fun").matched(Keyword, "k"));
    assert!(policy.on("the machines").matched(Keyword, "k"));
    assert!(!policy.on("How are you?").matched(Keyword, "k"));
}

#[test]
fn bm25_scores_are_those_of_the_formula() {
    // Five documents of one term; n = 1: idf = ln(1 + 4.5 / 1.5), term weight 1, for one occurrence.
    let score = (1.0f64 + 4.5 / 1.5).ln();
    let rule_at = |threshold: f64| {
        rule(&format!(
            "method: bm25, bm25_threshold: {threshold}, keywords: [code, function, debug, algorithm, refactor]"
        ))
    };
    assert!(rule_at(score - 1e-6).on("debugging").matched(Keyword, "k"));
    assert!(!rule_at(score + 1e-6).on("debugging").matched(Keyword, "k"));
    assert!(rule_at(2.0 * score - 1e-6).on("debug, debugged").matched(Keyword, "k"));
}

#[test]
fn bm25_ignores_stop_words_and_says_so() {
    let policy = rule("method: bm25, keywords: [to be or not to be, code]");
    assert!(policy.problems()[0].contains("`to be or not to be` has only words that BM25 leaves out"));
    assert!(!policy.on("to be").matched(Keyword, "k"));
}

#[test]
fn bm25_reads_chinese_by_pairs_of_characters() {
    let policy = rule("method: bm25, keywords: [合规分析, 法律风险, 税]");
    assert!(policy.on("请做一个合规检查").matched(Keyword, "k"));
    assert!(policy.on("交税了").matched(Keyword, "k"));
    assert!(!policy.on("这个方法合适吗").matched(Keyword, "k"));
}

#[test]
fn bm25_ignores_accents() {
    assert!(rule("method: bm25, keywords: [résumé]").on("my resume").matched(Keyword, "k"));
    assert!(rule("method: bm25, keywords: [resume]").on("my Résumés").matched(Keyword, "k"));
}

#[test]
fn ngrams_find_similar_words() {
    let policy = rule("method: ngram, keywords: [urgent, immediate, asap, emergency]");
    assert!(policy.on("this is urgnt").matched(Keyword, "k"));
    assert!(policy.on("an emergancy").matched(Keyword, "k"));
    assert!(!policy.on("a calm day").matched(Keyword, "k"));
    assert_eq!(policy.on("URGENT!").notes(Keyword, "k"), ["urgent"]);
}

#[test]
fn ngram_similarity_is_that_of_the_formula() {
    // "tomato" and "tomacco" have 7 and 8 padded bigrams, of which " t", "to", "om", "ma" and "o " are
    // shared, so 10 in all: 1 - (5 / 10)^2.
    let rule_at = |threshold: f64| {
        rule(&format!("method: ngram, ngram_arity: 2, ngram_threshold: {threshold}, keywords: [tomato]"))
    };
    assert!(rule_at(0.7499).on("tomacco").matched(Keyword, "k"));
    assert!(!rule_at(0.7501).on("tomacco").matched(Keyword, "k"));
}

#[test]
fn ngram_phrases_are_compared_with_as_many_words() {
    let policy = rule("method: ngram, ngram_threshold: 0.8, keywords: [neural network]");
    assert!(policy.on("we train a neurall network today").matched(Keyword, "k"));
    assert!(!policy.on("the neural pathways").matched(Keyword, "k"));
    assert!(policy.on("the neural network").matched(Keyword, "k"));
}

#[test]
fn ngrams_may_respect_case() {
    let policy = rule("method: ngram, case_sensitive: true, ngram_threshold: 0.9, keywords: [NASA]");
    assert!(policy.on("at NASA now").matched(Keyword, "k"));
    assert!(!policy.on("at nasa now").matched(Keyword, "k"));
}

#[test]
fn settings_of_other_methods_are_warned_about() {
    let policy = rule("keywords: [a], bm25_threshold: 0.2, ngram_arity: 3, fuzzy_threshold: 1");
    assert_eq!(
        policy.problems(),
        [
            "routing.signals.keywords[0].bm25_threshold: `bm25_threshold` has no effect with `method: literal`",
            "routing.signals.keywords[0].ngram_arity: `ngram_arity` has no effect with `method: literal`",
            "routing.signals.keywords[0].fuzzy_threshold: `fuzzy_threshold` has no effect without `fuzzy_match: true`",
        ]
    );
}

#[test]
fn thresholds_out_of_range_are_errors() {
    let policy = Policy::unchecked(
        "
keywords:
  - {name: a, method: ngram, keywords: [x], ngram_threshold: 1.5}
  - {name: b, method: ngram, keywords: [x], ngram_arity: 9}
  - {name: c, method: bm25, keywords: [x], bm25_threshold: -1}",
    );
    assert_eq!(
        policy.problems(),
        [
            "routing.signals.keywords[0].ngram_threshold: 1.5 is not between 0 and 1",
            "routing.signals.keywords[1].ngram_arity: 9 is too long for n-grams; use 2 to 6",
            "routing.signals.keywords[2].bm25_threshold: -1 is negative; leave it out for the default, 0.1",
        ]
    );
}
