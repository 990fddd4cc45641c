-- The documents as the log {log} has them: the last snapshot, and the events after it.
SELECT payload ->> '$.docid' AS docid,
  substr(collection, length('{name}/') + 1) AS collection, key AS id, payload -> '$.body' AS body, revision
FROM (
  SELECT collection, key, type, revision, payload, max(offset) FROM (
    SELECT collection, key, type, revision, payload, offset FROM "{schema}"."{log}"
    WHERE (collection = '{name}' OR substr(collection, 1, length('{name}/')) = '{name}/')
      AND offset > (SELECT coalesce(max(offset), 0) FROM "{schema}"."{log}_snapshots")
    UNION ALL
    SELECT collection, key, type, revision, payload, offset FROM "{schema}"."{log}_state"
    WHERE (collection = '{name}' OR substr(collection, 1, length('{name}/')) = '{name}/')
      AND snapshot = (SELECT max(offset) FROM "{schema}"."{log}_snapshots"))
  GROUP BY collection, key) WHERE type = 'set'
