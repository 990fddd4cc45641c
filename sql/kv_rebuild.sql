-- Make a key-value store what the log says, {state} (kv_state.sql). Rows that are right stay untouched. Without a temporary table: a
-- change of that schema ends the statement around.
DELETE FROM "{schema}"."{name}_data" WHERE key NOT IN (SELECT key FROM ({state}));
INSERT INTO "{schema}"."{name}_data"(key, value, revision, expires)
  SELECT key, value, revision, expires FROM ({state}) WHERE true
  ON CONFLICT(key) DO UPDATE SET value = excluded.value, revision = excluded.revision, expires = excluded.expires
  WHERE value IS NOT excluded.value OR typeof(value) <> typeof(excluded.value) OR revision <> excluded.revision
    OR expires IS NOT excluded.expires;
