//! Settings from a configuration and the environment.

use std::path::Path;

use vsr_config::{Expanded, HubSettings as Written};
use vsr_hub::{Error, HubSettings};

fn settings(written: &Written, variables: &[(&str, &str)]) -> Result<HubSettings, Error> {
    let find =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    HubSettings::of(written, Path::new("/etc/router"), &find)
}

const HOME: (&str, &str) = ("HOME", "/home/someone");

#[test]
fn the_environment_says_what_the_configuration_leaves_open() {
    let open = settings(&Written::default(), &[HOME]).unwrap();
    assert_eq!(open.endpoint.to_string(), "https://huggingface.co:443");
    assert_eq!(open.cache.root(), Path::new("/home/someone/.cache/vllm-sr/models"));
    assert!(open.token.is_none() && !open.offline);
    let environment = [
        ("HF_ENDPOINT", "https://mirror.example/hf"),
        ("HF_TOKEN", " token\n"),
        ("HF_HUB_OFFLINE", "1"),
        ("XDG_CACHE_HOME", "/var/cache"),
    ];
    let from = settings(&Written::default(), &environment).unwrap();
    assert_eq!((from.endpoint.authority(), from.base_path.as_str()), ("mirror.example:443", "/hf"));
    assert_eq!(from.token.unwrap().expose(), "token");
    assert_eq!(from.cache.root(), Path::new("/var/cache/vllm-sr/models"));
    assert!(from.offline);
    let written = Written {
        endpoint: Some(Expanded("https://own.example".to_owned())),
        token_env: "OTHER".to_owned(),
        cache_dir: Some(Expanded("kept".to_owned())),
        ..Written::default()
    };
    let own = settings(&written, &environment).unwrap();
    assert_eq!(own.endpoint.authority(), "own.example:443");
    assert!(own.token.is_none());
    assert_eq!(own.cache.root(), Path::new("/etc/router/kept"));
}

#[test]
fn a_token_travels_encrypted_or_not_at_all() {
    let variables = [HOME, ("HF_TOKEN", "token"), ("HF_ENDPOINT", "http://mirror.example")];
    let error = settings(&Written::default(), &variables).unwrap_err().to_string();
    assert!(error.contains("https") && !error.contains("`token`"), "{error}");
    settings(&Written::default(), &variables[..2]).unwrap();
    for local in ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"] {
        settings(&Written::default(), &[HOME, ("HF_TOKEN", "token"), ("HF_ENDPOINT", local)]).unwrap();
    }
}

#[test]
fn settings_that_cannot_be_used_say_which() {
    let nowhere = settings(&Written::default(), &[]).unwrap_err().to_string();
    assert!(nowhere.contains("cache_dir"), "{nowhere}");
    let endpoint =
        settings(&Written::default(), &[HOME, ("HF_ENDPOINT", "ftp://x")]).unwrap_err().to_string();
    assert!(endpoint.contains("endpoint"), "{endpoint}");
    let written = Written { token_file: Some(Expanded("no-such-file".to_owned())), ..Written::default() };
    let file = settings(&written, &[HOME]).unwrap_err().to_string();
    assert!(file.contains("/etc/router/no-such-file"), "{file}");
    let broken = settings(&Written::default(), &[HOME, ("HF_TOKEN", "a b")]).unwrap_err().to_string();
    assert!(broken.contains("token") && !broken.contains("a b"), "{broken}");
}
