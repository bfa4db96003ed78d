-- Asks for the paths of a file, one after the other, and ends with one line of JSON. What follows a path after a tab is
-- its PAYMENT-SIGNATURE. With a second argument each
-- connection waits after an answer, so many ms on average.
local requests = {}

function init(args)
  for line in io.lines(args[1]) do
    local path, payment = line:match("^([^\t]*)\t?(.*)$")
    local headers = payment ~= "" and { ["PAYMENT-SIGNATURE"] = payment } or nil
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
  local pause = tonumber(args[2])
  if pause then
    function delay()
      return math.random(0, 2 * pause)
    end
  end
end

local last = 0

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests":%d,"durationUs":%d,"bytes":%d,"failed":%d,"p50Us":%d,"p95Us":%d,"p99Us":%d}\n',
    summary.requests, summary.duration, summary.bytes, failed,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)
  ))
end
