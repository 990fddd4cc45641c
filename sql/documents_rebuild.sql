-- The documents as the log has them: the last snapshot, and the events after it. Documents that are right stay untouched.
CREATE TEMP TABLE quire_rebuild AS SELECT payload ->> '$.docid' AS docid,
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
  GROUP BY collection, key) WHERE type = 'set';
DELETE FROM "{schema}"."{name}_data" WHERE (docid, collection, id) NOT IN (SELECT docid, collection, id FROM temp.quire_rebuild);
INSERT INTO "{schema}"."{name}_data"(docid, collection, id, body, revision)
  SELECT docid, collection, id, body, revision FROM temp.quire_rebuild WHERE true
  ON CONFLICT(docid) DO UPDATE SET body = excluded.body, revision = excluded.revision
  WHERE body <> excluded.body OR revision <> excluded.revision;
DROP TABLE temp.quire_rebuild;
