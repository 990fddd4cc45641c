-- Make documents what the log says, {state} (documents_state.sql). See kv_rebuild.sql.
DELETE FROM "{schema}"."{name}_data" WHERE (docid, collection, id) NOT IN (SELECT docid, collection, id FROM ({state}));
INSERT INTO "{schema}"."{name}_data"(docid, collection, id, body, revision)
  SELECT docid, collection, id, body, revision FROM ({state}) WHERE true
  ON CONFLICT(docid) DO UPDATE SET body = excluded.body, revision = excluded.revision
  WHERE body <> excluded.body OR revision <> excluded.revision;
