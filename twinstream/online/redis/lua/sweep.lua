-- Remove some of the entities of a partition whose newest event is not newer than a time.
-- KEYS: progress, entities. ARGV: token, time or '' for none, how many at most, features prefix, state prefix, topic,
-- partition.
-- Returns the number of entities removed; -1 without the token.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return -1
end
return sweep(KEYS[2], 2)
