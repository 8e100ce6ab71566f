-- Asks the agent whether a request may pass, before Apache's mod_lua lets it. Needs LuaSocket (Debian: lua-socket).
-- COST_GATE is the address to ask, without "http://"; COST_GATE_FAILS is open or closed.

local http = require "socket.http"

local TIMEOUT_SECONDS = 2
-- What a caller may say about itself. Service and operation stand in the address, which wins.
local PASSED_ON = { "X-Cost-Worker", "X-Cost-Batch", "X-Cost-Lead", "X-Cost-Model" }

local function refuse(r, status, kind, body)
  r.status = status
  r.content_type = kind
  r:write(body)
  return apache2.DONE
end

function ask_gate(r)
  local sent, body = {}, {}
  for _, name in ipairs(PASSED_ON) do
    sent[name] = r.headers_in[name]
  end
  http.TIMEOUT = TIMEOUT_SECONDS
  local _, status, headers = http.request {
    url = "http://" .. r.subprocess_env["COST_GATE"],
    headers = sent,
    sink = function(piece) body[#body + 1] = piece return 1 end,
  }
  if type(status) == "number" and status >= 200 and status < 300 then
    return apache2.OK
  elseif status == 403 then
    r.err_headers_out["X-Gate-Reason"] = headers["x-gate-reason"]
    r.err_headers_out["X-Budget"] = headers["x-budget"]
    return refuse(r, 403, "application/problem+json", table.concat(body))
  elseif r.subprocess_env["COST_GATE_FAILS"] == "open" then
    return apache2.OK
  end
  return refuse(r, 503, "text/plain", "The cost agent cannot tell whether this fits the budget.\n")
end
