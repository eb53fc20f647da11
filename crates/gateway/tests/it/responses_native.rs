//! Backends that speak Responses themselves.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour};

use crate::{
    responses::{PATH, ask, code, delete, get, id_of, last_event, of},
    scene::{CHAT, CHAT_PATH, Scene, Setting},
};

pub(crate) const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

pub(crate) fn native(behaviour: Behaviour) -> (Backend, Scene) {
    let backend = Backend::start(behaviour);
    let scene =
        Scene::set(&backend, &Setting { model: "responses: native".to_owned(), ..Setting::default() });
    (backend, scene)
}

pub(crate) fn upstream(id: &str, output: &Value) -> Value {
    json!({"id": id, "object": "response", "created_at": 1, "status": "completed", "model": "small-v1",
        "output": output, "previous_response_id": null, "store": true, "novel": [1, 2.50],
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}})
}

pub(crate) fn message(text: &str) -> Value {
    json!({"type": "message", "id": "msg_u", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

pub(crate) fn reasoning() -> Value {
    json!({"type": "reasoning", "id": "rs_u", "summary": []})
}

fn events(id: &str, output: &Value) -> String {
    let mut begun = upstream(id, &json!([]));
    begun["status"] = json!("in_progress");
    let event = |name: &str, json: Value| format!("event: {name}\ndata: {json}\n\n");
    let delta = json!({"type": "response.output_text.delta", "sequence_number": 1, "output_index": 0,
        "content_index": 0, "item_id": "msg_u", "delta": "say \"response\": {}"});
    [
        event(
            "response.created",
            json!({"type": "response.created", "sequence_number": 0, "response": begun}),
        ),
        event("response.output_text.delta", delta),
        event("response.novel", json!({"type": "response.novel", "sequence_number": 2})),
        event(
            "response.completed",
            json!({"type": "response.completed", "sequence_number": 3, "response": upstream(id, output)}),
        ),
    ]
    .concat()
}

#[test]
fn a_native_backend_gets_the_clients_own_bytes_and_its_answer_gets_the_routers_id() {
    let (backend, scene) = native(Behaviour::default().reply(
        PATH,
        200,
        JSON,
        upstream("resp_u1", &json!([message("Hello.")])).to_string(),
    ));
    let answer = ask(&scene, &json!({"input": "hi", "novel": {"a": 1.0}}));
    let sent = &backend.requests()[0];
    assert_eq!(sent.path, PATH);
    assert_eq!(sent.json(), json!({"input": "hi", "novel": {"a": 1.0}, "model": "small-v1"}));
    let body = answer.json();
    assert!(id_of(&answer) != "resp_u1" && !answer.text().contains("resp_u1"));
    assert_eq!((&body["novel"], &body["output"][0]["id"]), (&json!([1, 2.5]), &json!("msg_u")));
    assert!(answer.text().contains("2.5"), "what is not edited stays");
    assert_eq!(get(&scene, &of(&id_of(&answer))).text(), answer.text());
    scene.wait_metric("llm_model_completion_tokens_total{model=\"small\"} 2");
    // Clients of other protocols are asked in the backend's other one.
    assert_eq!(scene.chat(CHAT).status(), 200);
    assert_eq!(backend.requests()[1].path, CHAT_PATH);
}

#[test]
fn a_native_stream_passes_and_is_stored() {
    let (_backend, scene) =
        native(Behaviour::default().reply(PATH, 200, EVENTS, events("resp_u1", &json!([message("Hello.")]))));
    let response = ask(&scene, &json!({"input": "hi", "stream": true}));
    assert!(!response.text().contains("resp_u1"));
    let seen = response.events();
    let names: Vec<&str> = seen.iter().filter_map(|event| event.event.as_deref()).collect();
    assert_eq!(
        names,
        ["response.created", "response.output_text.delta", "response.novel", "response.completed"]
    );
    let told = last_event(&response)["response"].clone();
    assert_eq!(seen[0].json().unwrap()["response"]["id"], told["id"]);
    assert_eq!(get(&scene, &of(told["id"].as_str().unwrap())).json(), told);
}

#[test]
fn a_backend_cannot_put_events_into_the_name_of_one() {
    let odd = json!({"type": "response.odd\nevent: evil\ndata: {}\n\n", "response": {"id": "resp_u1"}});
    let stream = format!("data: {odd}\n\n{}", events("resp_u1", &json!([message("Hello.")])));
    let (_backend, scene) = native(Behaviour::default().reply(PATH, 200, EVENTS, stream));
    let response = ask(&scene, &json!({"input": "hi", "stream": true}));
    let seen = response.events();
    assert_eq!((seen[0].event.as_deref(), seen.len()), (None, 5));
    assert_eq!(seen[0].json().unwrap()["type"], odd["type"]);
}

#[test]
fn what_can_be_said_anew_is_and_no_upstream_id_is_needed() {
    let output = json!([
        {"type": "reasoning", "id": "rs_u", "summary": [], "encrypted_content": "sealed"},
        message("Hello."),
    ]);
    let (backend, scene) =
        native(Behaviour::default().reply(PATH, 200, JSON, upstream("resp_u1", &output).to_string()));
    let first = ask(&scene, &json!({"input": "one"}));
    let second = ask(&scene, &json!({"input": "two", "previous_response_id": id_of(&first)}));
    assert_eq!(second.json()["previous_response_id"], json!(id_of(&first)));
    let sent = backend.requests()[1].json();
    assert_eq!(sent.get("previous_response_id"), None);
    assert_eq!(sent["input"].as_array().unwrap().len(), 4);
    assert_eq!(sent["input"][1], json!({"type": "reasoning", "summary": [], "encrypted_content": "sealed"}));
    assert_eq!(sent["input"][2]["content"][0]["text"], "Hello.");
    assert_eq!(sent["input"][2].get("id"), None);
}

#[test]
fn what_only_the_upstream_knows_is_referred_to_by_its_own_id() {
    let output = json!([reasoning(), message("Hello.")]);
    let behaviour = Behaviour::default()
        .reply(PATH, 200, JSON, upstream("resp_u1", &output).to_string())
        .reply(PATH, 200, EVENTS, events("resp_u2", &json!([message("Hello.")])))
        .reply(PATH, 200, JSON, upstream("resp_u3", &json!([message("Hello.")])).to_string());
    let (backend, scene) = native(behaviour);
    let first = ask(&scene, &json!({"input": "one"}));
    let second = ask(&scene, &json!({"input": "two", "stream": true, "previous_response_id": id_of(&first)}));
    let told = last_event(&second)["response"].clone();
    assert_eq!(told["previous_response_id"], json!(id_of(&first)));
    // The second turn could be said anew, but not the first one: the session stays bound.
    let third = ask(&scene, &json!({"input": "three", "previous_response_id": told["id"]}));
    assert_eq!(third.json()["previous_response_id"], told["id"]);
    for (index, (id, text)) in [("resp_u1", "two"), ("resp_u2", "three")].into_iter().enumerate() {
        let sent = backend.requests()[index + 1].json();
        assert_eq!(sent["previous_response_id"], id);
        assert_eq!(sent["input"].as_array().unwrap().len(), 1);
        assert_eq!(sent["input"][0]["content"][0]["text"], text);
    }
}

#[test]
fn an_upstream_that_forgot_is_told_all_that_can_be_said() {
    let error = json!({"error": {"message": "Previous response with id 'resp_u1' not found.", "type": "invalid_request_error",
        "param": "previous_response_id", "code": "previous_response_not_found"}});
    let behaviour = Behaviour::default()
        .reply(PATH, 200, JSON, upstream("resp_u1", &json!([reasoning(), message("Hello.")])).to_string())
        .reply(PATH, 400, JSON, error.to_string())
        .reply(PATH, 200, JSON, upstream("resp_u2", &json!([message("Hello.")])).to_string());
    let (backend, scene) = native(behaviour);
    let first = ask(&scene, &json!({"input": "one"}));
    let second = ask(&scene, &json!({"input": "two", "previous_response_id": id_of(&first)}));
    assert_eq!(second.status(), 200);
    let requests = backend.requests();
    assert_eq!(requests[1].json()["previous_response_id"], "resp_u1");
    let sent = requests[2].json();
    assert_eq!(sent.get("previous_response_id"), None);
    assert_eq!(second.header("x-vsr-lossiness-warnings"), None, "all was said at first");
    let kinds: Vec<&str> =
        sent["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "message", "message"]);
}

#[test]
fn a_native_backend_needs_a_path_beside_which_responses_are() {
    let compiled = |setting: &Setting| {
        let mut document = vsr_config::Document::parse("test.yaml", &setting.yaml(1), &|_| None);
        let reader = vsr_reader::Reader::without_models();
        let surroundings = vsr_router::Surroundings { variables: &|_| None, reader: &reader };
        let snapshot = vsr_router::compile(&mut document, &surroundings);
        (snapshot, document.problems().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let model = "responses: native".to_owned();
    let odd =
        Setting { backend: "chat_path: /generate".to_owned(), model: model.clone(), ..Setting::default() };
    let (snapshot, problems) = compiled(&odd);
    assert!(
        snapshot.is_none() && problems.iter().any(|problem| problem.contains("chat_path")),
        "{problems:?}"
    );
    let anthropic = Setting { model: model.clone() + "\napi_format: anthropic", ..Setting::default() };
    let (snapshot, problems) = compiled(&anthropic);
    assert!(snapshot.is_none() && problems.iter().any(|problem| problem.contains("speak Responses")));
    let base = Setting {
        backend: "chat_path: /openai/v1/chat/completions?api-version=x".to_owned(),
        model,
        ..Setting::default()
    };
    let (snapshot, _) = compiled(&base);
    let snapshot = snapshot.unwrap();
    let backend = &snapshot.models().find("small").unwrap().backends[0];
    assert_eq!(
        backend.path(vsr_protocol::Protocol::Responses).as_str(),
        "/openai/v1/responses?api-version=x"
    );
    for lines in ["ttl_seconds: 0", "max_responses: 0", "max_bytes: 0"] {
        let global = format!("services:\n  response_api: {{{lines}}}\n");
        assert!(compiled(&Setting { global, ..Setting::default() }).0.is_none(), "{lines}");
    }
    let global = "services:\n  response_api: {store_backend: redis}\n".to_owned();
    let (snapshot, problems) = compiled(&Setting { global, ..Setting::default() });
    assert!(snapshot.is_some() && problems.iter().any(|problem| problem.contains("embedded store serves")));
}

#[test]
fn another_model_gets_what_can_be_said_and_the_client_is_told_what_cannot() {
    let output = json!([reasoning(), message("Hello.")]);
    let behaviour =
        Behaviour::default().text("Hi.").reply(PATH, 200, JSON, upstream("resp_u1", &output).to_string());
    let backend = Backend::start(behaviour);
    let directory = tempfile::tempdir().unwrap();
    let store = || std::sync::Arc::new(vsr_store::EmbeddedStore::open(directory.path()).unwrap());
    let set = |native: &str| {
        Scene::set(&backend, &Setting { model: native.to_owned(), store: store(), ..Setting::default() })
    };
    let scene = set("responses: native");
    let first = ask(&scene, &json!({"input": "one"}));
    drop(scene);
    let scene = set("");
    let second = ask(&scene, &json!({"input": "two", "previous_response_id": id_of(&first)}));
    assert_eq!(second.header("x-vsr-lossiness-warnings"), Some("lossy;history_left_out;input"));
    let messages = backend.requests()[1].json()["messages"].clone();
    let said: Vec<&str> =
        messages.as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["one", "Hello.", "two"]);
}

#[test]
fn a_deleted_response_is_deleted_at_its_backend_too() {
    let reply = upstream("resp_u1", &json!([message("Hello.")])).to_string();
    let odd = upstream("../admin?x", &json!([message("Hello.")])).to_string();
    let backend =
        Backend::start(Behaviour::default().reply(PATH, 200, JSON, reply).reply(PATH, 200, JSON, odd));
    let setting = Setting {
        model: "responses: native".to_owned(),
        backend: "api_key: backend-key".to_owned(),
        ..Setting::default()
    };
    let scene = Scene::set(&backend, &setting);
    let id = id_of(&ask(&scene, &json!({"input": "hi"})));
    assert_eq!(delete(&scene, &of(&id)).status(), 200);
    let sent = &backend.requests()[1];
    assert_eq!((&*sent.method, &*sent.path), ("DELETE", "/v1/responses/resp_u1"));
    assert_eq!(sent.header("authorization"), Some("Bearer backend-key"));
    let odd = id_of(&ask(&scene, &json!({"input": "hi"})));
    assert_eq!(delete(&scene, &of(&odd)).status(), 200);
    assert_eq!(backend.requests().len(), 3);
}

#[test]
fn a_backend_is_not_asked_for_items_by_ids_that_may_be_anothers() {
    let reply = upstream("resp_u1", &json!([message("Hello.")])).to_string();
    let (backend, scene) = native(Behaviour::default().reply(PATH, 200, JSON, reply));
    assert_eq!(ask(&scene, &json!({"input": "hi"})).status(), 200);
    for store in [true, false] {
        let items = json!([{"type": "item_reference", "id": "msg_other"}]);
        let refused = ask(&scene, &json!({"input": items, "store": store}));
        assert_eq!((refused.status(), &refused.json()["error"]["param"]), (400, &json!("input")));
        let untyped = ask(&scene, &json!({"input": [{"id": "msg_u"}], "store": store}));
        assert_eq!(untyped.status(), 400);
    }
    assert_eq!(backend.requests().len(), 1);
    let items = json!([reasoning(), {"role": "user", "content": "x", "id": "msg_u"}]);
    for store in [true, false] {
        let _asked = ask(&scene, &json!({"input": items, "store": store}));
        let sent = backend.requests().last().unwrap().json();
        let expected = json!([{"type": "reasoning", "summary": []}, {"role": "user", "content": "x"}]);
        assert_eq!(sent["input"], expected);
    }
}

#[test]
fn fields_of_the_service_are_checked_whatever_the_backend_would_say() {
    let (backend, scene) = native(Behaviour::default());
    let previous =
        [json!(5), json!(true), json!([]), json!(["resp_x"]), json!({}), json!({"id": 5}), json!("")];
    let cases = previous.iter().flat_map(|value| [("previous_response_id", value), ("conversation", value)]);
    let (word, list) = (json!("x"), json!([1]));
    for (field, value) in cases.chain([("truncation", &word), ("metadata", &list)]) {
        let refused = ask(&scene, &json!({"input": "hi", field: value}));
        assert_eq!(code(&refused), (400, json!(field), json!(null)), "{field}: {value}");
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn what_cannot_be_read_back_is_not_stored() {
    let garbage = [json!([5]), json!([{"type": "message", "id": 7}])];
    let replies = garbage.iter().fold(Behaviour::default(), |behaviour, output| {
        behaviour.reply(PATH, 200, JSON, upstream("resp_u1", output).to_string())
    });
    let (_backend, scene) = native(replies.reply(PATH, 200, EVENTS, events("resp_u1", &json!(5))));
    for output in &garbage {
        let answer = ask(&scene, &json!({"input": "hi"}));
        assert_eq!((&answer.json()["store"], &answer.json()["output"]), (&json!(false), output));
        let refused = ask(&scene, &json!({"input": "hi", "previous_response_id": id_of(&answer)}));
        assert_eq!(code(&refused).2, "previous_response_not_found");
    }
    let streamed = ask(&scene, &json!({"input": "hi", "stream": true}));
    assert_eq!(last_event(&streamed)["response"]["store"], false);
}

#[test]
fn what_is_no_answer_is_an_error() {
    let garbage = [json!(5), json!({})];
    let replies = garbage.iter().fold(Behaviour::default(), |behaviour, output| {
        behaviour.reply(PATH, 200, JSON, upstream("resp_u1", output).to_string())
    });
    let (_backend, scene) = native(replies);
    for output in &garbage {
        let answer = ask(&scene, &json!({"input": "hi"}));
        assert_eq!(
            (answer.status(), code(&answer).2.as_str()),
            (502, Some("upstream_invalid_response")),
            "{output}"
        );
    }
}

#[test]
fn a_native_stream_that_breaks_off_ends_in_an_error_with_the_next_number() {
    let whole = events("resp_u1", &json!([message("Hello.")]));
    let torn = whole.split("event: response.completed").next().unwrap().to_owned();
    let (_backend, scene) = native(Behaviour::default().reply(PATH, 200, EVENTS, torn));
    for store in [true, false] {
        let told = last_event(&ask(&scene, &json!({"input": "hi", "stream": true, "store": store})));
        assert_eq!((&told["type"], &told["sequence_number"]), (&json!("error"), &json!(3)));
    }
}
