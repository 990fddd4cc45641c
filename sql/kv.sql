-- A key-value store. {name} is a view that is read and written like a table; its rows are in {name}_data.
-- Times are milliseconds since 1970. Built-in functions alone: it works in programs without Quire, too.

-- floor: no revision up to it is given again. A row's revision grows by one with each change; a new row begins above every
-- revision that a deleted row had, so that an old revision never fits a new row.
CREATE TABLE "{schema}"."{name}_meta"(kind TEXT NOT NULL, options TEXT NOT NULL, floor INTEGER NOT NULL);
INSERT INTO "{schema}"."{name}_meta" VALUES('kv', '{options}', 0);
CREATE TABLE "{schema}"."{name}_data"(
  key TEXT PRIMARY KEY CHECK(typeof(key) = 'text'), value, revision INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID;
CREATE INDEX "{schema}"."{name}_expires" ON "{name}_data"(expires) WHERE expires IS NOT NULL;
CREATE TRIGGER "{schema}"."{name}_floor" AFTER DELETE ON "{name}_data" BEGIN
  UPDATE "{name}_meta" SET floor = old.revision WHERE floor < old.revision;
END;

-- ttl: how long the row has to live. Expired rows are not seen; kv_purge() removes them.
CREATE VIEW "{schema}"."{name}" AS
  SELECT key, value, revision, expires, expires - {now} AS ttl FROM "{name}_data"
  WHERE expires IS NULL OR expires > {now};

-- INSERT sets, whether the key is there or not. With a revision it sets only if that is the current one (0: none).
CREATE TRIGGER "{schema}"."{name}_insert" INSTEAD OF INSERT ON "{name}" BEGIN
  SELECT RAISE(ABORT, '{name}: revision conflict: the row has another revision now (0: it is not there)')
  WHERE new.revision IS NOT NULL AND new.revision <> coalesce((SELECT revision FROM "{name}" WHERE key = new.key), 0);
  INSERT INTO "{name}_data"(key, value, revision, expires)
  VALUES(new.key, new.value, (SELECT floor + 1 FROM "{name}_meta"), iif(new.ttl IS NULL, new.expires, {now} + new.ttl))
  ON CONFLICT(key) DO UPDATE SET value = excluded.value, revision = revision + 1, expires = excluded.expires;
END;
CREATE TRIGGER "{schema}"."{name}_update" INSTEAD OF UPDATE ON "{name}" BEGIN
  SELECT RAISE(ABORT, '{name}: key and revision cannot be updated: compare the revision in WHERE')
  WHERE new.key IS NOT old.key OR new.revision IS NOT old.revision;
  UPDATE "{name}_data" SET value = new.value, revision = revision + 1,
    expires = iif(new.ttl IS old.ttl, new.expires, {now} + new.ttl) WHERE key = old.key;
END;
CREATE TRIGGER "{schema}"."{name}_delete" INSTEAD OF DELETE ON "{name}" BEGIN
  DELETE FROM "{name}_data" WHERE key = old.key;
END;
