//! Responses as a stateful service: what is kept, for whom, and how turns are chained.

use serde_json::{Value, json};
use vsr_testkit::{Backend, Behaviour, DEADLINE, Fault, Gate, RawClient, Response};

use crate::scene::{CHAT_PATH, Scene, Setting};

pub(crate) const PATH: &str = "/v1/responses";

pub(crate) fn scene(text: &str) -> (Backend, Scene) {
    let backend = Backend::start(Behaviour::default().text(text));
    let scene = Scene::before(&backend);
    (backend, scene)
}

pub(crate) fn with_global(backend: &Backend, lines: &str) -> Scene {
    let global = format!("services:\n  response_api: {{{lines}}}\n");
    Scene::set(backend, &Setting { global, ..Setting::default() })
}

pub(crate) fn ask(scene: &Scene, body: &Value) -> Response {
    ask_at(scene.port(), body)
}

pub(crate) fn ask_at(port: u16, body: &Value) -> Response {
    let mut body = body.clone();
    body["model"] = json!("auto");
    RawClient::post_json(port, PATH, body.to_string())
}

pub(crate) fn id_of(response: &Response) -> String {
    response.json()["id"].as_str().unwrap().to_owned()
}

pub(crate) fn get(scene: &Scene, path: &str) -> Response {
    RawClient::get(scene.port(), path)
}

pub(crate) fn of(id: &str) -> String {
    format!("{PATH}/{id}")
}

pub(crate) fn delete(scene: &Scene, path: &str) -> Response {
    RawClient::request(scene.port(), "DELETE", path, &[], b"")
}

pub(crate) fn code(response: &Response) -> (u16, Value, Value) {
    let error = &response.json()["error"];
    (response.status(), error["param"].clone(), error["code"].clone())
}

pub(crate) fn last_event(response: &Response) -> Value {
    response.events().last().unwrap().json().unwrap()
}

/// Waits until the response has ended.
fn wait_stored(scene: &Scene, id: &str) -> Value {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        let response = get(scene, &of(id));
        if response.status() == 200 && response.json()["status"] != "in_progress" {
            return response.json();
        }
        assert!(std::time::Instant::now() < deadline, "{id} was never stored");
    }
}

#[test]
fn what_proves_to_a_tools_server_who_calls_is_neither_told_nor_kept() {
    let (_backend, scene) = scene("Hello.");
    let tool = json!({
        "type": "mcp", "server_label": "tickets", "server_url": "https://tickets.example",
        "headers": {"X-Team": "SECRET-ONE"}, "authorization": "SECRET-TWO",
    });
    let answer = ask(&scene, &json!({"input": "hi", "tools": [tool, {"type": "custom", "name": "patch"}]}));
    let told = json!([
        {"type": "mcp", "server_label": "tickets", "server_url": "https://tickets.example"},
        {"type": "custom", "name": "patch"},
    ]);
    assert_eq!(answer.json()["tools"], told);
    let kept = get(&scene, &of(&id_of(&answer)));
    assert_eq!(kept.json()["tools"], told);
}

#[test]
fn a_response_is_read_back_as_its_client_got_it_until_it_is_deleted() {
    let (_backend, scene) = scene("Hello.");
    let answer = ask(&scene, &json!({"input": "hello there", "metadata": {"k": "v"}}));
    let body = answer.json();
    let id = id_of(&answer);
    assert_eq!((id.len(), &body["store"], &body["status"]), (53, &json!(true), &json!("completed")));
    assert_eq!(body["previous_response_id"], json!(null));
    let read = get(&scene, &of(&id));
    assert_eq!((read.status(), read.text()), (200, answer.text()));
    assert_eq!(read.header("content-type"), Some("application/json"));
    scene.wait_metric("vsr_stored_responses_total{outcome=\"kept\"}");

    let deleted = delete(&scene, &of(&id));
    assert_eq!(deleted.json(), json!({"id": id, "object": "response.deleted", "deleted": true}));
    for response in [get(&scene, &of(&id)), delete(&scene, &of(&id))] {
        assert_eq!(
            (response.status(), &response.json()["error"]["type"]),
            (404, &json!("invalid_request_error"))
        );
    }
    let chained = ask(&scene, &json!({"input": "and?", "previous_response_id": id}));
    assert_eq!(chained.status(), 400);
}

#[test]
fn a_chained_turn_is_sent_with_all_that_was_said_but_without_earlier_instructions() {
    let (backend, scene) = scene("Hello.");
    let first = ask(&scene, &json!({"input": "one", "instructions": "Be brief."}));
    let second = ask(&scene, &json!({"input": "two", "previous_response_id": id_of(&first)}));
    let third = ask(
        &scene,
        &json!({"input": "three", "instructions": "Rhyme.", "previous_response_id": id_of(&second)}),
    );
    assert_eq!(third.json()["previous_response_id"], json!(id_of(&second)));
    assert_eq!(third.json()["instructions"], "Rhyme.");
    let messages = backend.requests()[2].json()["messages"].clone();
    let said: Vec<(&str, &str)> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["role"].as_str().unwrap(), message["content"].as_str().unwrap()))
        .collect();
    let expected = [
        ("system", "Rhyme."),
        ("user", "one"),
        ("assistant", "Hello."),
        ("user", "two"),
        ("assistant", "Hello."),
        ("user", "three"),
    ];
    assert_eq!(said, expected);
    assert_eq!(backend.requests()[1].json()["messages"][0], json!({"role": "user", "content": "one"}));
    // Not stored itself, a turn may go on from one that is.
    let unstored =
        ask(&scene, &json!({"input": "four", "store": false, "previous_response_id": id_of(&third)}));
    assert_eq!((&unstored.json()["store"], unstored.status()), (&json!(false), 200));
    assert_eq!(unstored.json()["previous_response_id"], json!(id_of(&third)));
    assert_eq!(get(&scene, &of(&id_of(&unstored))).status(), 404);
}

#[test]
fn a_tool_loop_goes_over_chained_turns_with_its_calls_and_results() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{\"a\":1}"}});
    let message =
        json!({"role": "assistant", "content": null, "reasoning_content": "I add.", "tool_calls": [call]});
    let completion = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "small-v1",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let done = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "small-v1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "3"}, "finish_reason": "stop"}]});
    let behaviour = Behaviour::default()
        .reply(CHAT_PATH, 200, "application/json", completion.to_string())
        .reply(CHAT_PATH, 200, "application/json", done.to_string());
    let backend = Backend::start(behaviour);
    let scene = Scene::before(&backend);
    let tools =
        json!([{"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}]);
    let first = ask(&scene, &json!({"input": "1+2", "tools": tools}));
    let output = first.json()["output"].clone();
    assert_eq!((&output[0]["type"], &output[1]["type"]), (&json!("reasoning"), &json!("function_call")));
    let result = json!([{"type": "function_call_output", "call_id": "c1", "output": "3"}]);
    let second =
        ask(&scene, &json!({"input": result, "tools": tools, "previous_response_id": id_of(&first)}));
    assert_eq!(second.json()["output"][0]["content"][0]["text"], "3");
    let messages = backend.requests()[1].json()["messages"].clone();
    assert_eq!(messages[0], json!({"role": "user", "content": "1+2"}));
    assert_eq!(messages[1]["tool_calls"], json!([call]));
    assert_eq!(messages[1]["reasoning_content"], "I add.");
    assert_eq!(messages[2], json!({"role": "tool", "tool_call_id": "c1", "content": "3"}));

    // The same by naming the items, as some clients do.
    let references = json!([
        {"role": "user", "content": "1+2"},
        {"type": "item_reference", "id": output[0]["id"]},
        {"type": "item_reference", "id": output[1]["id"]},
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
    ]);
    assert_eq!(ask(&scene, &json!({"input": references, "tools": tools})).status(), 200);
    assert_eq!(backend.requests()[2].json()["messages"], messages);
    let unknown = format!("msg_{}_0", "0".repeat(48));
    let refused = ask(&scene, &json!({"input": [{"type": "item_reference", "id": unknown}]}));
    assert_eq!((refused.status(), &refused.json()["error"]["param"]), (400, &json!("input")));
}

#[test]
fn routing_reads_the_whole_chain() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let routing = "signals:\n\
                   \x20 conversation:\n\
                   \x20 - {name: long, feature: {type: count, source: {type: message, role: user}}, predicate: {gte: 2}}\n\
                   decisions:\n\
                   - name: canned\n\
                   \x20 priority: 1\n\
                   \x20 rules: {operator: OR, conditions: [{type: conversation, name: long}]}\n\
                   \x20 modelRefs: [{model: small}]\n\
                   \x20 plugins:\n\
                   \x20 - {type: fast_response, configuration: {message: Enough.}}\n";
    let scene = Scene::set(&backend, &Setting { routing: routing.to_owned(), ..Setting::default() });
    let first = ask(&scene, &json!({"input": "one"}));
    assert_eq!(first.json()["output"][0]["content"][0]["text"], "Hello.");
    let second = ask(&scene, &json!({"input": "two", "previous_response_id": id_of(&first)}));
    assert_eq!(second.json()["output"][0]["content"][0]["text"], "Enough.");
    // The router's own answers are stored as any, streamed or not.
    assert_eq!(get(&scene, &of(&id_of(&second))).text(), second.text());
    let third =
        ask(&scene, &json!({"input": "three", "stream": true, "previous_response_id": id_of(&second)}));
    let told = last_event(&third)["response"].clone();
    assert_eq!(told["output"][0]["content"][0]["text"], "Enough.");
    assert_eq!(get(&scene, &of(told["id"].as_str().unwrap())).json(), told);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_streamed_response_is_stored_before_its_client_sees_the_end() {
    let (backend, scene) = scene("Hello there.");
    let first = ask(&scene, &json!({"input": "one"}));
    let response =
        ask(&scene, &json!({"input": "two", "stream": true, "previous_response_id": id_of(&first)}));
    let events = response.events();
    for (index, event) in events.iter().enumerate() {
        let json = event.json().unwrap();
        assert_eq!(json["sequence_number"], index);
        assert_eq!(json["type"].as_str(), event.event.as_deref());
        if let Some(told) = json.get("response") {
            assert_eq!(told["previous_response_id"], json!(id_of(&first)));
            assert_eq!(told["store"], true);
        }
    }
    let told = last_event(&response);
    assert_eq!(told["type"], "response.completed");
    let id = told["response"]["id"].as_str().unwrap();
    assert_eq!(events[0].json().unwrap()["response"]["id"], id);
    assert_eq!(get(&scene, &of(id)).json(), told["response"]);
    assert_eq!(backend.requests()[1].json()["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn a_client_that_leaves_leaves_an_incomplete_response() {
    let gate = Gate::new();
    let backend = Backend::start(
        Behaviour::default().text("Hello there, dear.").faults([Fault::Stall { after_events: 3, gate }]),
    );
    let scene = Scene::before(&backend);
    let mut client = scene.connect();
    let body = json!({"model": "auto", "stream": true, "input": "hi"}).to_string();
    client.send_request("POST", PATH, &[("content-type", "application/json")], body.as_bytes());
    client.read_head();
    let mut id = String::new();
    let mut said = String::new();
    while said.is_empty() {
        let event = client.read_event().unwrap().unwrap().json().unwrap();
        if event["type"] == "response.created" {
            id = event["response"]["id"].as_str().unwrap().to_owned();
        }
        if event["type"] == "response.output_text.delta" {
            said.push_str(event["delta"].as_str().unwrap());
        }
    }
    assert_eq!(get(&scene, &of(&id)).json()["status"], "in_progress");
    client.reset();
    backend.wait_cancelled(1);
    let stored = wait_stored(&scene, &id);
    assert_eq!((&stored["status"], &stored["id"]), (&json!("incomplete"), &json!(id)));
    assert_eq!(stored["incomplete_details"], json!({"reason": "client_disconnected"}));
    let text = stored["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!("Hello there, dear.".starts_with(text) && text.starts_with(&said), "{text:?}");
    backend.behave(Behaviour::default());
    let next = ask(&scene, &json!({"input": "go on", "previous_response_id": id}));
    assert_eq!(next.status(), 200);
}

#[test]
fn a_stream_that_breaks_leaves_a_failed_response_and_a_refused_request_none() {
    for fault in [
        Fault::EndWithoutFinish,
        Fault::ErrorEvent { after_events: 2 },
        Fault::Reset { after_events: 2, gate: None },
    ] {
        let backend = Backend::start(fault);
        let scene = Scene::before(&backend);
        let response = ask(&scene, &json!({"input": "hi", "stream": true}));
        let told = last_event(&response);
        assert_eq!(told["type"], "response.failed");
        let stored = get(&scene, &of(told["response"]["id"].as_str().unwrap())).json();
        assert_eq!((&stored["status"], &stored), (&json!("failed"), &told["response"]));
    }
    let backend = Backend::start(Fault::server_error());
    let scene = Scene::before(&backend);
    let response = ask(&scene, &json!({"input": "hi"}));
    assert_eq!((response.status(), response.json().get("id")), (500, None));
}

#[test]
fn input_items_come_in_pages_with_ids_that_stay() {
    let (_backend, scene) = scene("Hello.");
    let input = json!([
        {"role": "user", "content": "one"},
        {"type": "message", "id": "msg_own", "role": "user", "content": [{"type": "input_text", "text": "two"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "3"},
    ]);
    let id = id_of(&ask(&scene, &json!({"input": input})));
    let list = |query: &str| get(&scene, &format!("{}/input_items{query}", of(&id))).json();
    let all = list("?order=asc");
    assert_eq!((&all["object"], &all["has_more"]), (&json!("list"), &json!(false)));
    let data = all["data"].as_array().unwrap();
    assert_eq!(data[0]["content"], json!([{"type": "input_text", "text": "one"}]));
    assert_eq!((&data[0]["type"], &data[1]["id"]), (&json!("message"), &json!("msg_own")));
    assert_eq!((&data[2]["name"], &data[3]["output"]), (&json!("f"), &json!("3")));
    assert_eq!((&all["first_id"], &all["last_id"]), (&data[0]["id"], &data[3]["id"]));
    assert_eq!(list("?order=asc"), all);
    let newest = list("?limit=3");
    assert_eq!((&newest["data"][0], &newest["has_more"]), (&data[3], &json!(true)));
    let rest = list(&format!("?limit=3&after={}", newest["last_id"].as_str().unwrap()));
    assert_eq!((&rest["data"], &rest["has_more"]), (&json!([data[0]]), &json!(false)));
    for (query, param) in [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=x", "limit"),
        ("?order=up", "order"),
        ("?after=msg_none", "after"),
    ] {
        let refused = get(&scene, &format!("{}/input_items{query}", of(&id)));
        assert_eq!((refused.status(), &refused.json()["error"]["param"]), (400, &json!(param)), "{query}");
    }
    let text = id_of(&ask(&scene, &json!({"input": "plain"})));
    let items = get(&scene, &format!("{}/input_items", of(&text))).json();
    assert_eq!(items["data"][0]["content"][0], json!({"type": "input_text", "text": "plain"}));
}

#[test]
fn what_cannot_be_done_is_refused_in_the_protocols_words() {
    let (backend, scene) = scene("Hello.");
    let id = id_of(&ask(&scene, &json!({"input": "hi"})));
    let unknown = format!("resp_{}", "0".repeat(48));
    let chained = ask(&scene, &json!({"input": "hi", "previous_response_id": unknown}));
    assert_eq!(code(&chained), (400, json!("previous_response_id"), json!("previous_response_not_found")));
    assert_eq!(
        chained.json()["error"]["message"],
        format!("Previous response with id '{unknown}' not found.")
    );
    let background = ask(&scene, &json!({"input": "hi", "background": true}));
    assert_eq!(code(&background), (400, json!("background"), json!("unsupported_parameter")));
    let both = ask(&scene, &json!({"input": "hi", "previous_response_id": id, "conversation": "conv_1"}));
    assert_eq!(both.status(), 400);
    let conversation = ask(&scene, &json!({"input": "hi", "conversation": "conv_1"}));
    assert_eq!(
        (conversation.status(), &conversation.json()["error"]["param"]),
        (404, &json!("conversation"))
    );
    let cancel = RawClient::post_json(scene.port(), &format!("{}/cancel", of(&id)), "");
    assert_eq!(cancel.status(), 400);
    assert_eq!(cancel.json()["error"]["message"], "Cannot cancel a synchronous response.");
    assert_eq!(RawClient::post_json(scene.port(), &format!("{}/cancel", of(&unknown)), "").status(), 404);
    assert_eq!(get(&scene, &format!("{}?stream=true", of(&id))).status(), 400);
    let wrong = RawClient::post_json(scene.port(), &of(&id), "{}");
    assert_eq!((wrong.status(), wrong.header("allow")), (405, Some("GET, DELETE")));
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn many_turns_after_one_do_not_get_in_each_others_way() {
    let (backend, scene) = scene("Hello.");
    let root = id_of(&ask(&scene, &json!({"input": "root"})));
    let ids: Vec<String> = std::thread::scope(|scope| {
        let ask_one = |index: usize| {
            let (port, root) = (scene.port(), &root);
            scope.spawn(move || {
                let stream = index % 2 == 1;
                let body =
                    json!({"input": format!("n{index}"), "stream": stream, "previous_response_id": root});
                let response = ask_at(port, &body);
                match stream {
                    true => last_event(&response)["response"]["id"].as_str().unwrap().to_owned(),
                    false => id_of(&response),
                }
            })
        };
        let asked: Vec<_> = (0..12).map(ask_one).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(get(&scene, &of(id)).json()["previous_response_id"], json!(root));
        let items = get(&scene, &format!("{}/input_items", of(id))).json();
        assert_eq!(items["data"][0]["content"][0]["text"], format!("n{index}"));
    }
    assert!(
        backend.requests()[1..].iter().all(|sent| sent.json()["messages"].as_array().unwrap().len() == 3)
    );
}

#[test]
fn a_service_that_is_off_keeps_nothing_and_says_so() {
    let backend = Backend::start(Behaviour::default().text("Hello."));
    let scene = with_global(&backend, "enabled: false");
    let answer = ask(&scene, &json!({"input": "hi"}));
    assert_eq!((answer.status(), &answer.json()["store"]), (200, &json!(false)));
    assert_eq!(get(&scene, &of(&id_of(&answer))).status(), 404);
    for (param, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("background", json!(true)),
    ] {
        let refused = ask(&scene, &json!({"input": "hi", param: value}));
        assert_eq!(code(&refused), (400, json!(param), json!("unsupported_parameter")));
    }
    assert_eq!(backend.requests().len(), 1);
}
