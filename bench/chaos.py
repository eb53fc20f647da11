"""The router beside nginx and Envoy, with equal settings, before backends that fail. chaos.sh starts it; README.md explains the rows."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

from chaos_backends import BACKENDS, DELAY_SECONDS
from processes import HOME, MEASURED, MEASURING, REAL_TIME, Processes, load_command, load_result, require_kit, router_command

SECONDS = float(os.environ.get("SECS", "20"))
RATE = float(os.environ.get("RATE", "200"))
SCENARIOS = [
    "well", "one resets", "one hangs", "one overloaded", "storms at one", "flapping", "all reset some", "all overloaded some",
]
PEERS = os.environ.get("PEERS", "nginx envoy").split()
FIRST_PORT = 9210
PORTS = {"nginx": 9201, "envoy": 9202, "ours": 8811}
BACKEND_PORTS = [FIRST_PORT + index for index in range(BACKENDS)]

# Equal for all: three calls in all, also where a model may have seen the request; one second for the head of an answer,
# 250 ms to connect; five failures in a row leave a backend out for five seconds. nginx has no bound on what is repeated
# at one time, so that the others have a high one.
NGINX = """
worker_processes 1; daemon off; pid {logs}/nginx.pid; error_log {logs}/nginx.err crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_buffer_size 256k;
  upstream u {{ zone u 64k; {servers} keepalive 256; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_connect_timeout 250ms; proxy_read_timeout 1s;
      proxy_next_upstream error timeout http_502 http_503 http_504 non_idempotent; proxy_next_upstream_tries 3;
    }}
  }}
}}
"""

ENVOY = """
static_resources:
  listeners:
  - name: l
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: s
          route_config:
            virtual_hosts:
            - name: v
              domains: ["*"]
              routes:
              - match: {{prefix: "/"}}
                route:
                  cluster: up
                  timeout: 30s
                  retry_policy:
                    retry_on: connect-failure,reset,gateway-error
                    num_retries: 2
                    per_try_timeout: 1s
                    retry_back_off: {{base_interval: 0.025s}}
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config:
                        "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate
                    host_selection_retry_max_attempts: 5
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: up
    type: STATIC
    connect_timeout: 0.25s
    circuit_breakers: {{thresholds: [{{max_retries: 1000, max_connections: 4096, max_pending_requests: 4096, max_requests: 4096}}]}}
    outlier_detection:
      consecutive_5xx: 5
      consecutive_gateway_failure: 5
      enforcing_consecutive_gateway_failure: 100
      enforcing_success_rate: 0
      enforcing_failure_percentage: 0
      interval: 1s
      base_ejection_time: 5s
      max_ejection_time: 5s
      max_ejection_percent: 50
    load_assignment: {{cluster_name: up, endpoints: [{{lb_endpoints: [{endpoints}]}}]}}
"""

OURS = """
version: v0.3
listeners: [{{name: l, address: 127.0.0.1, port: {port}}}]
providers:
  defaults: {{default_model: m}}
  models:
  - name: m
    backend_refs: [{backends}]
    reliability:
      retry_count: 2
      retry_on: connect-failure,reset,gateway-error
      retry_budget_percent: 100
      min_retry_concurrency: 1000
      connect_timeout: 250ms
      first_byte_timeout: 1s
      request_timeout: 30s
      consecutive_5xx: 5
      base_ejection_time: 5s
      max_ejection_time: 5s
      max_ejection_percent: 50
routing: {{modelCards: [{{name: m}}]}}
global:
  router: {{worker_threads: 1, state_dir: {logs}/state}}
  services: {{api: {{port: 18811}}, observability: {{metrics: {{port: 19811}}}}}}
"""


def start(processes: Processes, name: str) -> None:
    port, logs = PORTS[name], processes.logs
    if name == "nginx":
        servers = " ".join(f"server 127.0.0.1:{backend} max_fails=5 fail_timeout=5s;" for backend in BACKEND_PORTS)
        (logs / "chaos-nginx.conf").write_text(NGINX.format(logs=logs, port=port, servers=servers))
        command = [*REAL_TIME, "nginx", "-c", str(logs / "chaos-nginx.conf")]
    elif name == "envoy":
        endpoint = "{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}}}}"
        endpoints = ", ".join(endpoint.format(backend) for backend in BACKEND_PORTS)
        (logs / "chaos-envoy.yaml").write_text(ENVOY.format(port=port, endpoints=endpoints))
        command = [*REAL_TIME, str(HOME / "venv-tools/bin/envoy"), "-c", str(logs / "chaos-envoy.yaml"), "--concurrency", "1"]
        command += ["-l", "error", "--base-id", "3", "--disable-hot-restart"]
    else:
        backends = ", ".join(f"{{name: b{backend}, endpoint: '127.0.0.1:{backend}'}}" for backend in BACKEND_PORTS)
        (logs / "chaos-ours.yaml").write_text(OURS.format(port=port, logs=logs, backends=backends))
        command = router_command(logs / "chaos-ours.yaml")
    processes.spawn(name, port, MEASURED + command)


def measure(processes: Processes, scenario: str, column: str) -> dict:
    """One column of one scenario; everything is started anew, so that nothing is known of the backends before."""
    backends = [*MEASURING, *REAL_TIME, sys.executable, str(pathlib.Path(__file__).with_name("chaos_backends.py"))]
    processes.spawn("backends", FIRST_PORT, [*backends, scenario, str(FIRST_PORT)])
    port = FIRST_PORT
    if column != "direct":
        start(processes, column)
        port = PORTS[column]
    body = "1k-auto" if column == "ours" else "1k"
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    command = load_command(url, body, rate=RATE, connections=256, seconds=SECONDS, warm=1, stream=False)
    process = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * 4 + 60)
    result = load_result(process, process.stdout or process.stderr)
    for name in list(processes.running):
        processes.stop(name)
    return result


def main() -> None:
    require_kit(PEERS)
    out = pathlib.Path(sys.argv[1])
    only = os.environ.get("SCENARIOS")
    scenarios = only.split(",") if only else SCENARIOS
    columns = [*PEERS, "ours"]
    with Processes(out / "logs") as processes, (out / "chaos.jsonl").open("w") as file:
        direct = measure(processes, "well", "direct")
        rows = [["", *(f"{column}: answered / added p99, ms" for column in columns)], ["---", *["---:"] * len(columns)]]
        for scenario in scenarios:
            row = [scenario]
            for column in columns:
                result = measure(processes, scenario, column)
                file.write(json.dumps({"scenario": scenario, "column": column, **result}) + "\n")
                share = 100 * result["ok"] / max(1, result["ok"] + result["err"])
                added = result["lat_ms"]["p99"] - direct["lat_ms"]["p99"]
                row.append(f"{share:.2f} % / {added:.1f}")
                note = f" first error: {result['first_err'][:120]}" if result["err"] else ""
                print(f"{scenario:20s} {column:6s} {row[-1]}  p50 {result['lat_ms']['p50']:.2f}{note}", file=sys.stderr, flush=True)
            rows.append(row)
    report = ["| " + " | ".join(cells) + " |" for cells in rows]
    report += ["", f"{RATE:.0f} requests a second for {SECONDS:.0f} s each; a backend takes {DELAY_SECONDS * 1000:.0f} ms; direct p99 {direct['lat_ms']['p99']:.1f} ms."]
    (out / "chaos.md").write_text("\n".join(report) + "\n")
    print("\n".join(report))


if __name__ == "__main__":
    main()
