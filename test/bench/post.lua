-- One POST, over and over; the body comes from a file, the outcome goes to standard output as one line of JSON.
wrk.method = "POST"
local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
wrk.body = file:read("*a")
file:close()

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"requests": %d, "seconds": %f, "failed": %d, "p99Ms": %f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(99) / 1e3))
end
