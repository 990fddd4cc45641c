-- Changes of documents go into the event log {log}: collection is the store's name, and after a slash the document's
-- collection, if it has one; key is its id.
CREATE TRIGGER "{schema}"."{name}_event_insert" AFTER INSERT ON "{name}_data" BEGIN
  INSERT INTO "{log}"(type, collection, key, revision, payload) VALUES('set',
    iif(new.collection = '', '{name}', '{name}/' || new.collection), new.id, new.revision,
    json_object('docid', new.docid, 'body', json(new.body)));
END;
CREATE TRIGGER "{schema}"."{name}_event_update" AFTER UPDATE ON "{name}_data" BEGIN
  INSERT INTO "{log}"(type, collection, key, revision, payload) VALUES('set',
    iif(new.collection = '', '{name}', '{name}/' || new.collection), new.id, new.revision,
    json_object('docid', new.docid, 'body', json(new.body)));
END;
CREATE TRIGGER "{schema}"."{name}_event_delete" AFTER DELETE ON "{name}_data" BEGIN
  INSERT INTO "{log}"(type, collection, key, revision) VALUES('delete',
    iif(old.collection = '', '{name}', '{name}/' || old.collection), old.id, old.revision);
END;
