-- The rows of a key-value store as the log {log} has them: the last snapshot, and the events after it.
SELECT key, revision, payload ->> '$.expires' AS expires,
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
  GROUP BY key) WHERE type = 'set'
