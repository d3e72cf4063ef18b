-- Put before the scripts that remove entities. `first` is where its arguments start in ARGV, as sweep.lua lists them.
-- Features that come from another partition stay: they are not of this state.
local function sweep(entities, first)
  local until_ms, limit, features_prefix, state_prefix, topic, partition = unpack(ARGV, first, first + 5)
  if until_ms == '' then
    return 0
  end
  local old = redis.call('ZRANGEBYSCORE', entities, '-inf', until_ms, 'LIMIT', 0, limit)
  if #old == 0 then
    return 0
  end
  for _, entity in ipairs(old) do
    local features_key = features_prefix .. entity
    local source = redis.call('HMGET', features_key, 'topic', 'partition')
    if source[1] == topic and source[2] == partition then
      redis.call('DEL', features_key)
    end
    redis.call('DEL', state_prefix .. entity)
  end
  redis.call('ZREM', entities, unpack(old))
  return #old
end
