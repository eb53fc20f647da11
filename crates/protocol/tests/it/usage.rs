//! Usage of answers that do not stream.

use vsr_protocol::openai_chat::read_usage;
use vsr_types::Usage;

#[test]
fn usage_of_both_vocabularies_is_read() {
    let chat =
        br#"{"id":"x","choices":[{"message":{"content":"\ud800 \"usage\":{}"}}],"usage":{"prompt_tokens":12,
        "completion_tokens":7,"total_tokens":19,"prompt_tokens_details":{"cached_tokens":8},
        "completion_tokens_details":{"reasoning_tokens":3}}}"#;
    let responses =
        br#"{"usage":{"input_tokens":12,"output_tokens":7,"input_tokens_details":{"cached_tokens":8},
        "output_tokens_details":{"reasoning_tokens":3}}}"#;
    let expected = Usage { prompt_tokens: 12, completion_tokens: 7, cached_tokens: 8, reasoning_tokens: 3 };
    assert_eq!(read_usage(chat), Some(expected));
    assert_eq!(read_usage(responses), Some(expected));
}

#[test]
fn odd_usage_is_read_as_far_as_it_makes_sense() {
    let partial = br#"{"usage":{"prompt_tokens":3.0,"completion_tokens":null,"prompt_tokens_details":null}}"#;
    assert_eq!(read_usage(partial), Some(Usage { prompt_tokens: 3, ..Usage::default() }));
    let twice = br#"{"usage":null,"usage":{"prompt_tokens":-4,"completion_tokens":5}}"#;
    assert_eq!(read_usage(twice), Some(Usage { completion_tokens: 5, ..Usage::default() }));
    let bodies = [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"usage":null}"#,
        r#"{"usage":[1]}"#,
        r#"{"usage":{"total_tokens":3}}"#,
    ];
    for body in bodies {
        assert_eq!(read_usage(body.as_bytes()), None, "{body}");
    }
}
