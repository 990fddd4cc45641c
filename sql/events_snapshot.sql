-- The state at an event, from the snapshot before and the events since. It is the newest snapshot now, or was it already.
INSERT OR IGNORE INTO "{schema}"."{name}_snapshots"(offset) VALUES({offset});
INSERT OR IGNORE INTO "{schema}"."{name}_state"(snapshot, collection, key, offset, type, revision, payload)
  WITH at(now, before) AS (SELECT max(offset), (SELECT coalesce(max(offset), 0) FROM "{schema}"."{name}_snapshots"
    WHERE offset < (SELECT max(offset) FROM "{schema}"."{name}_snapshots")) FROM "{schema}"."{name}_snapshots")
  SELECT now, collection, key, offset, type, revision, payload FROM at, (
    SELECT collection, key, type, revision, payload, max(offset) AS offset FROM (
      SELECT coalesce(collection, '') AS collection, key, type, revision, payload, offset FROM "{schema}"."{name}", at
      WHERE offset > before AND offset <= now AND key IS NOT NULL
      UNION ALL
      SELECT collection, key, type, revision, payload, offset FROM "{schema}"."{name}_state", at WHERE snapshot = before)
    GROUP BY collection, key) WHERE type <> 'delete';
INSERT OR IGNORE INTO "{schema}"."{name}_floors"(snapshot, collection, revision)
  WITH at(now, before) AS (SELECT max(offset), (SELECT coalesce(max(offset), 0) FROM "{schema}"."{name}_snapshots"
    WHERE offset < (SELECT max(offset) FROM "{schema}"."{name}_snapshots")) FROM "{schema}"."{name}_snapshots")
  SELECT (SELECT now FROM at), collection, max(revision) FROM (
    SELECT coalesce(collection, '') AS collection, revision FROM "{schema}"."{name}", at
    WHERE offset > before AND offset <= now AND type = 'delete'
    UNION ALL
    SELECT collection, revision FROM "{schema}"."{name}_floors", at WHERE snapshot = before)
  GROUP BY collection;
