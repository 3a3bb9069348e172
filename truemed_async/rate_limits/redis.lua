-- AdaptiveRateLimiter of _core/rate_limiter.py, with the clock and the memory of the server; constants are arguments.
-- KEYS: the key of a channel. ARGV: operation, time (empty: the server's), max_rate (empty: none), six constants,
-- milliseconds to keep the key; for `reserve`: within, successes, held (empty: none);
-- for `rate_limited`: generation, retry_after (empty: none).
-- Returns nothing, or the seconds to wait (as text, because numbers would be cut to integers) and the generation.
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local max_rate = tonumber(ARGV[3])
local MIN_RATE, INITIAL_RATE, BACKOFF_FACTOR = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local WINDOW, RECOVERY, DOUBLING, INITIAL_DOUBLING = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

local FIELDS = {'generation', 'rate', 'next', 'gate', 'limited_at', 'doubling', 'window_start', 'window_count', 'measured', 'at'}
local s = {
  generation = 0, rate = max_rate, next = 0, gate = 0, limited_at = 0, doubling = INITIAL_DOUBLING,
  window_start = 0, window_count = 0, measured = 0, at = now,
}
local stored = redis.call('HMGET', KEYS[1], unpack(FIELDS))
local at = tonumber(stored[#FIELDS] or '')
if at and at < now + 1 then  -- otherwise the server's clock was set back: everything is learned again
  for index, name in ipairs(FIELDS) do s[name] = tonumber(stored[index] or '') end
  if max_rate then s.rate = math.min(s.rate or max_rate, max_rate) end
end
s.at = now

local function success_rate()
  local current = s.window_count / math.max(now - s.window_start, WINDOW)
  return math.max(now - s.window_start < 2 * WINDOW and s.measured or 0, current)
end

local function on_success()
  if now - s.window_start >= WINDOW then
    s.measured = s.window_count / (now - s.window_start)
    s.window_start, s.window_count = now, 0
  end
  s.window_count = s.window_count + 1
  if s.rate and s.rate < 2 * success_rate() then
    s.rate = s.rate + math.log(2) / s.doubling
    if max_rate then s.rate = math.min(s.rate, max_rate) end
  end
end

local function reserve(until_)
  if s.rate and now - s.limited_at > RECOVERY then
    s.rate = max_rate
    if not s.rate then s.next = 0 end
  end
  local start = math.max(now, s.gate, s.next)
  if start >= until_ then return nil end
  if s.rate then s.next = start + 1 / s.rate end
  return start - now
end

local function on_rate_limited(generation, retry_after)
  s.limited_at = now
  local outdated, gate = generation ~= s.generation, s.gate
  if retry_after then s.gate = math.max(gate, now + retry_after) end
  if not outdated or s.gate > gate then s.generation = s.generation + 1 end
  if outdated then return end
  local succeeded = success_rate()
  if not s.rate then
    s.doubling, s.rate = INITIAL_DOUBLING, math.max(INITIAL_RATE, BACKOFF_FACTOR * succeeded)
  else
    local rate = math.min(succeeded ~= 0 and succeeded or s.rate, s.rate)
    s.doubling, s.rate = DOUBLING, math.max(MIN_RATE, BACKOFF_FACTOR * rate)
  end
  if max_rate then s.rate = math.min(s.rate, max_rate) end
  s.next = now + 1 / s.rate
end

local result = false
if ARGV[1] == 'reserve' then
  for _ = 1, tonumber(ARGV[13]) do on_success() end
  local held = tonumber(ARGV[14])
  local wait = held == s.generation and 0 or reserve(now + tonumber(ARGV[12]))
  if wait then result = {string.format('%.17g', wait), s.generation} end
else
  on_rate_limited(tonumber(ARGV[12]), tonumber(ARGV[13]))
end

local values = {}
for _, name in ipairs(FIELDS) do
  values[#values + 1] = name
  values[#values + 1] = s[name] and string.format('%.17g', s[name]) or ''
end
redis.call('HSET', KEYS[1], unpack(values))
redis.call('PEXPIRE', KEYS[1], ARGV[11])
return result
