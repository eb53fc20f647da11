//! Recognisers of personal data and their merge with tagged spans.

use proptest::prelude::*;
use vsr_signals::{
    TaggedSpan,
    pii::{PiiKind, contract_type, iban_holds, luhn_holds, merge, recognise},
};

/// What was found, as type and text.
fn found(text: &str) -> Vec<(&'static str, &str)> {
    recognise(text).into_iter().map(|span| (span.kind.as_str(), &text[span.bytes])).collect()
}

fn luhn_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { u32::from(*digit) * 2 } else { u32::from(*digit) })
        .map(|value| value / 10 + value % 10)
        .sum();
    ((10 - sum % 10) % 10) as u8
}

fn with_check_digit(prefix: &[u8], body: &[u8], length: usize) -> String {
    let mut digits: Vec<u8> = prefix.iter().chain(body).copied().take(length - 1).collect();
    digits.push(luhn_digit(&digits));
    digits.iter().map(ToString::to_string).collect()
}

/// Check digits by the arithmetic of the standard, in another way than the recogniser.
fn iban(country: &str, account: &str) -> String {
    let rotated = format!("{account}{country}00");
    let decimal: String = rotated.chars().map(|c| c.to_digit(36).unwrap().to_string()).collect();
    let remainder = decimal.bytes().fold(0_u64, |value, digit| (value * 10 + u64::from(digit - b'0')) % 97);
    format!("{country}{:02}{account}", 98 - remainder)
}

fn grouped(text: &str, size: usize, separator: char) -> String {
    let chars: Vec<char> = text.chars().collect();
    let groups: Vec<String> = chars.chunks(size).map(|chunk| chunk.iter().collect()).collect();
    groups.join(&separator.to_string())
}

/// Issuers by prefix and length.
fn issuers() -> impl Strategy<Value = (Vec<u8>, usize)> {
    prop_oneof![
        Just((vec![4], 16)),
        Just((vec![4], 13)),
        (1..=5_u8).prop_map(|digit| (vec![5, digit], 16)),
        Just((vec![2, 7, 2, 0], 16)),
        Just((vec![3, 4], 15)),
        Just((vec![3, 7], 15)),
        Just((vec![6, 0, 1, 1], 16)),
        Just((vec![6, 5], 16)),
        Just((vec![3, 6], 14)),
        Just((vec![3, 5, 2, 8], 16)),
        Just((vec![6, 2], 19)),
        Just((vec![6, 7, 5, 9], 12)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn valid_card_numbers_are_found_however_they_are_grouped(
        (prefix, length) in issuers(),
        body in prop::collection::vec(0..=9_u8, 18),
        separator in prop_oneof![Just(None), Just(Some(' ')), Just(Some('-'))],
        around in prop_oneof![Just(("card ", " ok")), Just(("", "")), Just(("卡号：", "。")), Just(("(", ")"))],
    ) {
        let number = with_check_digit(&prefix, &body, length);
        prop_assert!(luhn_holds(&number));
        let written = separator.map_or(number.clone(), |separator| grouped(&number, 4, separator));
        let text = format!("{}{written}{}", around.0, around.1);
        prop_assert_eq!(found(&text), [("CREDIT_CARD", written.as_str())]);
    }

    #[test]
    fn card_numbers_with_one_wrong_digit_are_no_cards(
        (prefix, length) in issuers(),
        body in prop::collection::vec(0..=9_u8, 18),
        place in 0..19_usize,
        change in 1..=9_u8,
    ) {
        let number = with_check_digit(&prefix, &body, length);
        let mut digits: Vec<u8> = number.bytes().collect();
        let place = place % digits.len();
        digits[place] = b'0' + (digits[place] - b'0' + change) % 10;
        let text = String::from_utf8(digits).unwrap();
        prop_assert!(!luhn_holds(&text));
        prop_assert!(found(&text).iter().all(|(kind, _)| *kind != "CREDIT_CARD"), "{}", text);
    }

    #[test]
    fn valid_ibans_are_found_with_and_without_spaces(
        (country, length) in prop::sample::select(vec![
            ("DE", 22), ("FR", 27), ("GB", 22), ("NL", 18), ("NO", 15), ("MT", 31), ("ES", 24), ("CH", 21), ("PL", 28), ("SA", 24),
        ]),
        digits in prop::collection::vec(0..=9_u8, 34),
        is_spaced in any::<bool>(),
        is_lower in any::<bool>(),
    ) {
        let account: String = digits.iter().take(length - 4).map(ToString::to_string).collect();
        let number = iban(country, &account);
        prop_assert!(iban_holds(&number));
        let written = if is_spaced { grouped(&number, 4, ' ') } else { number };
        let written = if is_lower { written.to_lowercase() } else { written };
        let text = format!("to {written}, please");
        prop_assert_eq!(found(&text), [("IBAN_CODE", written.as_str())]);
    }

    #[test]
    fn ibans_with_one_wrong_digit_are_none(
        digits in prop::collection::vec(0..=9_u8, 18),
        place in 2..22_usize,
        change in 1..=9_u8,
    ) {
        let account: String = digits.iter().map(ToString::to_string).collect();
        let mut number: Vec<u8> = iban("DE", &account).into_bytes();
        number[place] = b'0' + (number[place] - b'0' + change) % 10;
        let text = String::from_utf8(number).unwrap();
        prop_assert!(!iban_holds(&text));
        prop_assert!(found(&text).iter().all(|(kind, _)| *kind != "IBAN_CODE"), "{}", text);
    }

    #[test]
    fn issued_social_security_numbers_are_found(area in 1..900_u32, group in 1..100_u32, serial in 1..10_000_u32) {
        prop_assume!(area != 666 && (area, group, serial) != (78, 5, 1120) && (area, group, serial) != (219, 9, 9999));
        let written = format!("{area:03}-{group:02}-{serial:04}");
        let text = format!("SSN: {written}.");
        prop_assert_eq!(found(&text), [("US_SSN", written.as_str())]);
    }

    #[test]
    fn spans_are_ordered_apart_and_on_character_boundaries(text in "[0-9a-zA-Z@:/+. ()é手\u{1F600}\\-]{0,200}") {
        let spans = recognise(&text);
        for pair in spans.windows(2) {
            prop_assert!(pair[0].bytes.end <= pair[1].bytes.start);
        }
        for span in &spans {
            prop_assert!(text.get(span.bytes.clone()).is_some_and(|it| !it.is_empty()));
            prop_assert!((0.0..=1.0).contains(&span.probability));
        }
    }

    #[test]
    fn no_text_makes_a_recogniser_panic(text in any::<String>()) {
        let spans = recognise(&text);
        prop_assert!(spans.iter().all(|span| text.get(span.bytes.clone()).is_some()));
    }

    #[test]
    fn merged_entities_are_ordered_and_apart(
        text in "[a-z0-9@. é]{0,80}",
        tags in prop::collection::vec((0..90_usize, 0..20_usize, 0..3_usize, 0.0..1.0_f32), 0..12),
    ) {
        let tags: Vec<TaggedSpan> = tags
            .into_iter()
            .map(|(start, length, kind, probability)| TaggedSpan {
                bytes: start..start + length,
                kind: ["B-PERSON", "I-PERSON", "EMAIL"][kind].into(),
                probability,
            })
            .collect();
        let entities = merge(&text, &recognise(&text), &tags);
        for pair in entities.windows(2) {
            prop_assert!(pair[0].bytes.end <= pair[1].bytes.start);
        }
        for entity in &entities {
            prop_assert!(text.get(entity.bytes.clone()).is_some_and(|it| !it.trim().is_empty()));
        }
    }
}

#[test]
fn social_security_numbers_that_were_never_issued_are_none() {
    for text in [
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-00-4567",
        "123-45-0000",
        "078-05-1120",
        "219-09-9999",
    ] {
        assert_eq!(found(&format!("ssn {text}")), [], "{text}");
    }
    assert_eq!(found("social security number 536221234"), [("US_SSN", "536221234")]);
    assert_eq!(found("part number 536221234"), []);
    assert_eq!(found("version 1-536-22-1234"), []);
}

#[test]
fn e_mail_addresses_end_where_sentences_do() {
    for (text, address) in [
        ("write to ann.lee+x@mail.example.co.uk.", "ann.lee+x@mail.example.co.uk"),
        ("<bob@example.org>", "bob@example.org"),
        ("邮箱：li@example.cn。", "li@example.cn"),
        ("mailto:o'neil@example.com?x", "o'neil@example.com"),
        ("jörg@bücher.de", "jörg@bücher.de"),
        ("git@example.org: she answers", "git@example.org"),
    ] {
        assert_eq!(found(text), [("EMAIL_ADDRESS", address)], "{text}");
    }
    for text in [
        "a@b",
        "@example.org",
        "x@-a.de",
        "git@",
        "a @ b.com",
        "user@localhost",
        "a..b@example.com",
        "git clone git@github.com:owner/project.git",
        "npm install react@next.js",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn digits_and_signs_of_other_scripts_hide_nothing_and_places_are_those_of_the_text() {
    for (text, expected) in [
        (
            "pay ４１１１　１１１１　１１１１　１１１１ now",
            ("CREDIT_CARD", "４１１１　１１１１　１１１１　１１１１"),
        ),
        ("٤١١١١١١١١١١١١١١١", ("CREDIT_CARD", "٤١١١١١١١١١١١١١١١")),
        ("𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 1111 1111.", ("CREDIT_CARD", "𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 1111 1111")),
        (
            "4111\u{2011}1111\u{2011}1111\u{2011}1111",
            ("CREDIT_CARD", "4111\u{2011}1111\u{2011}1111\u{2011}1111"),
        ),
        ("4111\u{a0}1111\u{a0}1111\u{a0}1111", ("CREDIT_CARD", "4111\u{a0}1111\u{a0}1111\u{a0}1111")),
        ("4111\u{200b}111111111111 é", ("CREDIT_CARD", "4111\u{200b}111111111111")),
        ("4111.1111.1111.1111", ("CREDIT_CARD", "4111.1111.1111.1111")),
        ("ssn 536–90–4399", ("US_SSN", "536–90–4399")),
        ("ａｎｎ＠ｅｘａｍｐｌｅ．ｏｒｇ", ("EMAIL_ADDRESS", "ａｎｎ＠ｅｘａｍｐｌｅ．ｏｒｇ")),
        ("電話：+８１ ３ １２３４ ５６７８。", ("PHONE_NUMBER", "+８１ ３ １２３４ ５６７８")),
        ("ping 192\u{2024}0.2.7", ("IP_ADDRESS", "192\u{2024}0.2.7")),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
    for text in ["4111.1111.1111.1112", "4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1", "2012—2013 — 4", "１２３"] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn telephone_numbers_are_told_from_other_numbers() {
    for (text, number) in [
        ("+49 30 1234567", "+49 30 1234567"),
        ("+1 (212) 555-0123", "+1 (212) 555-0123"),
        ("call (212) 555-0123 now", "(212) 555-0123"),
        ("212-555-0123", "212-555-0123"),
        ("06 12 34 56 78", "06 12 34 56 78"),
        ("手机13812345678", "13812345678"),
        ("0049 30 1234567", "0049 30 1234567"),
        ("phone: 555 0123 44", "555 0123 44"),
        ("my number is +442071838750.", "+442071838750"),
        ("345-899-3560x4587", "345-899-3560x4587"),
        ("(212-555-0123)", "212-555-0123"),
        ("Phone: 0490 75 40 81", "0490 75 40 81"),
        ("tel(212-555-0123)", "212-555-0123"),
        ("his number (212-555-0123)", "212-555-0123"),
    ] {
        assert_eq!(found(text), [("PHONE_NUMBER", number)], "{text}");
    }
    for text in [
        "2024-11-25",
        "25.11.2024",
        "1 2 3 4 5 6 7 8 9",
        "3.14159265",
        "1,234,567",
        "order 1234567890",
        "1234567",
        "192168001",
        "12345678901234567890",
        "2024-11-25 10:30",
        "ISBN 978-3-16-148410-0",
        "a1b2c3d4",
        "112-555-0123",
        "call f(1234567)",
        "call get_user(5550123456)",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn network_addresses_are_told_from_versions_and_code() {
    for (text, address) in [
        ("from 192.168.0.1:8080", "192.168.0.1"),
        ("2001:db8::8a2e:370:7334", "2001:db8::8a2e:370:7334"),
        ("[fe80::1]", "fe80::1"),
        ("host 10.0.0.255.", "10.0.0.255"),
    ] {
        assert_eq!(found(text), [("IP_ADDRESS", address)], "{text}");
    }
    for text in ["version 1.2.3.4", "1.2.3", "256.1.1.1", "std::vec", "a::b", "12:30:45", "1.2.3.4.5", "::"] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn keys_of_known_services_are_found() {
    let long = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC2dF4hJ6kL8nP0rS2uV4xY6zA8cD0eG2iK4mO6qS8uW0xY2aB3d";
    let hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (prefix, body) in [
        ("sk-ant-api03-", &long[..60]),
        ("sk-proj-", &long[..48]),
        ("sk-", &long[..48]),
        ("AKIA", "IOSFODNN7EXAMPLE"),
        ("ghp_", &long[..36]),
        ("github_pat_", &long[..76]),
        ("glpat-", &long[..20]),
        ("xoxb-", "123456789012-123456789012-abcdefABCDEF"),
        ("AIza", &long[..35]),
        ("sk_live_", &long[..24]),
        ("hf_", &long[..34]),
        ("gsk_", &long[..52]),
        ("npm_", &long[..36]),
        ("sk-or-v1-", hex),
    ] {
        let key = format!("{prefix}{body}");
        assert_eq!(found(&format!("key={key} end")), [("API_KEY", key.as_str())]);
        assert_eq!(found(&format!("\"{key}\",")), [("API_KEY", key.as_str())]);
    }
    for text in [
        "sk-learn",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "AKIA",
        "task-aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC2dF4hJ6kL8n",
        "hf_hub_download",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn signed_tokens_and_private_keys_are_found_whole() {
    let token =
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    assert_eq!(found(&format!("Bearer {token}.")), [("API_KEY", token)]);
    let block = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7c2g0aB3dE5gH7jK9mN1pQ3sT5vW7yZ9\nabcd\n-----END RSA PRIVATE KEY-----";
    assert_eq!(found(&format!("x\n{block}\ny")), [("API_KEY", block)]);
    assert_eq!(
        found("-----BEGIN PUBLIC KEY-----\nMIIEowIBAAKCAQEA7c2g0aB3dE5gH7jK9mN1\n-----END PUBLIC KEY-----"),
        []
    );
}

#[test]
fn credentials_in_urls_are_found_and_placeholders_are_not() {
    assert_eq!(found("postgres://app:s3cr3t@db.example.com/x"), [("CREDENTIAL", "app:s3cr3t")]);
    assert_eq!(
        found("see https://x.example/?a=1&access_token=abcdef123456"),
        [("CREDENTIAL", "abcdef123456")]
    );
    for text in [
        "https://user:${PASSWORD}@host.example/",
        "https://host.example/a@b",
        "https://host.example/?page=2",
        "https://u:***@h.example",
    ] {
        assert_eq!(found(text).iter().filter(|(kind, _)| *kind == "CREDENTIAL").count(), 0, "{text}");
    }
}

#[test]
fn time_grows_with_the_text_only() {
    // Each of these made a careless recogniser quadratic; a hundred thousand bytes would then take minutes.
    for unit in [
        "@",
        "a@",
        "sk-",
        "1 ",
        "1-",
        "+1",
        "eyJ",
        "://",
        "-----BEGIN PRIVATE KEY-----",
        "1.",
        ":",
        "a:",
        "DE00",
        "(",
        "é@",
    ] {
        let text = unit.repeat(100_000 / unit.len());
        assert!(recognise(&text).len() <= text.len());
    }
}

#[test]
fn a_verified_find_wins_over_a_tag_and_tags_that_touch_are_one() {
    let text = "Ann Lee, ann@example.org, Springfield";
    let tag = |bytes, kind: &str, probability| TaggedSpan { bytes, kind: kind.into(), probability };
    let tags = [
        tag(0..3, "B-PERSON", 0.9),
        tag(4..7, "I-PERSON", 0.8),
        tag(9..12, "PERSON", 0.99),
        tag(26..37, "B-CITY", 0.7),
        tag(0..1, "O", 0.9),
    ];
    let entities = merge(text, &recognise(text), &tags);
    let described: Vec<(&str, &str)> =
        entities.iter().map(|entity| (&*entity.kind, &text[entity.bytes.clone()])).collect();
    assert_eq!(
        described,
        [("PERSON", "Ann Lee"), ("EMAIL_ADDRESS", "ann@example.org"), ("GPE", "Springfield")]
    );
}

#[test]
fn taggers_types_have_the_names_of_the_contract() {
    for (label, kind) in [
        ("B-EMAIL", Some("EMAIL_ADDRESS")),
        ("I-phone", Some("PHONE_NUMBER")),
        ("US_SSN", Some("US_SSN")),
        ("tax id", Some("TAX_ID")),
        ("O", None),
        ("NO_PII", None),
    ] {
        assert_eq!(contract_type(label).as_deref(), kind, "{label}");
    }
    for kind in PiiKind::ALL {
        assert_eq!(contract_type(kind.as_str()).as_deref(), Some(kind.as_str()));
    }
}

fn has(text: &str, kind: &str) -> bool {
    found(text).iter().any(|(found, _)| *found == kind)
}

#[test]
fn code_releases_and_netmasks_are_no_addresses() {
    for text in [
        "a[::2]",
        "list[10::]",
        "ab::c1",
        "Chrome/120.0.0.0 Safari",
        "pip install foo==1.2.3.4",
        "mask 255.255.255.0",
    ] {
        assert!(!has(text, "IP_ADDRESS"), "{text}: {:?}", found(text));
    }
    for text in ["at http://10.0.0.1/x", "ip=192.168.1.7", "2001:db8::1", "[fe80::1:2]:443", "bind ::1"] {
        assert!(has(text, "IP_ADDRESS"), "{text}");
    }
}

#[test]
fn a_word_within_a_word_announces_no_telephone_number() {
    for text in ["the hotel has 1234567 beds", "excellent 12345678", "technically 1234567 items"] {
        assert!(!has(text, "PHONE_NUMBER"), "{text}");
    }
    assert!(has("my telephone: 1234567", "PHONE_NUMBER"));
}

#[test]
fn urls_one_after_the_other_are_each_read_once() {
    let text = "://?sig=12345678".repeat(20_000);
    assert!(recognise(&text).len() <= 20_000);
    let found = recognise("https://a/?next=https://b/&access_token=abcdefgh12");
    assert_eq!(found.len(), 1);
}
