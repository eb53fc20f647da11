"""The configurations the router runs on in these tests."""

from harness import free_port

HEADER = """\
version: v0.3
listeners:
  - name: http
    address: 127.0.0.1
    port: {port}
    timeout: 60s
    routing_headers: names
{listener_keys}
"""

GLOBAL = """\
global:
  router:
    include_config_models_in_list: true
    explicit_models: listed
  services:
    api:
      address: 127.0.0.1
      port: {api_port}
    observability:
      metrics:
        address: 127.0.0.1
        port: {metrics_port}
      tracing:
        enabled: false
"""

# Two models on one mock backend, told apart by the identifier the backend receives.
MOCK_ROUTING = """\
providers:
  defaults:
    default_model: small
  models:
    - name: small
      provider_model_id: upstream-small
      reliability: &reliability
        connect_timeout: 2s
        first_byte_timeout: 3s
        stream_idle_timeout: 2s
        retry_count: 0
      backend_refs:
        - name: mock
          endpoint: 127.0.0.1:{backend_port}
    - name: large
      provider_model_id: upstream-large
      reliability: *reliability
      backend_refs:
        - name: mock
          endpoint: 127.0.0.1:{backend_port}
          api_key_env: SDK_TEST_UPSTREAM_KEY
routing:
  modelCards:
    - name: small
    - name: large
  signals:
    keywords:
      - name: code_words
        operator: OR
        keywords: ["debug", "stack trace", "refactor"]
    conversation:
      - name: has_tools
        feature:
          type: exists
          source:
            type: tool_definition
  decisions:
    - name: code_route
      priority: 100
      rules:
        operator: AND
        conditions:
          - type: keyword
            name: code_words
      modelRefs:
        - model: large
    - name: tool_route
      priority: 50
      rules:
        operator: AND
        conditions:
          - type: conversation
            name: has_tools
          - operator: NOT
            conditions:
              - type: keyword
                name: code_words
      modelRefs:
        - model: small
"""

LLAMA_ROUTING = """\
providers:
  defaults:
    default_model: smollm2
  models:
    - name: smollm2
      backend_refs:
        - name: llama
          endpoint: 127.0.0.1:{backend_port}
routing:
  modelCards:
    - name: smollm2
  signals:
    structure:
      - name: asks
        feature:
          type: exists
          source:
            type: regex
            pattern: '[?]'
  decisions:
    - name: question_route
      priority: 10
      rules:
        operator: AND
        conditions:
          - type: structure
            name: asks
      modelRefs:
        - model: smollm2
"""

# What the clients in clients/ are routed to: a word of the question names the model. Each server is there twice, once
# for each protocol that backends speak. The default is a closed port: a turn that loses its decision fails.
CLIENTS_HEAD = """\
providers:
  defaults:
    default_model: nobody
  models:
    - name: nobody
      backend_refs:
        - name: nobody
          endpoint: 127.0.0.1:9
"""

CLIENTS_MODEL = """\
    - name: {name}
      provider_model_id: {served}
      api_format: {api_format}
      reliability:
        retry_count: 0
      backend_refs:
        - name: {name}
          endpoint: 127.0.0.1:{port}
"""

CLIENTS_KEYWORD = """\
      - name: asks_{word}
        operator: OR
        keywords: ["{name}"]
"""

CLIENTS_DECISION = """\
    - name: {word}_route
      priority: 10
      rules:
        operator: AND
        conditions:
          - type: keyword
            name: asks_{word}
      modelRefs:
        - model: {name}
"""

CLIENTS_MODELS = [
    # name, what the server calls it, protocol, server
    ("simulated-chat", "gpt-simulated", "openai", "simulator"),
    ("simulated-messages", "claude-sonnet-4-5", "anthropic", "simulator"),
    ("llama-chat", "smollm2", "openai", "llama"),
    ("llama-messages", "smollm2", "anthropic", "llama"),
]

# One model on one backend, which speaks `api_format`.
RECORDED_ROUTING = """\
providers:
  defaults:
    default_model: served
  models:
    - name: served
      api_format: {api_format}
      backend_refs:
        - name: recorder
          endpoint: 127.0.0.1:{{backend_port}}
          api_key_env: SDK_TEST_UPSTREAM_KEY
routing:
  modelCards:
    - name: served
"""


def clients_routing(**ports: int) -> str:
    """The part of a configuration that sends a question to the model it names; `ports` are those of the servers."""
    models = [
        {"name": name, "word": name.replace("-", "_"), "served": served, "api_format": protocol, "port": ports[server]}
        for name, served, protocol, server in CLIENTS_MODELS
    ]
    each = lambda part: "".join(part.format(**model) for model in models)
    cards = "".join(f"    - name: {model['name']}\n" for model in [{"name": "nobody"}, *models])
    return (
        f"{CLIENTS_HEAD}{each(CLIENTS_MODEL)}routing:\n  modelCards:\n{cards}  signals:\n    keywords:\n"
        f"{each(CLIENTS_KEYWORD)}  decisions:\n{each(CLIENTS_DECISION)}"
    )


def config(routing: str, port: int, backend_port: int, listener_keys: str = "") -> str:
    """A whole configuration: `routing` behind a listener on `port`."""
    head = HEADER.format(port=port, listener_keys=listener_keys)
    tail = GLOBAL.format(api_port=free_port(), metrics_port=free_port())
    return head + routing.format(backend_port=backend_port) + tail
