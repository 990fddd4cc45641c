-- The rows of a key-value store as the log has them: the last snapshot, and the events after it. Rows that are right stay untouched.
CREATE TEMP TABLE quire_rebuild AS SELECT key, revision, payload ->> '$.expires' AS expires,
  CASE WHEN json_type(payload, '$.blob') IS NOT NULL THEN quire_unhex(payload ->> '$.blob')
    WHEN json_type(payload, '$.real') IS NOT NULL THEN CAST(payload ->> '$.real' AS REAL)
    WHEN json_type(payload, '$.text') IS NOT NULL THEN CAST(quire_unhex(payload ->> '$.text') AS TEXT)
    ELSE payload ->> '$.value' END AS value
FROM (
  SELECT key, type, revision, payload, max(offset) FROM (
    SELECT key, type, revision, payload, offset FROM "{schema}"."{log}" WHERE collection = '{name}'
      AND offset > (SELECT coalesce(max(offset), 0) FROM "{schema}"."{log}_snapshots")
    UNION ALL
    SELECT key, type, revision, payload, offset FROM "{schema}"."{log}_state" WHERE collection = '{name}'
      AND snapshot = (SELECT max(offset) FROM "{schema}"."{log}_snapshots"))
  GROUP BY key) WHERE type = 'set';
DELETE FROM "{schema}"."{name}_data" WHERE key NOT IN (SELECT key FROM temp.quire_rebuild);
INSERT INTO "{schema}"."{name}_data"(key, value, revision, expires)
  SELECT key, value, revision, expires FROM temp.quire_rebuild WHERE true
  ON CONFLICT(key) DO UPDATE SET value = excluded.value, revision = excluded.revision, expires = excluded.expires
  WHERE value IS NOT excluded.value OR typeof(value) <> typeof(excluded.value) OR revision <> excluded.revision
    OR expires IS NOT excluded.expires;
DROP TABLE temp.quire_rebuild;
