"""A provider of models on this machine: OpenAI's, Anthropic's and Google's HTTP interfaces, with usage that is known beforehand.

What it bills does not depend on what it is asked, only on the model and on a word in the last message, so that the true price of each call can
be worked out by hand (calls.py). Each answer has an id of its own, as the providers' answers have.

Words that a message may hold; coding agents say a lot, so they are words that nobody says by chance:
  please-fail           an error (400) at every try: nothing is billed
  please-flaky-<any>    an error (500) at the first try with this word, then an answer: billed once
  please-use-the-tool   the answer is a call of the first tool, until the conversation holds a tool's result: each answer is billed
  please-one-hour       the cache write is one of an hour, which costs more
"""

import itertools
import json
import re
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OPENAI_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "total_tokens": 1050,
    "prompt_tokens_details": {"cached_tokens": 800, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 20,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
RESPONSES_USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 800},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 1050,
}
EMBEDDING_USAGE = {"prompt_tokens": 7, "total_tokens": 7}
GEMINI_USAGE = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 800,
    "candidatesTokenCount": 30,
    "thoughtsTokenCount": 20,
    "totalTokenCount": 1050,
}

# As the providers do, an answer names the dated model that an alias stands for.
DATED = {"gpt-4o": "gpt-4o-2024-08-06", "claude-sonnet-4-5": "claude-sonnet-4-5-20250929"}


def anthropic_usage(one_hour, output_tokens=50):
    return {
        "input_tokens": 100,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 600,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if one_hour else 300,
            "ephemeral_1h_input_tokens": 300 if one_hour else 0,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


class Provider:
    """Listens on a free port of 127.0.0.1 until `close`. `billed` holds (id, model) of each answer that costs money."""

    def __init__(self, port=0):
        self.billed = []
        # A provider never uses an id twice, also not after a restart.
        self.run = secrets.token_hex(6)
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.failed_once = set()
        provider = self

        class Handler(Requests):
            pass

        Handler.provider = provider
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def bill(self, prefix, model):
        with self.lock:
            answer_id = f"{prefix}{self.run}{next(self.numbers):06d}"
            self.billed.append((answer_id, model))
            return answer_id

    def fails(self, text):
        """The status of a failure, or None where the call is answered."""
        if "please-fail" in text:
            return 400
        if flaky := re.search(r"please-flaky-\w+", text):
            with self.lock:
                if flaky[0] not in self.failed_once:
                    self.failed_once.add(flaky[0])
                    return 500
        return None


class Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(404, {"error": {"message": "there is nothing here", "type": "not_found_error"}})

    def do_POST(self):
        body = self.body()
        try:
            asked = json.loads(body or b"{}")
        except ValueError:
            return self.answer(400, {"error": {"message": "no JSON", "type": "invalid_request_error"}})
        path = self.path.split("?")[0]
        if "/nowhere/" in path:
            return self.answer(500, {"error": {"message": "as asked for", "type": "api_error"}})
        text = json.dumps(asked.get("messages") or asked.get("input") or asked.get("contents") or "")
        status = self.provider.fails(text)
        if status is not None:
            kind = "invalid_request_error" if status == 400 else "api_error"
            error = {"message": "as asked for", "type": kind, "code": None, "param": None}
            return self.answer(status, {"type": "error", "error": error})
        told = re.search(r"tool_result|function_call_output|\"role\": \"tool\"", text) is not None
        tool = asked["tools"][0] if asked.get("tools") and "please-use-the-tool" in text and not told else None
        if path.endswith("/chat/completions"):
            return self.openai_chat(asked, tool)
        if path.endswith("/responses"):
            return self.openai_responses(asked, tool)
        if path.endswith("/embeddings"):
            return self.openai_embeddings(asked)
        if path.endswith("/messages"):
            return self.anthropic_messages(asked, tool, "please-one-hour" in text)
        if "generateContent" in path or "GenerateContent" in path:
            return self.gemini(path)
        return self.answer(404, {"error": {"message": f"there is no {path}", "type": "not_found_error"}})

    # === OpenAI ===

    def openai_chat(self, asked, tool):
        model = DATED.get(asked["model"], asked["model"])
        answer_id = self.provider.bill("chatcmpl-", model)
        message = {"role": "assistant", "content": "hi", "refusal": None}
        finish = "stop"
        if tool:
            call = {"id": f"call_{answer_id[-12:]}", "type": "function", "function": {"name": tool["function"]["name"], "arguments": "{}"}}
            message, finish = {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}, "tool_calls"
        head = {"id": answer_id, "created": 1, "model": model, "service_tier": "default", "system_fingerprint": "fp_1"}
        if not asked.get("stream"):
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
            return self.answer(200, {**head, "object": "chat.completion", "choices": [choice], "usage": OPENAI_USAGE})
        counted = (asked.get("stream_options") or {}).get("include_usage")
        head["object"] = "chat.completion.chunk"
        if counted:
            head["usage"] = None
        deltas = [{"role": "assistant", "content": ""}, {"content": "hi"}]
        if tool:
            deltas = [{"role": "assistant", "content": None, "tool_calls": [{"index": 0, **message["tool_calls"][0]}]}]
        events = [{**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]} for delta in deltas]
        events.append({**head, "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}]})
        if counted:
            events.append({**head, "choices": [], "usage": OPENAI_USAGE})
        self.stream([f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"])

    def openai_responses(self, asked, tool):
        model = DATED.get(asked["model"], asked["model"])
        answer_id = self.provider.bill("resp_", model)
        text = {"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}
        item = {"id": f"msg_{answer_id[5:]}", "type": "message", "status": "completed", "role": "assistant", "content": [text]}
        if tool:
            name = tool.get("name") or tool["function"]["name"]
            item = {"id": f"fc_{answer_id[5:]}", "type": "function_call", "status": "completed", "call_id": f"call_{answer_id[-12:]}", "name": name, "arguments": "{}"}
        whole = {
            "id": answer_id, "object": "response", "created_at": 1, "completed_at": 2, "status": "completed", "error": None,
            "incomplete_details": None, "instructions": None, "max_output_tokens": None, "model": model, "output": [item],
            "parallel_tool_calls": True, "previous_response_id": None, "reasoning": {"effort": None, "summary": None}, "service_tier": "default",
            "store": True, "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            "truncation": "disabled", "usage": RESPONSES_USAGE, "user": None, "metadata": {},
        }
        if not asked.get("stream"):
            return self.answer(200, whole)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        events = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
        events.append(("response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", **({} if tool else {"content": []})}}))
        place = {"item_id": item["id"], "output_index": 0}
        if tool:
            events.append(("response.function_call_arguments.delta", {**place, "delta": "{}"}))
            events.append(("response.function_call_arguments.done", {**place, "arguments": "{}", "name": item["name"]}))
        else:
            place["content_index"] = 0
            events.append(("response.content_part.added", {**place, "part": {**text, "text": ""}}))
            events.append(("response.output_text.delta", {**place, "delta": "hi", "logprobs": []}))
            events.append(("response.output_text.done", {**place, "text": "hi", "logprobs": []}))
            events.append(("response.content_part.done", {**place, "part": text}))
        events.append(("response.output_item.done", {"output_index": 0, "item": item}))
        events.append(("response.completed", {"response": whole}))
        self.stream(
            f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **event})}\n\n"
            for number, (kind, event) in enumerate(events)
        )

    def openai_embeddings(self, asked):
        model = asked["model"]
        self.provider.bill("", model)
        vector = [0.5, -0.5, 0.25]
        if asked.get("encoding_format") == "base64":
            import base64
            import struct

            vector = base64.b64encode(struct.pack("<3f", *vector)).decode()
        item = {"object": "embedding", "index": 0, "embedding": vector}
        self.answer(200, {"object": "list", "data": [item], "model": model, "usage": EMBEDDING_USAGE})

    # === Anthropic ===

    def anthropic_messages(self, asked, tool, one_hour):
        model = DATED.get(asked["model"], asked["model"])
        answer_id = self.provider.bill("msg_01", model)
        block, reason = {"type": "text", "text": "hi"}, "end_turn"
        if tool:
            block, reason = {"type": "tool_use", "id": f"toolu_{answer_id[-12:]}", "name": tool["name"], "input": {}}, "tool_use"
        head = {"id": answer_id, "type": "message", "role": "assistant", "model": model}
        headers = {"request-id": f"req_{answer_id[4:]}"}
        if not asked.get("stream"):
            whole = {**head, "content": [block], "stop_reason": reason, "stop_sequence": None, "usage": anthropic_usage(one_hour)}
            return self.answer(200, whole, headers)
        # The first event holds what is known of the output by then, a few tokens; the last one holds all of it, not the rest.
        begun = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": anthropic_usage(one_hour, 3)}
        empty = {**block, "text": ""} if not tool else block
        delta = {"type": "input_json_delta", "partial_json": "{}"} if tool else {"type": "text_delta", "text": "hi"}
        cumulative = {key: value for key, value in anthropic_usage(one_hour).items() if isinstance(value, int)}
        events = [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "ping"},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": cumulative},
            {"type": "message_stop"},
        ]
        self.stream((f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events), headers)

    # === Google ===

    def gemini(self, path):
        model = path.rsplit("/models/", 1)[1].split(":")[0]
        answer_id = self.provider.bill("", model)
        candidate = {"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP", "index": 0}
        whole = {"candidates": [candidate], "usageMetadata": GEMINI_USAGE, "modelVersion": model, "responseId": answer_id}
        if "stream" in path:
            return self.stream([f"data: {json.dumps(whole)}\r\n\r\n"])
        self.answer(200, whole)

    # === HTTP ===

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, value, headers=()):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in dict(headers).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events, headers=()):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, text in dict(headers).items():
            self.send_header(name, text)
        self.end_headers()
        for event in events:
            data = event.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


if __name__ == "__main__":
    import sys

    provider = Provider(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(provider.url, flush=True)
    threading.Event().wait()
