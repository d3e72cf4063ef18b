-- Take a partition over: from now on only the bearer of the new token may write to it.
-- KEYS: progress, entities, writer of the group's features.
-- ARGV: token, epoch, '' or 'held' if the partition must be the bearer's already, runtime, consumer group.
-- Returns {1, next offset or false, newest event time or false}, or {0} when what is stored is of another epoch: it
-- must be removed, and this called again. Until then there is no epoch, so that an interrupted removal is taken up.
-- {-1} if the partition had to be held and is not; {-2, runtime, consumer group} if another writes the features.
local writer = redis.call('HMGET', KEYS[3], 'runtime', 'consumer_group')
if not writer[1] then
  redis.call('HSET', KEYS[3], 'runtime', ARGV[4], 'consumer_group', ARGV[5])
elseif writer[1] ~= ARGV[4] or writer[2] ~= ARGV[5] then
  return {-2, writer[1], writer[2]}
end
if ARGV[3] == 'held' and redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return {-1}
end
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'max_event_time')
if stored[1] == ARGV[2] then
  redis.call('HSET', KEYS[1], 'token', ARGV[1])
  return {1, stored[2], stored[3]}
end
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HSET', KEYS[1], 'token', ARGV[1])
  return {0}
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'epoch', ARGV[2])
return {1, false, false}
