-- Move the progress of a partition on, if it stands where the writer last saw it (or already where it should be); then
-- remove some of the entities that are too old to matter from there on.
-- KEYS: progress, entities.
-- ARGV: token, expected offset or '', next offset, newest event time or '', and what sweep.lua takes after the token.
-- Returns the number of entities removed; -1 without the token, -2 when the progress stands elsewhere.
local stored = redis.call('HMGET', KEYS[1], 'token', 'offset')
if stored[1] ~= ARGV[1] then
  return -1
end
local offset = stored[2] or ''
if offset == ARGV[2] then
  redis.call('HSET', KEYS[1], 'offset', ARGV[3])
  if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[1], 'max_event_time', ARGV[4])
  end
elseif offset ~= ARGV[3] then
  return -2
end
return sweep(KEYS[2], 5)
