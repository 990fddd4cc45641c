-- The documents whose vectors are yet to be made, each with the revision that wants one. Whoever has made it deletes the row of
-- that docid and revision: a document that was changed meanwhile stays in the queue.
CREATE TABLE "{schema}"."{name}_pending"(docid INTEGER PRIMARY KEY, revision INTEGER NOT NULL);
CREATE TRIGGER "{schema}"."{name}_pending_insert" AFTER INSERT ON "{name}_data" BEGIN
  INSERT INTO "{name}_pending"(docid, revision) VALUES(new.docid, new.revision)
  ON CONFLICT(docid) DO UPDATE SET revision = excluded.revision;
END;
CREATE TRIGGER "{schema}"."{name}_pending_update" AFTER UPDATE OF body ON "{name}_data" BEGIN
  INSERT INTO "{name}_pending"(docid, revision) VALUES(new.docid, new.revision)
  ON CONFLICT(docid) DO UPDATE SET revision = excluded.revision;
END;
CREATE TRIGGER "{schema}"."{name}_pending_delete" AFTER DELETE ON "{name}_data" BEGIN
  DELETE FROM "{name}_pending" WHERE docid = old.docid;
END;
