-- Pages of a store whose home is inline (home_inline.c): runs of them, and in row -1 how many exist.
CREATE TABLE IF NOT EXISTS %s."quire_pages"(first INTEGER PRIMARY KEY, data BLOB NOT NULL);
