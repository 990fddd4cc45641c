-- A store of JSON documents. {name} is a view that is read and written like a table; its rows are in {name}_data.
-- Built-in functions alone: it works in programs without Quire, too. meta and revisions: see kv.sql.
CREATE TABLE "{schema}"."{name}_meta"(kind TEXT NOT NULL, options TEXT NOT NULL, floor INTEGER NOT NULL);
INSERT INTO "{schema}"."{name}_meta" VALUES('documents', '{options}', 0);
CREATE TABLE "{schema}"."{name}_data"(
  docid INTEGER PRIMARY KEY, collection TEXT NOT NULL DEFAULT '', id TEXT NOT NULL,
  body TEXT NOT NULL CHECK(json_valid(body)), revision INTEGER NOT NULL, UNIQUE(collection, id));
CREATE TRIGGER "{schema}"."{name}_floor" AFTER DELETE ON "{name}_data" BEGIN
  UPDATE "{name}_meta" SET floor = old.revision WHERE floor < old.revision;
END;
CREATE VIEW "{schema}"."{name}" AS SELECT docid, collection, id, body, revision FROM "{name}_data";

-- INSERT sets, whether the document is there or not. With a revision it sets only if that is the current one (0: none).
CREATE TRIGGER "{schema}"."{name}_insert" INSTEAD OF INSERT ON "{name}" BEGIN
  SELECT RAISE(ABORT, '{name}: the body is not valid JSON') WHERE NOT coalesce(json_valid(new.body), 0);
  SELECT RAISE(ABORT, '{name}: revision conflict: the document has another revision now (0: it is not there)')
  WHERE new.revision IS NOT NULL AND new.revision <> coalesce((SELECT revision FROM "{name}_data"
    WHERE collection = coalesce(new.collection, '') AND id = new.id), 0);
  INSERT INTO "{name}_data"(docid, collection, id, body, revision)
  VALUES(new.docid, coalesce(new.collection, ''), new.id, json(new.body), (SELECT floor + 1 FROM "{name}_meta"))
  ON CONFLICT(collection, id) DO UPDATE SET body = excluded.body, revision = revision + 1;
END;
CREATE TRIGGER "{schema}"."{name}_update" INSTEAD OF UPDATE ON "{name}" BEGIN
  SELECT RAISE(ABORT, '{name}: the body is not valid JSON') WHERE NOT coalesce(json_valid(new.body), 0);
  SELECT RAISE(ABORT, '{name}: only the body can be updated: compare the revision in WHERE')
  WHERE new.docid IS NOT old.docid OR new.collection IS NOT old.collection OR new.id IS NOT old.id
    OR new.revision IS NOT old.revision;
  UPDATE "{name}_data" SET body = json(new.body), revision = revision + 1 WHERE docid = old.docid;
END;
CREATE TRIGGER "{schema}"."{name}_delete" INSTEAD OF DELETE ON "{name}" BEGIN
  DELETE FROM "{name}_data" WHERE docid = old.docid;
END;
