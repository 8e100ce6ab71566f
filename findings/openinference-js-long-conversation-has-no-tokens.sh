#!/usr/bin/env bash
# Package:  @arizeai/openinference-instrumentation-openai 4.2.7 with @opentelemetry/sdk-trace-node 2.12.1 and openai 6.30.1, from npm
# Expected: each call's span has the tokens that the provider billed, above all that of a long conversation, which is the dearest.
# Seen:     each message of the prompt takes two attributes, a span has room for 128, and what comes last is left out: the tokens and the
#           answer, with its id. From some 60 messages on a call has none of them. Nobody says so but the span's count of dropped attributes.
#           (Python's SDK drops what came first instead: there it is the provider's name.) OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT helps.
# Output:   for conversations of so many messages: the prompt tokens in the span, and how many attributes were dropped
# Here:     a call without counts is recorded as unpriced, so that somebody sees it, never as one that cost 0;
#           src/api/tests/otlp.rs::paid_calls_without_counts_are_unpriced_and_failed_ones_are_none
set -euo pipefail
expected='11 messages: 1000 tokens, 0 dropped
51 messages: 1000 tokens, 0 dropped
71 messages: undefined tokens, 28 dropped'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @arizeai/openinference-instrumentation-openai@4.2.7 @opentelemetry/api@1.9.1 \
  @opentelemetry/sdk-trace-base@2.12.1 @opentelemetry/sdk-trace-node@2.12.1 openai@6.30.1 >/dev/null
cat >try.cjs <<'END'
const http = require("node:http");
const { OpenAIInstrumentation } = require("@arizeai/openinference-instrumentation-openai");
const { InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
const { OpenAI } = require("openai");

const ANSWER = {
  id: "chatcmpl-1", object: "chat.completion", created: 1, model: "gpt-4o-2024-08-06",
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1000, completion_tokens: 50, total_tokens: 1050 },
};
const server = http.createServer((request, response) => {
  request.resume().on("end", () => response.setHeader("Content-Type", "application/json").end(JSON.stringify(ANSWER)));
});

const spans = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
provider.register();
new OpenAIInstrumentation({ tracerProvider: provider }).manuallyInstrument(OpenAI);

server.listen(0, "127.0.0.1", async () => {
  const client = new OpenAI({ baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: "none" });
  for (const length of [11, 51, 71]) {
    const messages = Array.from({ length }, (_, at) => ({ role: at % 2 ? "assistant" : "user", content: `message ${at}` }));
    spans.reset();
    await client.chat.completions.create({ model: "gpt-4o", messages });
    const [span] = spans.getFinishedSpans();
    console.log(`${length} messages: ${span.attributes["llm.token_count.prompt"]} tokens, ${span.droppedAttributesCount} dropped`);
  }
  process.exit();
});
END
seen=$(node try.cjs 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
