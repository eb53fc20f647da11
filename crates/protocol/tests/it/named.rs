//! The model that a body names without being a conversation: in JSON, in a form.

use bytes::Bytes;
use vsr_protocol::NamedBody;

const FORM: &[u8] = b"multipart/form-data; boundary=b";

fn json(body: &str) -> Result<NamedBody, String> {
    NamedBody::parse(Some(b"application/json"), Bytes::copy_from_slice(body.as_bytes()))
        .map_err(|e| e.to_string())
}

fn form(body: &str) -> Result<NamedBody, String> {
    NamedBody::parse(Some(FORM), Bytes::copy_from_slice(body.as_bytes())).map_err(|e| e.to_string())
}

fn part(head: &str, value: &str) -> String {
    format!("--b\r\n{head}\r\n\r\n{value}\r\n")
}

fn field(name: &str, value: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), value)
}

#[test]
fn a_name_is_found_and_replaced_and_all_else_stays() {
    let named = json(r#" {"input": [1.0, {"model": 5}], "model" : "small", "odd": 1e999} "#).unwrap();
    assert_eq!((named.model(), named.is_form()), ("small", false));
    let renamed = r#" {"input": [1.0, {"model": 5}], "model" : "a\"b", "odd": 1e999} "#;
    assert_eq!(named.naming("a\"b"), renamed.as_bytes());
    assert_eq!(json("{\"mod\\u0065l\": \"x\"}").unwrap().model(), "x");

    let file = part(
        "content-disposition: form-data; name=file; filename=\"a b.wav\"\r\ncontent-type: audio/wav",
        "\r\n --b --b\r\n-",
    );
    let before = file + &field("language", "");
    let body = |model: &str| format!("{before}{}--b--\r\n", field("model", model));
    let named = form(&body("small")).unwrap();
    assert_eq!((named.model(), named.is_form()), ("small", true));
    assert_eq!(named.naming("a\"b"), body("a\"b").as_bytes());
    assert_eq!(form(&body("")).unwrap().model(), "");
    let quoted = b"Multipart/Form-Data; charset=utf-8; Boundary=\"b\"";
    assert!(NamedBody::parse(Some(quoted), Bytes::from(body("small"))).is_ok());
}

#[test]
fn json_that_readers_could_understand_differently_is_refused() {
    for body in [
        r#"{"model": "a", "model": "b"}"#,
        r#"{"model": "a", "mod\u0065l": "b"}"#,
        r#"{"model": "a", "Model": "b"}"#,
        r#"{"MODEL": "b"}"#,
        r#"{"model": "\u0061"}"#,
        r#"{"model": 5}"#,
        r#"{"model": null}"#,
        r#"{"input": "x"}"#,
        r#"["model", "a"]"#,
        r#"{"model": "a"} {}"#,
        r#"{"model": "a""#,
        "",
    ] {
        assert!(json(body).is_err(), "{body}");
    }
    let utf_8 = NamedBody::parse(None, Bytes::from_static(b"{\"model\": \"\xff\"}"));
    assert!(utf_8.is_err());
}

#[test]
fn forms_that_readers_could_understand_differently_are_refused() {
    let model = field("model", "small");
    let end = "--b--\r\n";
    assert!(form(&format!("{model}{end}")).is_ok());
    let heads = [
        "content-disposition: form-data; name=\"model\"; name=\"other\"",
        "content-disposition: form-data; name=\"a\\\"; name=\\\"model\"",
        "content-disposition: form-data; name=\"mo\\del\"",
        "content-disposition: form-data; name=\"model; x=y\"",
        "content-disposition: form-data; name=\"file\"; filename=\"a; name=model; b\"",
        "content-disposition: form-data; name=\"Model\"",
        "content-disposition: form-data; name*=utf-8''model",
        "content-disposition: form-data; name=\"other",
        "content-disposition: form-data; name = \"model\"",
        "content-disposition: attachment; name=\"model\"",
        "content-disposition : form-data; name=\"model\"",
        "content-disposition: form-data;\r\n name=\"model\"",
        "content-disposition: form-data; name=\"x\"\r\ncontent-disposition: form-data; name=\"model\"",
        "content-disposition: form-data; name=\"x\"\ncontent-disposition: form-data; name=\"model\"",
        "content-disposition: form-data; name=\"model\" \"",
        "no colon",
    ];
    for head in heads {
        let refused = form(&format!("{model}{}{end}", part(head, "other")));
        assert!(refused.is_err(), "{head}");
    }
    let bodies = [
        format!("{model}{model}{end}"),
        format!("before it\r\n{model}{end}"),
        format!("{model}{end}{model}{end}"),
        model.clone(),
        format!("{model}--b \r\n{end}"),
        format!("{model}--bee\r\nx: y\r\n\r\nz\r\n{end}"),
        format!("{}{end}", field("other", "x")),
        format!("{}{end}", part("content-disposition: form-data; name=\"model\"; filename=\"m\"", "small")),
        format!("{}{end}", part("content-disposition: form-data; name=model\r\ncontent-transfer-encoding: base64", "c21hbGw=")),
        "--b\r\ncontent-disposition: form-data; name=\"x\"\r\n--b\r\n\r\n\r\n--b--".to_owned(),
        "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nother\r\n--b--".to_owned(),
        "--b--".to_owned(),
        String::new(),
    ];
    for body in &bodies {
        assert!(form(body).is_err(), "{body}");
    }
    let kinds: [&[u8]; 5] = [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=b; boundary=c",
        b"multipart/form-data; boundary=\"b",
        b"multipart/form-data; boundary=b\xff",
    ];
    for kind in kinds {
        let body = Bytes::from(format!("{model}{end}"));
        assert!(NamedBody::parse(Some(kind), body).is_err(), "{}", String::from_utf8_lossy(kind));
    }
}
