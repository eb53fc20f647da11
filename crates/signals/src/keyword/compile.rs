//! From `routing.signals.keywords` to the family.

use std::sync::Arc;

use vsr_config::{Compatibility, Config, KeywordMethod, KeywordOperator, KeywordRule};
use vsr_types::{AtomTable, Diagnostics, Path, SignalFamily};

use super::{
    KeywordFamily, Rule, Way,
    bm25::Bm25Index,
    fuzzy::{Closeness, FuzzyIndex},
    memo::MemoOwner,
    ngram::{MAX_ARITY, NgramIndex},
};
use crate::{
    lexicon::{LexiconBuilder, Slot, Term},
    pattern::{PatternId, Patterns},
    rules,
};

/// Edits of a fuzzy match where the rule does not say.
const DEFAULT_EDITS: u32 = 2;
/// The fuzzy thresholds that are percentages.
const PERCENTAGES: std::ops::RangeInclusive<u32> = 50..=100;
const DEFAULT_BM25_THRESHOLD: f64 = 0.1;
const DEFAULT_NGRAM_THRESHOLD: f64 = 0.4;
const DEFAULT_NGRAM_ARITY: usize = 3;
const MIN_NGRAM_ARITY: usize = 2;

/// Compiles the keyword rules.
pub(crate) fn compile(
    config: &Config,
    lexicon: &mut LexiconBuilder,
    patterns: &mut Patterns,
    atoms: &mut AtomTable,
    diagnostics: &mut Diagnostics,
) -> KeywordFamily {
    let family = SignalFamily::Keyword;
    let written = &config.routing.signals.keywords;
    let names = written.iter().map(|rule| rule.name.as_str());
    let ids = rules::declare(family, names, atoms, diagnostics);
    let mut compiler = Compiler {
        fuzzy: FuzzyIndex::default(),
        bm25: Bm25Index::default(),
        ngrams: Vec::new(),
        lexicon,
        patterns,
        diagnostics,
    };
    let path = rules::family_path(family);
    let compiled = written.iter().zip(ids).enumerate().map(|(index, (rule, atom))| {
        let keywords = compiler.rule(rule, &path.index(index));
        Rule::new(atom, rule.operator, keywords.into_iter().map(Keyword::found_by).collect())
    });
    KeywordFamily {
        memo: MemoOwner::new(),
        rules: compiled.collect(),
        fuzzy: compiler.fuzzy,
        bm25: compiler.bm25,
        ngrams: compiler.ngrams,
        first_match_only: config.global.router.compatibility == Some(Compatibility::V0_3),
    }
}

/// A keyword, and the ways in which it may be found.
struct Keyword {
    text: Arc<str>,
    literal: Option<Slot>,
    pattern: Option<PatternId>,
    fuzzy: Option<usize>,
    bm25: Option<(usize, f64)>,
    /// Which index, and which keyword of it.
    ngram: Option<(usize, usize)>,
}

struct Compiler<'c> {
    fuzzy: FuzzyIndex,
    bm25: Bm25Index,
    ngrams: Vec<NgramIndex>,
    lexicon: &'c mut LexiconBuilder,
    patterns: &'c mut Patterns,
    diagnostics: &'c mut Diagnostics,
}

// === impl Keyword

impl Keyword {
    fn found_by(self) -> (Arc<str>, Vec<Way>) {
        let bm25 = self.bm25.map(|(document, threshold)| Way::Bm25 { document: document as u32, threshold });
        let ngram =
            self.ngram.map(|(index, keyword)| Way::Ngram { index: index as u32, keyword: keyword as u32 });
        let ways = [
            self.literal.map(Way::Literal),
            self.pattern.map(Way::Pattern),
            self.fuzzy.map(|index| Way::Fuzzy(index as u32)),
            bm25,
            ngram,
        ];
        (self.text, ways.into_iter().flatten().collect())
    }
}

// === impl Compiler

impl Compiler<'_> {
    fn rule(&mut self, rule: &KeywordRule, path: &Path) -> Vec<Keyword> {
        self.check(rule, path);
        let mut keywords: Vec<Keyword> = rule
            .keywords
            .iter()
            .map(|text| Keyword {
                text: text.as_str().into(),
                literal: None,
                pattern: None,
                fuzzy: None,
                bm25: None,
                ngram: None,
            })
            .collect();
        match rule.method {
            KeywordMethod::Literal | KeywordMethod::Fuzzy => self.literals(rule, path, &mut keywords),
            KeywordMethod::Regex => self.regexes(rule, path, &mut keywords),
            KeywordMethod::Bm25 => self.bm25(rule, path, &mut keywords),
            KeywordMethod::Ngram => self.ngrams(rule, path, &mut keywords),
        }
        if rule.fuzzy_match || rule.method == KeywordMethod::Fuzzy {
            self.fuzzy(rule, path, &mut keywords);
        }
        keywords
    }

    fn check(&mut self, rule: &KeywordRule, path: &Path) {
        if rule.keywords.is_empty() {
            let (outcome, operator) = match rule.operator {
                KeywordOperator::Or => ("never", "any keyword"),
                KeywordOperator::And => ("always", "all keywords"),
                KeywordOperator::Nor => ("always", "no keyword"),
            };
            let message =
                format!("the rule has no keywords, so it {outcome} matches: {operator} is asked for");
            self.diagnostics.warning(path.key("keywords"), message);
        }
        for (index, keyword) in rule.keywords.iter().enumerate() {
            if keyword.trim().is_empty() {
                self.diagnostics.warning(
                    path.key("keywords").index(index),
                    match rule.method {
                        KeywordMethod::Literal | KeywordMethod::Regex => {
                            "the keyword is empty, so it is found in every text"
                        }
                        _ => "the keyword is empty, so it is never found",
                    },
                );
            }
        }
        for (key, is_set, method) in [
            ("bm25_threshold", rule.bm25_threshold.is_some(), KeywordMethod::Bm25),
            ("ngram_threshold", rule.ngram_threshold.is_some(), KeywordMethod::Ngram),
            ("ngram_arity", rule.ngram_arity.is_some(), KeywordMethod::Ngram),
        ] {
            if is_set && rule.method != method {
                let message = format!("`{key}` has no effect with `method: {}`", name_of(rule.method));
                self.diagnostics.warning(path.key(key), message);
            }
        }
        let fuzzy = rule.fuzzy_match || rule.method == KeywordMethod::Fuzzy;
        if rule.fuzzy_threshold.is_some() && !fuzzy {
            self.diagnostics.warning(
                path.key("fuzzy_threshold"),
                "`fuzzy_threshold` has no effect without `fuzzy_match: true`",
            );
        }
    }

    fn literals(&mut self, rule: &KeywordRule, path: &Path, keywords: &mut [Keyword]) {
        if rule.method == KeywordMethod::Literal
            && keywords.iter().any(|keyword| keyword.text.trim().is_empty())
        {
            // Public policies write an empty keyword for "any text".
            match self.patterns.add("", rule.case_sensitive, self.lexicon) {
                Ok(pattern) => {
                    let empty = keywords.iter_mut().filter(|keyword| keyword.text.trim().is_empty());
                    empty.for_each(|keyword| keyword.pattern = Some(pattern));
                }
                Err(problem) => self.diagnostics.error(path.key("keywords"), problem),
            }
        }
        for keyword in keywords.iter_mut().filter(|keyword| !keyword.text.trim().is_empty()) {
            keyword.literal = Some(self.lexicon.term(Term::keyword(&keyword.text, rule.case_sensitive)));
        }
    }

    fn regexes(&mut self, rule: &KeywordRule, path: &Path, keywords: &mut [Keyword]) {
        for (index, keyword) in keywords.iter_mut().enumerate() {
            match self.patterns.add(&keyword.text, rule.case_sensitive, self.lexicon) {
                Ok(pattern) => keyword.pattern = Some(pattern),
                Err(problem) => self.diagnostics.error(path.key("keywords").index(index), problem),
            }
        }
    }

    fn bm25(&mut self, rule: &KeywordRule, path: &Path, keywords: &mut [Keyword]) {
        let threshold = self.threshold(rule.bm25_threshold, DEFAULT_BM25_THRESHOLD, path, "bm25_threshold");
        let (first, empty) = self.bm25.add_rule(&rule.keywords);
        for (index, keyword) in keywords.iter_mut().enumerate() {
            keyword.bm25 = Some((first + index, threshold));
        }
        for index in empty {
            let message = format!(
                "`{}` has only words that BM25 leaves out, so it is never found; use `method: literal` for it",
                rule.keywords[index]
            );
            self.diagnostics.warning(path.key("keywords").index(index), message);
        }
    }

    fn ngrams(&mut self, rule: &KeywordRule, path: &Path, keywords: &mut [Keyword]) {
        let threshold =
            self.threshold(rule.ngram_threshold, DEFAULT_NGRAM_THRESHOLD, path, "ngram_threshold");
        rules::check_share(path, "ngram_threshold", Some(threshold), self.diagnostics);
        let arity = match rule.ngram_arity.map_or(0, |arity| arity as usize) {
            0 => DEFAULT_NGRAM_ARITY,
            arity if arity > MAX_ARITY => {
                let message =
                    format!("{arity} is too long for n-grams; use {MIN_NGRAM_ARITY} to {MAX_ARITY}");
                self.diagnostics.error(path.key("ngram_arity"), message);
                MAX_ARITY
            }
            arity => arity.max(MIN_NGRAM_ARITY),
        };
        let group = self.ngram_group(arity, rule.case_sensitive);
        for keyword in keywords.iter_mut().filter(|keyword| !keyword.text.trim().is_empty()) {
            keyword.literal = Some(self.lexicon.term(Term::keyword(&keyword.text, rule.case_sensitive)));
            keyword.ngram = Some((group, self.ngrams[group].add(&keyword.text, threshold)));
        }
    }

    fn ngram_group(&mut self, arity: usize, case_sensitive: bool) -> usize {
        let fits = |index: &NgramIndex| index.arity == arity && index.case_sensitive == case_sensitive;
        self.ngrams.iter().position(fits).unwrap_or_else(|| {
            self.ngrams.push(NgramIndex::new(arity, case_sensitive));
            self.ngrams.len() - 1
        })
    }

    fn fuzzy(&mut self, rule: &KeywordRule, path: &Path, keywords: &mut [Keyword]) {
        if let KeywordMethod::Bm25 | KeywordMethod::Ngram = rule.method {
            let message = format!("`fuzzy_match` has no effect with `method: {}`", name_of(rule.method));
            self.diagnostics.warning(path.key("fuzzy_match"), message);
            return;
        }
        let closeness = match rule.fuzzy_threshold.unwrap_or(DEFAULT_EDITS) {
            edits @ 0..=2 => Closeness::Edits(edits),
            percent if PERCENTAGES.contains(&percent) => Closeness::Percent(percent),
            other => {
                let message = format!(
                    "{other} is neither a number of edits (0 to 2) nor a percentage of similarity (50 to 100); {DEFAULT_EDITS} edits are used"
                );
                self.diagnostics.warning(path.key("fuzzy_threshold"), message);
                Closeness::Edits(DEFAULT_EDITS)
            }
        };
        for keyword in keywords {
            let is_plain =
                rule.method != KeywordMethod::Regex || regex_syntax::escape(&keyword.text) == *keyword.text;
            keyword.fuzzy = is_plain.then(|| self.fuzzy.add(&keyword.text, closeness)).flatten();
        }
    }

    /// A threshold, where 0 means the default as in the public release.
    fn threshold(&mut self, written: Option<f64>, default: f64, path: &Path, key: &str) -> f64 {
        match written {
            Some(threshold) if threshold < 0.0 => {
                self.diagnostics.error(
                    path.key(key),
                    format!("{threshold} is negative; leave it out for the default, {default}"),
                );
                default
            }
            Some(threshold) if threshold > 0.0 => threshold,
            _ => default,
        }
    }
}

fn name_of(method: KeywordMethod) -> &'static str {
    match method {
        KeywordMethod::Literal => "literal",
        KeywordMethod::Regex => "regex",
        KeywordMethod::Fuzzy => "fuzzy",
        KeywordMethod::Bm25 => "bm25",
        KeywordMethod::Ngram => "ngram",
    }
}
