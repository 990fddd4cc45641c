-- An event log: append-only, offsets ascending and without gaps, since they are the rowids of one table and a
-- rollback gives them back. Times are milliseconds since 1970. Built-in functions alone.
CREATE TABLE "{schema}"."{name}"(
  offset INTEGER PRIMARY KEY CHECK(offset > 0),
  time INTEGER NOT NULL DEFAULT ({now}),
  type TEXT NOT NULL, collection TEXT, key, revision INTEGER,
  payload TEXT CHECK(payload IS NULL OR json_valid(payload)));

-- floor: events up to it may be deleted. It stays below the last snapshot, and below the last event, whose offset the next one
-- is counted from.
CREATE TABLE "{schema}"."{name}_meta"(kind TEXT NOT NULL, options TEXT NOT NULL, floor INTEGER NOT NULL);
INSERT INTO "{schema}"."{name}_meta" VALUES('events', '{options}', 0);

-- Snapshots: which there are, and for each the last event of every (collection, key) up to it that is no deletion, and the highest
-- revision that was deleted in each collection.
CREATE TABLE "{schema}"."{name}_snapshots"(offset INTEGER PRIMARY KEY, time INTEGER NOT NULL DEFAULT ({now}));
CREATE TABLE "{schema}"."{name}_state"(
  snapshot INTEGER NOT NULL, collection TEXT NOT NULL, key NOT NULL, offset INTEGER NOT NULL,
  type TEXT NOT NULL, revision INTEGER, payload TEXT, PRIMARY KEY(snapshot, collection, key)) WITHOUT ROWID;
CREATE TABLE "{schema}"."{name}_floors"(
  snapshot INTEGER NOT NULL, collection TEXT NOT NULL, revision INTEGER, PRIMARY KEY(snapshot, collection)) WITHOUT ROWID;

CREATE TRIGGER "{schema}"."{name}_append" BEFORE INSERT ON "{name}"
WHEN new.offset > 0 AND new.offset <> coalesce((SELECT max(offset) FROM "{name}"), 0) + 1 BEGIN
  SELECT RAISE(ABORT, '{name} is append-only: leave the offset out, the next one is taken');
END;
CREATE TRIGGER "{schema}"."{name}_no_update" BEFORE UPDATE ON "{name}" BEGIN
  SELECT RAISE(ABORT, '{name} is append-only: events cannot be changed');
END;
CREATE TRIGGER "{schema}"."{name}_no_delete" BEFORE DELETE ON "{name}"
WHEN old.offset > (SELECT floor FROM "{name}_meta") BEGIN
  SELECT RAISE(ABORT, '{name} is append-only: events go by quire_retain(), up to the last snapshot');
END;
CREATE TRIGGER "{schema}"."{name}_no_loss" BEFORE UPDATE OF floor ON "{name}_meta"
WHEN new.floor > coalesce((SELECT max(offset) FROM "{name}_snapshots"), 0)
  OR (new.floor > 0 AND new.floor >= (SELECT max(offset) FROM "{name}")) BEGIN
  SELECT RAISE(ABORT, '{name}: events newer than the last snapshot, and the last event, cannot be dropped');
END;
CREATE TRIGGER "{schema}"."{name}_keep_snapshot" BEFORE DELETE ON "{name}_snapshots"
WHEN old.offset = (SELECT max(offset) FROM "{name}_snapshots") AND (SELECT floor FROM "{name}_meta") > 0 BEGIN
  SELECT RAISE(ABORT, '{name}: the last snapshot cannot be deleted: events before it are gone');
END;
