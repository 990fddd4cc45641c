-- The shadow tables of the store (the virtual table `quire`). Built into the extension; %s is the schema's quoted name.
-- All keys are INTEGER PRIMARY KEY: VACUUM renumbers other rowids.

-- One row: the only truth about the page file (RELIABILITY R3). root 0: no page was ever committed.
-- owner: for a memory home the token of the connection whose memory holds the pages, else 0 (S10).
CREATE TABLE %s."quire_state"(
  id INTEGER PRIMARY KEY CHECK(id = 1),
  format INTEGER NOT NULL, uuid BLOB NOT NULL, n INTEGER NOT NULL, gen INTEGER NOT NULL,
  root INTEGER NOT NULL, crc INTEGER NOT NULL, pages INTEGER NOT NULL, owner INTEGER NOT NULL);

-- Pages that no current root reaches, as ranges, and the fold that freed them. Row 0 bounds the page counts of roots (space.c).
CREATE TABLE %s."quire_free"(first INTEGER PRIMARY KEY, count INTEGER NOT NULL, at INTEGER NOT NULL);

-- For the reuse horizon: the state of fold n was in the WAL of this salt up to this frame.
CREATE TABLE %s."quire_wm"(n INTEGER PRIMARY KEY, salt INTEGER NOT NULL, frame INTEGER NOT NULL);

-- The vector tables. name NULL: dropped, its pages are freed by the next fold.
CREATE TABLE %s."quire_tables"(id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE, options TEXT NOT NULL);
