//! What holds for all texts and all keywords.

use proptest::prelude::*;
use regex::RegexBuilder;
use vsr_types::SignalFamily::{Keyword, Structure};

use crate::policy::Policy;

fn keyword_policy(keywords: &[String], more: &str) -> Policy {
    let rules: String = keywords
        .iter()
        .enumerate()
        .map(|(index, keyword)| {
            format!("  - {{name: k{index}, keywords: [{}]{more}}}\n", serde_json::json!(keyword))
        })
        .collect();
    Policy::signals(&format!("keywords:\n{rules}"))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every occurrence is tried; texts have no characters whose lower case has another length.
fn naive_literal(keyword: &str, text: &str, case_sensitive: bool) -> bool {
    let lower = |text: &str| if case_sensitive { text.to_owned() } else { text.to_lowercase() };
    let (keyword, text) = (lower(keyword), lower(text));
    (0..text.len()).filter(|start| text.is_char_boundary(*start)).any(|start| {
        let Some(rest) = text[start..].strip_prefix(&keyword) else { return false };
        let before = text[..start].chars().next_back();
        let free = |own: Option<char>, other: Option<char>| {
            !(own.is_some_and(is_word) && other.is_some_and(is_word))
        };
        free(keyword.chars().next(), before) && free(keyword.chars().next_back(), rest.chars().next())
    })
}

fn levenshtein(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            next.push((row[j] + usize::from(l != *r)).min(row[j + 1] + 1).min(next[j] + 1));
        }
        row = next;
    }
    row[right.len()]
}

/// Similarity of padded n-grams, computed with sorted lists.
fn naive_similarity(left: &str, right: &str, arity: usize) -> f64 {
    let grams = |text: &str| {
        let pad = vec![' '; arity - 1];
        let chars: Vec<char> = pad.iter().copied().chain(text.chars()).chain(pad.iter().copied()).collect();
        chars.windows(arity).map(|window| window.iter().collect::<String>()).collect::<Vec<_>>()
    };
    let (left, mut right) = (grams(left), grams(right));
    let total = left.len() + right.len();
    let mut shared = 0;
    for gram in left {
        if let Some(place) = right.iter().position(|other| *other == gram) {
            right.swap_remove(place);
            shared += 1;
        }
    }
    let all = (total - shared) as f64;
    1.0 - ((all - shared as f64) / all).powi(2)
}

/// What expressions are made of, so that the literals they need are found in all ways.
const EXPRESSION_PARTS: [&str; 12] = [
    "[0-9]{2}",
    "[0-9]{1,3}",
    "-",
    r"\$",
    "ab",
    "[ab]",
    "(?:a|-)?",
    "(?:ab|-[0-9])",
    "[0-9]?",
    "(?:-[19])+",
    r"\.",
    r"\b",
];

/// Signs, and letters with and without cases, of which some fold to one another.
const CHARACTERS: [&str; 14] =
    ["?", "？", "\n", " ", "1", ".", "^", "-", "k", "K", "\u{212A}", "ß", "ſ", "甲"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn an_expression_is_found_where_it_matches(
        parts in prop::collection::vec(prop::sample::select(&EXPRESSION_PARTS[..]), 1..6),
        texts in prop::collection::vec("[abAB19.$-]{0,12}", 20),
    ) {
        let expression = parts.concat();
        let naive = RegexBuilder::new(&expression).case_insensitive(true).size_limit(1 << 20).build().unwrap();
        let policy = keyword_policy(&[expression], ", method: regex");
        for text in texts.iter().filter(|text| !text.is_empty()) {
            prop_assert_eq!(policy.on(text).matched(Keyword, "k0"), naive.is_match(text), "{}", text);
        }
    }

    #[test]
    fn the_automaton_finds_what_a_search_per_keyword_finds(
        keywords in prop::collection::vec("[abBé_.+ -]{1,4}", 1..6),
        text in "[abBé_.+ -]{0,40}",
        case_sensitive: bool,
    ) {
        let keywords: Vec<String> = keywords.into_iter().filter(|it| !it.trim().is_empty()).collect();
        prop_assume!(!keywords.is_empty());
        let policy = keyword_policy(&keywords, &format!(", case_sensitive: {case_sensitive}"));
        let found = policy.on(&text);
        for (index, keyword) in keywords.iter().enumerate() {
            let expected = naive_literal(keyword, &text, case_sensitive);
            prop_assert_eq!(found.matched(Keyword, &format!("k{index}")), expected, "{:?} in {:?}", keyword, &text);
        }
    }

    #[test]
    fn fuzzy_finds_what_levenshtein_finds(
        keywords in prop::collection::vec("[abcé]{5,9}", 1..5),
        words in prop::collection::vec("[abcé]{1,11}", 0..12),
        edits in 1usize..=2,
    ) {
        let policy = keyword_policy(&keywords, &format!(", method: fuzzy, fuzzy_threshold: {edits}"));
        let found = policy.on(&words.join(" "));
        for (index, keyword) in keywords.iter().enumerate() {
            let expected = words.iter().any(|word| levenshtein(keyword, word) <= edits);
            prop_assert_eq!(found.matched(Keyword, &format!("k{index}")), expected, "{:?}", keyword);
        }
    }

    #[test]
    fn fuzzy_percentages_find_what_levenshtein_finds(
        keywords in prop::collection::vec("[ab]{3,9} [ab]{3,9}", 1..4),
        words in prop::collection::vec("[ab]{1,9}", 0..12),
        percent in 50usize..=100,
    ) {
        let policy = keyword_policy(&keywords, &format!(", method: fuzzy, fuzzy_threshold: {percent}"));
        let found = policy.on(&words.join(" "));
        for (index, keyword) in keywords.iter().enumerate() {
            let expected = words.windows(2).any(|pair| {
                let window = pair.join(" ");
                let longest = keyword.len().max(window.len());
                100 * (longest - levenshtein(keyword, &window)) >= percent * longest
            });
            prop_assert_eq!(found.matched(Keyword, &format!("k{index}")), expected, "{:?}", keyword);
        }
    }

    #[test]
    fn long_fuzzy_keywords_are_compared_like_short_ones(keyword in "[ab]{60,70}", position in 0usize..60) {
        let mut typed: Vec<char> = keyword.chars().collect();
        typed[position] = 'x';
        let typed: String = typed.into_iter().collect();
        let policy = keyword_policy(&[keyword], ", method: fuzzy, fuzzy_threshold: 1");
        prop_assert!(policy.on(&typed).matched(Keyword, "k0"));
        let twice_typed = format!("{typed}y");
        prop_assert!(!policy.on(&twice_typed).matched(Keyword, "k0"));
    }

    #[test]
    fn ngrams_find_what_the_formula_finds(
        keywords in prop::collection::vec("[abé]{2,7}", 1..5),
        words in prop::collection::vec("[abé]{1,9}", 0..8),
        arity in 2usize..=6,
        percent in 1u32..=100,
    ) {
        let threshold = f64::from(percent) / 100.0;
        let more = format!(", method: ngram, ngram_arity: {arity}, ngram_threshold: {threshold}");
        let policy = keyword_policy(&keywords, &more);
        let text = words.join(" ");
        let found = policy.on(&text);
        for (index, keyword) in keywords.iter().enumerate() {
            let pieces = words.iter().map(String::as_str).chain((!text.is_empty()).then_some(text.as_str()));
            let best = pieces.map(|piece| naive_similarity(keyword, piece, arity)).fold(0.0, f64::max);
            prop_assert_eq!(found.matched(Keyword, &format!("k{index}")), best >= threshold, "{:?} {}", keyword, best);
        }
    }

    #[test]
    fn bm25_finds_exactly_the_words_of_equal_stem(
        base in "[a-eiouy]{0,2}[b-h][a-z]{0,4}|d|l|t|us|hop|organ|abl|sk",
        endings in prop::array::uniform2(prop::sample::select(vec![
            "", "s", "es", "ies", "y", "ying", "ed", "ing", "er", "ly", "ization", "izing", "ability", "ational",
            "ate", "able", "fulness", "ful", "iveness", "e", "'s", "ance", "ancies", "ity", "ogist", "ie", "i",
        ])),
    ) {
        let [keyword, word] = endings.map(|ending| format!("{base}{ending}"));
        let stemmer = rust_stemmers::Stemmer::create(rust_stemmers::Algorithm::English);
        let policy = keyword_policy(std::slice::from_ref(&keyword), ", method: bm25, bm25_threshold: 0.0001");
        // A keyword that is found nowhere consists of stop words.
        prop_assume!(policy.on(&keyword).matched(Keyword, "k0"));
        prop_assume!(keyword_policy(std::slice::from_ref(&word), ", method: bm25").on(&word).matched(Keyword, "k0"));
        let expected = stemmer.stem(&keyword) == stemmer.stem(&word);
        prop_assert_eq!(policy.on(&word).matched(Keyword, "k0"), expected, "{:?} {:?}", keyword, word);
    }

    #[test]
    fn a_regex_with_literals_finds_what_it_finds_without_them(
        literal in "[abk]{3,5}", text in "[abkABK\u{212A} ]{0,30}", optional: bool,
    ) {
        let pattern = if optional { format!("(x|{literal})?{literal}") } else { format!("({literal}|zzz)\\b") };
        // The empty alternative leaves nothing to search for in advance.
        let open = format!("(?:{pattern})|[^\\s\\S]*?(?:{pattern})");
        let with = keyword_policy(&[pattern], ", method: regex");
        let without = keyword_policy(&[open], ", method: regex");
        prop_assert_eq!(with.on(&text).matched(Keyword, "k0"), without.on(&text).matched(Keyword, "k0"));
    }

    #[test]
    fn what_is_remembered_of_words_changes_no_answer(
        // Of the lengths at which words are remembered in other ways, and alike at one of their ends.
        words in prop::collection::vec(
            ("[ab]{0,2}", prop::sample::select(vec![0usize, 5, 9, 11, 13, 14, 25, 29]), "[ab]{1,3}"), 1..40
        ),
    ) {
        let words: Vec<String> = words.into_iter().map(|(head, middle, tail)| head + &"k".repeat(middle) + &tail).collect();
        let keywords: Vec<String> = words.iter().step_by(7).cloned().collect();
        for method in [", method: fuzzy, fuzzy_threshold: 1", ", method: bm25", ", method: ngram, ngram_threshold: 0.7"] {
            let names: Vec<String> = (0..keywords.len()).map(|index| format!("k{index}")).collect();
            let matches = |policy: &Policy, word: &String| -> Vec<bool> {
                let found = policy.on(word);
                names.iter().map(|name| found.matched(Keyword, name)).collect()
            };
            // Another policy makes the thread forget, so what is remembered is asked for first.
            let policy = keyword_policy(&keywords, method);
            let remembered: Vec<_> = words.iter().map(|word| matches(&policy, word)).collect();
            for (word, remembered) in words.iter().zip(remembered) {
                prop_assert_eq!(remembered, matches(&keyword_policy(&keywords, method), word), "{}", word);
            }
        }
    }

    #[test]
    fn a_regex_of_single_characters_is_counted_as_the_expression_counts(
        members in proptest::collection::vec(prop::sample::select(CHARACTERS.to_vec()), 1..5),
        text in proptest::collection::vec(prop::sample::select(CHARACTERS.to_vec()), 0..40),
        listed: bool,
    ) {
        let (text, escaped) = (text.concat(), members.iter().map(|member| regex::escape(member)));
        let pattern = if listed { escaped.collect::<Vec<_>>().join("|") } else { format!("[{}]", escaped.collect::<String>()) };
        let policy = Policy::signals(&format!(
            "structure: [{{name: s, feature: {{type: count, source: {{type: regex, pattern: {}}}}}}}]",
            serde_json::json!(pattern)
        ));
        let expression = RegexBuilder::new(&pattern).case_insensitive(true).build().unwrap();
        prop_assume!(!text.trim().is_empty());
        prop_assert_eq!(policy.on(&text).value(Structure, "s"), Some(expression.find_iter(&text).count() as f64));
    }

    #[test]
    fn literals_are_counted_alike_wherever_in_a_long_text_they_stand(
        text in proptest::collection::vec(prop::sample::select(vec!["甲", "乙", "a", "é", " "]), 0..14_000)
    ) {
        let text = text.concat();
        let markers = ["甲乙", "乙甲乙", "甲甲甲", "乙a甲"];
        let policy = Policy::signals(&format!(
            "structure: [{{name: s, feature: {{type: count, source: {{type: keyword_set, keywords: {}}}}}}}]",
            serde_json::json!(markers)
        ));
        let expected: usize = markers.iter().map(|marker| text.matches(marker).count()).sum();
        let value = policy.on(&text).value(Structure, "s").unwrap_or(0.0);
        prop_assert_eq!(value, expected as f64);
    }

    #[test]
    fn no_text_makes_any_rule_panic(text in "\\PC{0,60}", tail in any::<String>()) {
        let policy = Policy::signals(
            r#"
keywords:
  - {name: a, keywords: [ß, "é", "退款", "c++"]}
  - {name: b, method: regex, keywords: ["\\w+\\s*$", "[^a]b"]}
  - {name: c, method: fuzzy, keywords: [étude, social security, 退款]}
  - {name: d, method: bm25, keywords: [running dogs, 退款, résumé]}
  - {name: e, method: ngram, keywords: [urgent, "a b"], ngram_threshold: 0.01}
structure:
  - {name: s, feature: {type: density, source: {type: keyword_set, keywords: [a, 退]}}}
  - {name: t, feature: {type: sequence, source: {type: sequence, sequences: [[a, b]]}}}
  - {name: u, feature: {type: count, source: {type: regex, pattern: ''}}}
events: [{name: v, temporal: true}]
language: [{name: en}]"#.replace("pattern: ''", "pattern: '.?'").as_str(),
        );
        let whole = format!("{text}{tail}");
        let found = policy.on(&whole);
        let density = found.value(Structure, "s").unwrap_or(0.0);
        prop_assert!(density.is_finite());
    }
}
