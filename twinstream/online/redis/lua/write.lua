-- Replace the features and the changed parts of the states of some entities, each only if it stands where the writer
-- last saw it. An entity that stands where the writer wants it to be has been written already and is left alone.
-- KEYS: progress, entities.
-- ARGV: token, epoch, features prefix, state prefix, topic, partition, number of fields, the fields' names; and then
-- for each entity: name, base offset, offset, newest event time, the fields' values (each ended by a line break), head,
-- numbers of dropped and of changed chunks, the dropped ones' fields, the changed ones' fields and bytes in turn.
-- Returns one number per entity: 0 refused, 1 written, 2 written, over features of another partition, 3 written
-- without its features, because another partition has newer ones. Nothing at all without the token.
local call = redis.call
if call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return {}
end

local entities, epoch, features_prefix, state_prefix = KEYS[2], ARGV[2], ARGV[3], ARGV[4]
local topic, partition, fields = ARGV[5], ARGV[6], tonumber(ARGV[7])
local SLICE = 2000 -- arguments of one call; Lua's stack takes about 8000

local features = {'HSET', false}
for i = 1, fields do
  features[2 * i + 1] = ARGV[7 + i]
end
local EVENT_TIME, OFFSET = 2 * fields + 4, 2 * fields + 6
features[EVENT_TIME - 1] = 'event_time'
features[OFFSET - 1] = 'offset'
features[OFFSET + 1], features[OFFSET + 2] = 'topic', topic
features[OFFSET + 3], features[OFFSET + 4] = 'partition', partition

local function newer_elsewhere(key, time)
  local stored = call('HMGET', key, 'topic', 'partition', 'event_time')
  if not stored[1] or (stored[1] == topic and stored[2] == partition) then
    return false, false
  end
  local stored_time, own_time = tonumber(stored[3]), tonumber(time)
  return true, stored_time > own_time or (stored_time == own_time and tonumber(stored[2]) > tonumber(partition))
end

local outcome, at = {}, 8 + fields
while at <= #ARGV do
  local entity, base, offset, time = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local values, head = ARGV[at + 4], ARGV[at + 5]
  local first_drop = at + 8
  local first_change = first_drop + tonumber(ARGV[at + 6])
  at = first_change + 2 * tonumber(ARGV[at + 7])

  local key = state_prefix .. entity
  local stored = call('HMGET', key, 'epoch', 'offset')
  local foreign = stored[1] and stored[1] ~= epoch
  local applied = stored[1] and not foreign and stored[2] or '-1'
  if applied == offset then
    outcome[#outcome + 1] = 1
  elseif applied ~= base then
    outcome[#outcome + 1] = 0
  else
    local features_key = features_prefix .. entity
    local conflict, newer = newer_elsewhere(features_key, time)
    if not newer then
      features[2] = features_key
      local place = 4
      for value in string.gmatch(values, '([^\n]*)\n') do
        features[place] = value
        place = place + 2
      end
      features[EVENT_TIME], features[OFFSET] = time, offset
      call(unpack(features))
      if call('HLEN', features_key) ~= fields + 4 then -- a feature that is no more
        call('DEL', features_key)
        call(unpack(features))
      end
    end
    if foreign then
      call('DEL', key)
    end
    if applied == '-1' then
      call('HSET', key, 'epoch', epoch)
    end
    for from = first_drop, first_change - 1, SLICE do
      call('HDEL', key, unpack(ARGV, from, math.min(from + SLICE - 1, first_change - 1)))
    end
    for from = first_change + SLICE, at - 1, SLICE do
      call('HSET', key, unpack(ARGV, from, math.min(from + SLICE - 1, at - 1)))
    end
    local last = math.min(first_change + SLICE, at) - 1
    call('HSET', key, 'offset', offset, 'head', head, unpack(ARGV, first_change, last))
    call('ZADD', entities, time, entity)
    outcome[#outcome + 1] = newer and 3 or conflict and 2 or 1
  end
end
return outcome
