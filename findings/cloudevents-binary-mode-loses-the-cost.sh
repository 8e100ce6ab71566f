#!/usr/bin/env bash
# Package:  cloudevents 2.2.0 from PyPI, and cloudevents 10.0.0 from npm
# Expected: an event that Python's SDK sends is the same to JavaScript's SDK, in whichever of the two modes it comes.
# Seen:     in binary mode Python's SDK sends no Content-Type unless the event has a datacontenttype, and reads its own body as JSON all the same.
#           JavaScript's takes it for a text: `event.data.cost` is undefined, and a sum of costs NaN. An attribute that was false comes as the
#           text "False", which is true there: a call that was paid passes for one that a cache answered.
# Output:   what JavaScript reads of one event in each mode
# Here:     a body without Content-Type is read as JSON, and True and False as booleans;
#           src/formats/cloudevents/tests.rs::binary_events_are_read_as_the_sdks_send_them,
#           src/api/tests/ingest.rs::binary_events_are_taken_with_and_without_a_media_type
set -euo pipefail
expected='structured: cost 0.5, cached false (as a condition: false)
binary: cost undefined, cached "False" (as a condition: true)'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check cloudevents==2.2.0
npm install --silent --no-audit --no-fund cloudevents@10.0.0 >/dev/null
cat >send.py <<'END'
import json
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

event = CloudEvent({"specversion": "1.0", "id": "1", "source": "/workers/7", "type": "llm.call", "cached": False}, {"cost": 0.5})
for mode, message in (("structured", to_structured_event(event)), ("binary", to_binary_event(event))):
    print(json.dumps({"mode": mode, "headers": message.headers, "body": message.body.decode()}))
END
cat >receive.cjs <<'END'
const { HTTP } = require("cloudevents");
const lines = require("node:fs").readFileSync(0, "utf8").trim().split("\n");
for (const { mode, headers, body } of lines.map((line) => JSON.parse(line))) {
  const { data, cached } = HTTP.toEvent({ headers, body });
  console.log(`${mode}: cost ${data.cost}, cached ${JSON.stringify(cached)} (as a condition: ${Boolean(cached)})`);
}
END
seen=$(env/bin/python send.py | node receive.cjs)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
