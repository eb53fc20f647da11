//! Signatures, compared with those that AWS publishes for its test requests.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use vsr_upstream::{AwsKeys, AwsSigner, Endpoint, Request};

const KEYS: AwsKeys<'static> = AwsKeys {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    session_token: None,
};
/// 2015-08-30 12:36:00 UTC.
const NOW: u64 = 1_440_938_160;

fn request(method: Method, host: &str, path: &str, content_type: Option<&str>, body: &str) -> Request {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        headers.insert("content-type", HeaderValue::from_str(content_type).unwrap());
    }
    // What is not about AWS is not signed, and may change on the way.
    headers.insert("user-agent", HeaderValue::from_static("whatever"));
    Request {
        method,
        endpoint: Arc::new(Endpoint::parse(&format!("https://{host}")).unwrap()),
        path_and_query: path.parse().unwrap(),
        headers,
        body: Bytes::from(body.to_owned()),
    }
}

fn authorization(mut request: Request, keys: AwsKeys<'_>, service: &str) -> String {
    AwsSigner::new(keys, "us-east-1", service).unwrap().sign(&mut request, NOW);
    assert_eq!(request.headers["x-amz-date"], "20150830T123600Z");
    request.headers["authorization"].to_str().unwrap().to_owned()
}

#[test]
fn signatures_are_those_of_the_published_test_requests() {
    let form = Some("application/x-www-form-urlencoded");
    for (method, path, content_type, body, signature) in [
        (Method::GET, "/", None, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (Method::POST, "/", None, "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            Method::GET,
            "/?Param2=value2&Param1=value1",
            None,
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            Method::POST,
            "/",
            form,
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ] {
        let request = request(method, "example.amazonaws.com", path, content_type, body);
        let header = authorization(request, KEYS, "service");
        let signed = if content_type.is_some() { "content-type;host;x-amz-date" } else { "host;x-amz-date" };
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={signed}, Signature={signature}"
        );
        assert_eq!(header, expected, "{path} {body}");
    }
}

#[test]
fn the_example_of_the_documentation_is_signed_as_it_says() {
    let path = "/?Action=ListUsers&Version=2010-05-08";
    let content_type = Some("application/x-www-form-urlencoded; charset=utf-8");
    let header =
        authorization(request(Method::GET, "iam.amazonaws.com", path, content_type, ""), KEYS, "iam");
    assert!(
        header.ends_with("Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"),
        "{header}"
    );
}

#[test]
fn a_session_token_is_sent_and_signed_and_an_earlier_credential_replaced() {
    let keys = AwsKeys { session_token: Some("AQoDYXdzEPT//////////wEXAMPLE"), ..KEYS };
    let mut request = request(Method::POST, "example.amazonaws.com", "/a%3Ab/c", None, "{}");
    request.headers.insert("authorization", HeaderValue::from_static("Bearer of-the-client"));
    let signer = AwsSigner::new(keys, "us-east-1", "service").unwrap();
    signer.sign(&mut request, NOW);
    let first = request.headers["authorization"].clone();
    assert_eq!(request.headers["x-amz-security-token"], "AQoDYXdzEPT//////////wEXAMPLE");
    assert!(first.to_str().unwrap().contains("SignedHeaders=host;x-amz-date;x-amz-security-token"));
    assert!(first.is_sensitive() && request.headers["x-amz-security-token"].is_sensitive());
    // Signing again, as a repetition does, gives the same; another body another.
    signer.sign(&mut request, NOW);
    assert_eq!(request.headers["authorization"], first);
    request.body = Bytes::from_static(b"[]");
    signer.sign(&mut request, NOW);
    assert_ne!(request.headers["authorization"], first);
}

#[test]
fn keys_that_cannot_be_are_refused_without_being_shown() {
    for keys in [
        AwsKeys { access_key_id: "", ..KEYS },
        AwsKeys { access_key_id: "AK/ID secret-part", ..KEYS },
        AwsKeys { secret_access_key: "", ..KEYS },
        AwsKeys { session_token: Some("two\nlines secret-part"), ..KEYS },
    ] {
        let error = AwsSigner::new(keys, "us-east-1", "bedrock").unwrap_err();
        assert!(!error.to_string().contains("secret-part"), "{error}");
    }
    assert!(AwsSigner::new(KEYS, "us east", "bedrock").is_err());
    let shown = format!("{:?}", AwsSigner::new(KEYS, "us-east-1", "bedrock").unwrap());
    assert!(!shown.contains("wJalr"), "{shown}");
}
