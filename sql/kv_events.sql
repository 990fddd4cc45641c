-- Changes of a key-value store go into the event log {log}. {payload} is kv_payload.sql.
CREATE TRIGGER "{schema}"."{name}_event_insert" AFTER INSERT ON "{name}_data" BEGIN
  INSERT INTO "{log}"(type, collection, key, revision, payload)
  VALUES('set', '{name}', new.key, new.revision, {payload});
END;
CREATE TRIGGER "{schema}"."{name}_event_update" AFTER UPDATE ON "{name}_data" BEGIN
  INSERT INTO "{log}"(type, collection, key, revision, payload)
  VALUES('set', '{name}', new.key, new.revision, {payload});
END;
CREATE TRIGGER "{schema}"."{name}_event_delete" AFTER DELETE ON "{name}_data" BEGIN
  INSERT INTO "{log}"(type, collection, key, revision) VALUES('delete', '{name}', old.key, old.revision);
END;
