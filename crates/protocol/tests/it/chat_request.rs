//! What a chat request means to routing.

use bytes::Bytes;
use vsr_protocol::{ApiError, ChatRequest, ClientRequest, RequestError, RequestLimits, ViewedRequest};
use vsr_types::Role;

pub(crate) fn read(body: &str) -> Result<ChatRequest, RequestError> {
    ChatRequest::parse(Bytes::copy_from_slice(body.as_bytes()), &RequestLimits::default())
}

fn request(body: &str) -> ChatRequest {
    read(body).unwrap()
}

fn with_messages(messages: &str) -> String {
    format!(r#"{{"model":"auto","messages":[{messages}]}}"#)
}

#[track_caller]
fn assert_refused(body: &str, param: &str, message: &str) {
    let error = read(body).unwrap_err();
    assert_eq!((error.param(), error.to_string().as_str()), (Some(param), message));
    assert_eq!(ApiError::from(error).status, 400);
}

#[test]
fn known_fields_are_read() {
    let request = request(
        r#"{"model":"auto","messages":[{"role":"user","content":"hi"}],"stream":true,
            "stream_options":{"include_usage":true},"reasoning_effort":"high","max_tokens":5,
            "max_completion_tokens":6,"n":2,"user":"u-1","metadata":{"a":"b"},
            "chat_template_kwargs":{"enable_thinking":false}}"#,
    );
    assert_eq!(request.model(), "auto");
    assert!(request.stream());
    assert_eq!(request.include_usage(), Some(true));
    assert_eq!(request.reasoning_effort(), Some("high"));
    assert_eq!(request.max_tokens(), Some(5));
    assert_eq!(request.max_completion_tokens(), Some(6));
    assert_eq!(request.choices(), Some(2));
    assert_eq!(request.user(), Some("u-1"));
    assert_eq!(request.metadata().unwrap().raw(), r#"{"a":"b"}"#);
    let kwargs = request.chat_template_kwargs().unwrap();
    assert_eq!(kwargs.get("enable_thinking").unwrap().as_bool(), Some(false));
}

#[test]
fn absent_and_null_options_are_the_same() {
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    for options in ["", r#","stream":null,"stream_options":null,"tools":null,"chat_template_kwargs":null"#] {
        let request = request(&format!(r#"{{"model":"m",{messages}{options}}}"#));
        assert!(!request.stream());
        assert_eq!(request.include_usage(), None);
        assert_eq!(request.tools().count, 0);
        assert!(request.chat_template_kwargs().is_none());
    }
}

#[test]
fn wrong_fields_are_named() {
    assert_refused(r#"{"messages":[]}"#, "model", "`model` is missing; name a model, or `auto`");
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    let model = |value: &str| format!(r#"{{"model":{value},{messages}}}"#);
    assert_refused(&model(r#""""#), "model", "`model` is empty; name a model, or `auto`");
    assert_refused(&model("1"), "model", "`model` must be a string, not a number");
    assert_refused(r#"{"model":"m"}"#, "messages", "`messages` is missing");
    let messages = |value: &str| format!(r#"{{"model":"m","messages":{value}}}"#);
    assert_refused(&messages("{}"), "messages", "`messages` must be an array, not an object");
    assert_refused(&messages("[]"), "messages", "`messages` is empty; send at least one message");
    assert_refused(&messages("[1]"), "messages[0]", "`messages[0]` must be an object, not a number");
    let message = |members: &str| messages(&format!(r#"[{{"role":"user"}},{{{members}}}]"#));
    assert_refused(&message(""), "messages[1].role", "`messages[1].role` is missing");
    assert_refused(
        &message(r#""role":"user","content":5"#),
        "messages[1].content",
        "`messages[1].content` must be a string or an array of parts, not a number",
    );
    assert_refused(
        &message(r#""role":"user","content":[{"type":"text","text":[]}]"#),
        "messages[1].content[0].text",
        "`messages[1].content[0].text` must be a string, not an array",
    );
    let stream = r#"{"model":"m","messages":[{"role":"user"}],"stream":"yes"}"#;
    assert_refused(stream, "stream", "`stream` must be a boolean, not a string");
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    let error = read("[]").unwrap_err();
    assert_eq!(error.to_string(), "the body must be a JSON object, not an array");
    assert_eq!(error.param(), None);
}

#[test]
fn other_spellings_of_read_keys_are_refused() {
    // Go matches keys regardless of case, by Unicode folding.
    for spelling in ["Model", "MODEL", "me\u{17f}\u{17f}ages"] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user"}}],"{spelling}":"x"}}"#);
        let error = read(&body).unwrap_err();
        assert_eq!(error.param(), Some(spelling), "{error}");
    }
    let body = with_messages(r#"{"role":"user","content":"safe","Content":"hidden"}"#);
    assert_eq!(read(&body).unwrap_err().param(), Some("messages[0].Content"));
    let body = with_messages(r#"{"role":"user","content":[{"type":"text","text":"a","TEXT":"b"}]}"#);
    assert_eq!(read(&body).unwrap_err().param(), Some("messages[0].content[0].TEXT"));
}

#[test]
fn escaped_keys_are_read_and_rewritten_in_plain_form() {
    let body = r#"{"mod\u0065l":"auto","messages":[{"r\u006fle":"user","content":"h\u0069"}],"\u0078-\"":1}"#;
    let request = request(body);
    assert_eq!(request.model(), "auto");
    assert_eq!(request.view().current_user, "hi");
    let plain = r#"{"model":"auto","messages":[{"role":"user","content":"h\u0069"}],"x-\"":1}"#;
    assert_eq!(request.body(), plain.as_bytes());
}

#[test]
fn a_body_without_escaped_keys_is_kept_as_it_came() {
    let body =
        Bytes::from_static(b" {\"model\" : \"m\" ,\n \"messages\":[{\"role\":\"user\"}], \"x\":1.50e2}\r\n");
    let request = ChatRequest::parse(body.clone(), &RequestLimits::default()).unwrap();
    assert_eq!(request.body().as_ptr(), body.as_ptr());
    assert_eq!(request.body(), &body);
}

#[test]
fn text_parts_are_joined_by_one_space() {
    let body = with_messages(
        r#"{"role":"user","content":[{"type":"text","text":"a\nb"},{"type":"text","text":""},
            {"text":"c"},{"type":"image_url","image_url":{"url":"https://x/1.png"}},"d"]}"#,
    );
    let request = request(&body);
    assert_eq!(request.messages()[0].text, "a\nb c d");
    assert_eq!(request.messages()[0].images, ["https://x/1.png"]);
}

#[test]
fn text_in_parts_of_unknown_types_is_in_sight() {
    let body = with_messages(r#"{"role":"user","content":[{"type":"memo","text":"look"}]}"#);
    let request = request(&body);
    assert_eq!(request.view().current_user, "look");
    assert_eq!(request.messages()[0].other_parts, 1);
}

#[test]
fn every_kind_of_part_is_counted() {
    let body = with_messages(
        r#"{"role":"user","content":[
            {"type":"image_url","image_url":{"url":"https://x/1.png"}},
            {"type":"image_url","image_url":"data:image/svg+xml;base64,AAAA"},
            {"image_url":{"url":"data:image/png;base64,iVBO"}},
            {"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},
            {"type":"file","file":{"file_id":"f"}},
            {"type":"video_url","video_url":{"url":"https://x/v"}}]}"#,
    );
    let request = request(&body);
    let view = request.view();
    assert_eq!((view.facts.images, view.facts.audios, view.facts.files), (3, 1, 1));
    assert_eq!(view.first_image.as_deref(), Some("data:image/png;base64,iVBO"));
    assert_eq!(view.first_audio.as_deref(), Some("AA"));
    assert_eq!(view.current_user, "");
    assert_eq!(request.messages()[0].other_parts, 1);
}

#[test]
fn the_view_sorts_texts_by_who_wrote_them() {
    let body = with_messages(
        r#"{"role":"system","content":"rules"},{"role":"developer","content":"more rules"},
           {"role":"user","content":"first"},
           {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
             "function":{"name":"lookup","arguments":"{\"q\":1}"}}]},
           {"role":"tool","tool_call_id":"c1","content":"found"},
           {"role":"function","name":"old","content":"legacy"},
           {"role":"assistant","content":"answer"},{"role":"user","content":"second"},
           {"role":"user","content":"  "},{"role":"critic","content":"hm"}"#,
    );
    let request = request(&body);
    let view = request.view();
    assert_eq!(view.current_user, "second");
    assert_eq!(view.prior_user, ["first"]);
    assert_eq!(view.non_user, ["rules", "more rules", "answer", "hm"]);
    assert_eq!(view.tool_results, ["found", "legacy"]);
    assert_eq!(view.tool_arguments, ["{\"q\":1}"]);
    let roles = view.facts.roles;
    assert_eq!((roles.system, roles.developer, roles.user), (1, 1, 3));
    assert_eq!((roles.assistant, roles.tool, roles.other), (2, 2, 1));
    assert_eq!(view.facts.last_role, Some(Role::Other));
    assert!(view.facts.has_prior_assistant_reply);
    assert_eq!(view.facts.assistant_tool_calls, 1);
    let call = &request.messages()[3].tool_calls[0];
    assert_eq!((&*call.id, &*call.name), ("c1", "lookup"));
    assert_eq!(&request.body()[call.arguments.clone()], br#""{\"q\":1}""#);
    assert_eq!(request.messages()[4].tool_call_id.as_deref(), Some("c1"));
}

#[test]
fn a_view_is_made_once_and_goes_with_its_request() {
    let body = with_messages(
        r#"{"role":"user","content":"look"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1",
            "type":"function","function":{"name":"lookup","arguments":"{\"q\":\"r\\n\"}"}}]}"#,
    );
    let viewed = ViewedRequest::new(ClientRequest::Chat(Box::new(request(&body))));
    let arguments = viewed.view().tool_arguments[0].as_ptr();
    let moved = Box::new(viewed);
    assert_eq!(moved.view().current_user, "look");
    assert_eq!(moved.view().tool_arguments, [r#"{"q":"r\n"}"#]);
    assert_eq!(moved.view().tool_arguments[0].as_ptr(), arguments, "unescaped again");
    assert_eq!(moved.request().view().tool_arguments, moved.view().tool_arguments);
}

#[test]
fn the_view_tells_what_is_new_since_the_assistant_spoke() {
    let news = |messages: &str| {
        let body = with_messages(messages);
        let request = request(&body);
        let view = request.view();
        (view.prior_user_of_turn, view.new_tool_results)
    };
    const USER: &str = r#"{"role":"user","content":"a"}"#;
    const TOOL: &str = r#"{"role":"tool","content":"t"}"#;
    const CALL: &str = r#"{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f"}}]}"#;
    const SAID: &str = r#"{"role":"assistant","content":"s"}"#;
    for (messages, expected) in [
        ([USER].as_slice(), (0, 0)),
        (&[USER, USER, USER], (2, 0)),
        (&[USER, SAID, USER, USER], (1, 0)),
        (&[USER, USER, CALL, TOOL, TOOL], (1, 2)),
        (&[USER, CALL, TOOL, CALL, TOOL], (0, 1)),
        (&[USER, CALL, TOOL, SAID, USER], (0, 0)),
        // The model goes on with what the last message begins.
        (&[USER, CALL, TOOL, SAID], (0, 1)),
        (&[USER, USER, SAID], (1, 0)),
    ] {
        assert_eq!(news(&messages.join(",")), expected, "{messages:?}");
    }
}

#[test]
fn an_assistant_after_the_last_user_message_is_no_prior_reply() {
    let body = with_messages(r#"{"role":"user","content":"a"},{"role":"assistant","content":"prefill"}"#);
    assert!(!request(&body).view().facts.has_prior_assistant_reply);
}

#[test]
fn tool_definitions_are_counted_and_named() {
    let tools = r#"[{"type":"function","function":{"name":"a","parameters":{}}},{"type":"custom","custom":{"name":"b"}},{"type":"web_search"}]"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user"}}],"tools":{tools},"functions":[{{"name":"c"}}],"tool_choice":"auto"}}"#
    );
    let request = request(&body);
    let definitions = request.tools();
    assert_eq!(definitions.names, ["a", "b", "c"]);
    assert_eq!(definitions.count, 4);
    assert_eq!(definitions.byte_length as usize, tools.len() - 4 + r#"{"name":"c"}"#.len());
    assert!(definitions.has_choice);
    assert_eq!(request.view().facts.tool_definitions, 4);
}

#[test]
fn items_are_bounded() {
    let limits = RequestLimits { max_items: 3, ..RequestLimits::default() };
    let body = |parts: &str| {
        Bytes::from(format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{parts}]}}],"tools":[{{}}]}}"#
        ))
    };
    assert!(ChatRequest::parse(body(r#"{"text":"a"}"#), &limits).is_ok());
    let error = ChatRequest::parse(body(r#"{"text":"a"},{"text":"b"}"#), &limits).unwrap_err();
    assert_eq!(error.param(), Some("messages[0].content[1]"));
}

#[test]
fn benchmark_bodies_are_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/bench/bodies");
    let Ok(files) = std::fs::read_dir(folder) else {
        println!("skipped: {folder} is absent");
        return;
    };
    for file in files {
        let path = file.unwrap().path();
        let body = std::fs::read(&path).unwrap();
        let request = ChatRequest::parse(Bytes::from(body.clone()), &RequestLimits::default()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        for (message, expected) in request.messages().iter().zip(value["messages"].as_array().unwrap()) {
            assert_eq!(Some(&*message.text), expected["content"].as_str(), "{}", path.display());
        }
        assert_eq!(request.model(), value["model"]);
    }
}
