#!/usr/bin/env bash
# Package:  caddy 2.6.2-5 from Debian 12
# Expected: `handle_response @good { }` in a reverse_proxy handles the answer by doing nothing, and the request goes on to the next
#           directive: forward_auth is documented as a reverse_proxy with such a block.
# Seen:     an empty block is left out. The answer of the server that was only to be asked goes to the caller, as its own 204, and the
#           request never reaches what stands behind. With any line in the block it goes on.
# Output:   for an empty block and one with a line: the status that the caller gets
# Here:     deploy/gateways/Caddyfile has a line in each block; tests/it/gateways.rs::caddy_asks_first
set -euo pipefail
expected='empty: 204
with a line: 200'
folder=$(mktemp -d)
pid=
trap 'kill $pid 2>/dev/null || true; rm -rf "$folder"' EXIT
mkdir "$folder/package"
(cd "$folder" && apt-get download -qq caddy=2.6.2-5 >/dev/null && dpkg-deb -x caddy_*.deb package)
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
seen=
for line in '' 'vars asked yes'; do
  gateway=$(free) asked=$(free)
  cat >"$folder/Caddyfile" <<END_OF_CONFIG
{
	admin off
	auto_https off
}
http://127.0.0.1:$asked {
	respond 204
}
http://127.0.0.1:$gateway {
	route {
		reverse_proxy 127.0.0.1:$asked {
			@good status 2xx
			handle_response @good {
				$line
			}
		}
		respond "what stands behind" 200
	}
}
END_OF_CONFIG
  HOME=$folder XDG_DATA_HOME=$folder "$folder/package/usr/bin/caddy" run --adapter caddyfile --config "$folder/Caddyfile" 2>/dev/null &
  pid=$!
  for _ in $(seq 200); do
    got=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$gateway/" || true)
    [ "$got" != 000 ] && break
    sleep 0.05
  done
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  name='with a line'
  [ -n "$line" ] || name=empty
  seen+="$name: $got"$'\n'
done
printf '%s' "$seen"
[ "$seen" = "$expected"$'\n' ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
