-- The state that an entity's features were made from, and their place in the source log.
-- KEYS: features. ARGV: the parts of the state's key before and after the topic and partition; progress prefix.
-- Returns nothing when there are no features, else {topic, partition, current epoch or false, the state's fields and
-- values in turn}.
local source = redis.call('HMGET', KEYS[1], 'topic', 'partition')
if not source[1] then
  return false
end
local place = source[1] .. ':' .. source[2]
local epoch = redis.call('HGET', ARGV[3] .. place, 'epoch')
return {source[1], source[2], epoch, redis.call('HGETALL', ARGV[1] .. place .. ARGV[2])}
