//! The language detector: accuracy on shared data, doubt where there is doubt, and no panic on any text.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vsr_signals::language::detector::{Detection, Detector, code_matches, is_supported};

const MAJOR: [&str; 21] = [
    "ar", "bn", "de", "en", "es", "fa", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "th",
    "tr", "uk", "vi", "zh",
];

fn detect(text: &str) -> Option<Detection> {
    Detector::embedded().detect(text)
}

fn language(text: &str) -> &'static str {
    detect(text).map_or("-", |found| found.language)
}

/// Rows of a shared evaluation set, or `None` with a message where it is absent.
fn evaluation_set(name: &str) -> Option<Vec<(String, String)>> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/signals");
    let path: PathBuf = shared.join(name).join("data.jsonl");
    let Ok(content) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        (row["text"].as_str().unwrap().to_owned(), row["lang"].as_str().unwrap().to_owned())
    };
    Some(content.lines().map(row).collect())
}

fn accuracy<'r>(rows: impl Iterator<Item = &'r (String, String)>) -> f64 {
    let (mut right, mut all) = (0, 0);
    for (text, wanted) in rows {
        right += u32::from(language(text) == wanted);
        all += 1;
    }
    f64::from(right) / f64::from(all)
}

#[test]
fn sentences_of_75_languages_are_recognised() {
    let Some(rows) = evaluation_set("langid_sentences") else { return };
    let all = accuracy(rows.iter());
    let major = accuracy(rows.iter().filter(|(_, code)| MAJOR.contains(&code.as_str())));
    println!("sentences {all:.4}, of major languages {major:.4}");
    assert!(all >= 0.96, "{all}");
    assert!(major >= 0.985, "{major}");
}

#[test]
fn word_pairs_of_75_languages_are_recognised() {
    let Some(rows) = evaluation_set("langid_word_pairs") else { return };
    let all = accuracy(rows.iter());
    println!("word pairs {all:.4}");
    assert!(all >= 0.86, "{all}");
}

#[test]
fn confidence_tells_how_often_the_answer_is_right() {
    let Some(mut rows) = evaluation_set("langid_sentences") else { return };
    let Some(pairs) = evaluation_set("langid_word_pairs") else { return };
    rows.extend(pairs);
    let mut bands = [(0.0, 0.0, 0.0); 4];
    for (text, wanted) in &rows {
        let Some(found) = detect(text) else { continue };
        let band = &mut bands[((found.confidence * 4.0) as usize).min(3)];
        band.0 += 1.0;
        band.1 += f64::from(found.confidence);
        band.2 += f64::from(u8::from(found.language == wanted));
    }
    for (count, confidence, right) in bands {
        let (confidence, accuracy) = (confidence / count, right / count);
        println!("{count} texts: confidence {confidence:.3}, accuracy {accuracy:.3}");
        assert!(accuracy > confidence - 0.08, "too sure: {accuracy} at {confidence}");
    }
}

#[test]
fn everyday_sentences_are_recognised() {
    let sentences = [
        ("en", "Could you please summarise this report for me?"),
        ("de", "Könntest du mir bitte diesen Bericht zusammenfassen?"),
        ("fr", "Peux-tu me résumer ce rapport, s'il te plaît ?"),
        ("es", "¿Podrías resumirme este informe, por favor?"),
        ("it", "Potresti riassumermi questo documento, per favore?"),
        ("pt", "Você poderia resumir este relatório para mim?"),
        ("nl", "Kun je dit verslag alsjeblieft voor mij samenvatten?"),
        ("pl", "Czy możesz streścić dla mnie ten raport?"),
        ("sv", "Kan du sammanfatta den här rapporten åt mig?"),
        ("fi", "Voisitko tiivistää tämän raportin minulle?"),
        ("tr", "Bu raporu benim için özetleyebilir misin?"),
        ("vi", "Bạn có thể tóm tắt báo cáo này giúp tôi không?"),
        ("hu", "Össze tudnád foglalni nekem ezt a jelentést?"),
        ("ru", "Не мог бы ты кратко изложить этот отчёт?"),
        ("uk", "Чи можеш ти коротко викласти цей звіт?"),
        ("el", "Μπορείς να μου συνοψίσεις αυτή την αναφορά;"),
        ("he", "תוכל לסכם לי את הדוח הזה?"),
        ("ar", "هل يمكنك تلخيص هذا التقرير من أجلي؟"),
        ("fa", "می‌توانی این گزارش را برایم خلاصه کنی؟"),
        ("hi", "क्या आप मेरे लिए इस रिपोर्ट का सारांश लिख सकते हैं?"),
        ("th", "ช่วยสรุปรายงานนี้ให้ฉันหน่อยได้ไหม"),
        ("ko", "이 보고서를 요약해 주시겠어요?"),
        ("ja", "このレポートを要約してもらえますか？"),
        ("zh", "你能帮我总结一下这份报告吗？"),
        ("zh", "你能幫我總結一下這份報告嗎？"),
    ];
    for (wanted, text) in sentences {
        let found = detect(text).unwrap();
        assert_eq!(found.language, wanted, "{text}: {found:?}");
        assert!(found.confidence > 0.8, "{text}: {found:?}");
    }
}

#[test]
fn texts_without_prose_have_no_language() {
    let texts = [
        "",
        " \n\t ",
        "12345 67,890 3.14",
        "!!! ??? … — ***",
        "🙂🙃👍",
        "https://example.com/path?query=1",
        "fn main() { let x: Vec<u8> = Vec::new(); println!(\"{}\", x.len()); }",
        "for (int i = 0; i < n; i++) { sum += a[i]; }",
        "def foo(x):\n    return [y for y in x if y > 0]",
        "{\"name\": \"John\", \"age\": 30, \"city\": \"New York\"}",
        "```\nsome code that looks like words\n```",
    ];
    for text in texts {
        assert_eq!(detect(text), None, "{text}");
    }
}

#[test]
fn links_and_code_do_not_hide_the_language_around_them() {
    let german = "https://example.com/the/quick/brown/fox Kannst du diese Seite bitte zusammenfassen?";
    assert_eq!(language(german), "de");
    let french = "```rust\nfn main() { println!(\"hello world, this is only a test\"); }\n```\n\
                  Peux-tu m'expliquer ce que fait ce programme ?";
    assert_eq!(language(french), "fr");
    assert_eq!(language("Fix the bug in getUserName() when user_id is null"), "en");
}

#[test]
fn mixed_short_and_random_texts_leave_doubt() {
    let doubtful = [
        "I would like to order a pizza with extra cheese please. Quisiera pedir una pizza con queso extra por favor.",
        "Wir treffen uns morgen um acht am Bahnhof. Ci vediamo domani alle otto alla stazione.",
        "hi",
        "no",
        "LOL",
        "lkjsdf qwpoei zxmcnb",
    ];
    for text in doubtful {
        let confidence = detect(text).map_or(0.0, |found| found.confidence);
        assert!(confidence < 0.75, "{text}: {confidence}");
    }
    assert!(detect("hi").is_none_or(|found| found.confidence < 0.3));
}

#[test]
fn long_texts_are_judged_by_a_sample() {
    let english = "The committee met on Tuesday and agreed to publish the figures next month. ".repeat(4000);
    let found = detect(&english).unwrap();
    assert_eq!(found.language, "en");
    assert!(found.confidence > 0.9, "{found:?}");
    let half = "The committee met on Tuesday and agreed to publish the figures next month. ".repeat(50)
        + &"Der Ausschuss tagte am Dienstag und beschloss, die Zahlen im nächsten Monat zu nennen. "
            .repeat(50);
    assert!(detect(&half).unwrap().confidence < 0.8);
}

#[test]
fn codes_are_matched_by_language_not_by_spelling() {
    assert!(code_matches("no", "nb") && code_matches("no", "nn"));
    assert!(!code_matches("nb", "nn"));
    assert!(code_matches("pt-BR", "pt") && code_matches("zh_Hant", "zh") && code_matches("EN", "en"));
    assert!(code_matches("iw", "he"));
    assert!(!code_matches("en", "de"));
    assert!(is_supported("no") && is_supported("ja") && is_supported("pt-BR"));
    assert!(!is_supported("xx") && !is_supported("english") && !is_supported(""));
}

#[test]
fn every_language_of_the_evaluation_is_listed() {
    let languages = Detector::embedded().languages();
    assert!(languages.len() >= 75 && languages.is_sorted());
    for code in MAJOR.iter().chain(&["nb", "nn", "sw", "cy", "ka"]) {
        assert!(languages.contains(code), "{code}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_is_judged_without_panic_and_within_bounds(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn long_texts_of_many_scripts_are_judged_within_bounds(
        pieces in prop::collection::vec("[a-zA-Zäßñ ]{0,40}|[а-яі ]{0,30}|[一-龥ぁ-ん]{0,30}|[ء-ي ]{0,30}|```|\\PC{0,20}", 0..40)
    ) {
        check(&pieces.concat());
    }
}

fn check(text: &str) {
    if let Some(found) = detect(text) {
        assert!((0.0..=1.0).contains(&found.confidence), "{found:?}");
        assert!(Detector::embedded().languages().contains(&found.language));
        if let Some((other, confidence)) = found.runner_up {
            assert_ne!(other, found.language);
            assert!((0.0..=found.confidence).contains(&confidence), "{found:?}");
        }
    }
}
