-- Asks the agent whether a request may pass, with HAProxy's own HTTP client (2.5 or newer). The one argument is the address to ask.
-- Sets txn.gate to "pass", "refused" or "unknown", and for a refusal txn.gate_reason, txn.gate_budget and txn.gate_body.

local TIMEOUT_MS = 2000
-- Where the agent asks for a login: "Bearer " and a token that allows read.
local LOGIN = nil
-- What a caller may say about itself. Service and operation stand in the address, which wins.
local PASSED_ON = { "x-cost-worker", "x-cost-batch", "x-cost-lead", "x-cost-model" }

local function first(headers, name)
  return headers and headers[name] and headers[name][0]
end

core.register_action("ask_gate", { "http-req" }, function(txn, address)
  local asked = {}
  local headers = txn.http:req_get_headers()
  for _, name in ipairs(PASSED_ON) do
    local value = first(headers, name)
    if value then
      asked[name] = { value }
    end
  end
  if LOGIN then
    asked["authorization"] = { LOGIN }
  end
  local answer = core.httpclient():get{ url = address, headers = asked, timeout = TIMEOUT_MS }
  if answer and answer.status >= 200 and answer.status < 300 then
    txn:set_var("txn.gate", "pass")
  elseif answer and answer.status == 403 then
    txn:set_var("txn.gate", "refused")
    txn:set_var("txn.gate_reason", first(answer.headers, "x-gate-reason") or "")
    txn:set_var("txn.gate_budget", first(answer.headers, "x-budget") or "")
    txn:set_var("txn.gate_body", answer.body or "")
  else
    txn:set_var("txn.gate", "unknown")
  end
end, 1)
