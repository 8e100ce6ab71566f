// Makes known calls to the provider of the tests with real JavaScript libraries, which tell of them by the given roads.
//
//   node send.mjs ROAD[,ROAD…] CALL…
//
// As in send.py; where the provider and the receiver are comes from the environment.
import { createRequire } from "node:module";
import process from "node:process";

const require = createRequire(process.env.SENDERS_MODULES + "/");
const PROVIDER = process.env.PROVIDER;
const OPENAI = "gpt-4o", ANTHROPIC = "claude-sonnet-4-5";

let tracing;
function otel() {
  if (tracing) return tracing;
  const { NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
  const { BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
  const { resourceFromAttributes } = require("@opentelemetry/resources");
  const kind = { grpc: "grpc", "http/json": "http", "http/protobuf": "proto" }[process.env.OTEL_EXPORTER_OTLP_PROTOCOL ?? "http/protobuf"];
  const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${kind}`);
  tracing = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": process.env.OTEL_SERVICE_NAME ?? "score-worker" }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  tracing.register();
  return tracing;
}

const roads = {
  // The AI SDK tells what `experimental_telemetry` asks for; an Anthropic SDK tells of its calls by itself.
  otel,
  cloudevents() {},
  // Not for Anthropic: its instrumentation breaks the loading of an SDK of version 1.
  openllmetry() {
    const provider = otel();
    const { OpenAIInstrumentation } = require("@traceloop/instrumentation-openai");
    const instrumentation = new OpenAIInstrumentation();
    instrumentation.setTracerProvider(provider);
    instrumentation.manuallyInstrument(require("openai").OpenAI);
  },
};

const openai = () => new (require("openai").OpenAI)({ baseURL: `${PROVIDER}/v1`, apiKey: "none", maxRetries: 2 });
const anthropic = () => new (require("@anthropic-ai/sdk").Anthropic)({ baseURL: PROVIDER, apiKey: "none", maxRetries: 2 });
const user = (content) => [{ role: "user", content }];
const read = async (stream) => {
  for await (const _ of stream);
};
async function failing(call) {
  try {
    await call();
  } catch {
    return;
  }
  throw new Error("the provider answers with an error");
}

// === CloudEvents ===

async function cloudEvent(mode, number, data) {
  const { CloudEvent, HTTP } = require("cloudevents");
  const event = new CloudEvent({ id: `${process.pid}-${number}`, source: "/workers/js", type: "llm.call", subject: "kunde ü 100%", data });
  const { headers, body } = HTTP[mode](event);
  // The second time as after an answer that was lost.
  for (let time = 0; time < 2; time++) {
    const answer = await fetch(`${process.env.OTEL_EXPORTER_OTLP_ENDPOINT}/ingest/cloudevents`, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  }
}

// === The AI SDK ===

const telemetry = { isEnabled: true };
const aiOpenai = () => require("@ai-sdk/openai").createOpenAI({ baseURL: `${PROVIDER}/v1`, apiKey: "none" });
const aiAnthropic = () => require("@ai-sdk/anthropic").createAnthropic({ baseURL: `${PROVIDER}/v1`, apiKey: "none" });
const generate = (model, prompt = "q", more = {}) =>
  require("ai").generateText({ model, prompt, maxRetries: 2, experimental_telemetry: telemetry, ...more });
async function stream(model) {
  await read(require("ai").streamText({ model, prompt: "q", experimental_telemetry: telemetry }).textStream);
}
function tools() {
  const { tool, stepCountIs } = require("ai");
  const look = tool({ description: "looks", inputSchema: require("zod").z.object({}), execute: async () => "seen" });
  return { tools: { look }, stopWhen: stepCountIs(3) };
}

const calls = {
  openai_chat: () => openai().chat.completions.create({ model: OPENAI, messages: user("q") }),
  openai_stream: async () =>
    read(await openai().chat.completions.create({ model: OPENAI, messages: user("q"), stream: true, stream_options: { include_usage: true } })),
  openai_unknown: () => openai().chat.completions.create({ model: "my-own-model", messages: user("q") }),
  openai_fail: () => failing(() => openai().chat.completions.create({ model: OPENAI, messages: user("please-fail") })),
  openai_embeddings: () => openai().embeddings.create({ model: "text-embedding-3-small", input: "x" }),
  anthropic_create: () => anthropic().messages.create({ model: ANTHROPIC, max_tokens: 100, messages: user("q") }),
  anthropic_stream: async () =>
    read(await anthropic().messages.create({ model: ANTHROPIC, max_tokens: 100, messages: user("q"), stream: true })),
  anthropic_stream_helper: () => anthropic().messages.stream({ model: ANTHROPIC, max_tokens: 100, messages: user("q") }).finalMessage(),
  anthropic_one_hour: () => anthropic().messages.create({ model: ANTHROPIC, max_tokens: 100, messages: user("please-one-hour") }),
  anthropic_fail: () => failing(() => anthropic().messages.create({ model: ANTHROPIC, max_tokens: 100, messages: user("please-fail") })),
  anthropic_flaky: () => anthropic().messages.create({ model: ANTHROPIC, max_tokens: 100, messages: user(`please-flaky-${process.pid}`) }),
  cloudevents_structured: () =>
    cloudEvent("structured", 1, {
      service: "anthropic", operation: "chat", model: ANTHROPIC,
      usage: { input_tokens: 1000, cached_input_tokens: 600, cache_write_input_tokens: 300, output_tokens: 50 },
    }),
  cloudevents_binary: () => cloudEvent("binary", 2, { model: ANTHROPIC, cost: 0.0023550000000000003, prompt_tokens: 1000, completion_tokens: 50 }),
  ai_openai_chat: () => generate(aiOpenai().chat(OPENAI)),
  ai_openai_responses: () => generate(aiOpenai()(OPENAI)),
  ai_openai_stream: () => stream(aiOpenai().chat(OPENAI)),
  ai_openai_tool: () => generate(aiOpenai().chat(OPENAI), "please-use-the-tool", tools()),
  ai_openai_embed: () =>
    require("ai").embed({ model: aiOpenai().embedding("text-embedding-3-small"), value: "x", experimental_telemetry: telemetry }),
  ai_openai_fail: () => failing(() => generate(aiOpenai().chat(OPENAI), "please-fail")),
  ai_openai_flaky: () => generate(aiOpenai().chat(OPENAI), `please-flaky-${process.pid}`),
  ai_anthropic: () => generate(aiAnthropic()(ANTHROPIC)),
  ai_anthropic_stream: () => stream(aiAnthropic()(ANTHROPIC)),
  ai_anthropic_tool: () => generate(aiAnthropic()(ANTHROPIC), "please-use-the-tool", tools()),
};

const [, , named, ...wanted] = process.argv;
for (const road of named.split(",")) roads[road]();
for (const call of wanted) await calls[call]();
// What the last call told may still be on its way through promises.
await new Promise((resolve) => setTimeout(resolve, 50));
await tracing?.shutdown();
