upgrade.sql: a table in sqlite-vec's form read, and moved to pages, alone, in a transaction and rolled back.
--: setup
CREATE TABLE t_info(key TEXT PRIMARY KEY, value ANY);
CREATE TABLE t_chunks(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, sequence_id INTEGER, partition00, validity BLOB NOT NULL, rowids BLOB NOT NULL);
CREATE TABLE t_rowids(rowid INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, chunk_id INTEGER, chunk_offset INTEGER);
CREATE TABLE t_vector_chunks00(rowid PRIMARY KEY, vectors BLOB NOT NULL);
CREATE TABLE t_metadatachunks00(rowid PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE t_metadatatext00(rowid PRIMARY KEY, data TEXT);
CREATE TABLE t_auxiliary(rowid INTEGER PRIMARY KEY, value00);
INSERT INTO t_chunks VALUES(1, 8, NULL, 5, x'05', CAST(x'0100000000000000' || zeroblob(8) || x'0300000000000000' || zeroblob(40) AS BLOB));
INSERT INTO t_chunks VALUES(2, 8, NULL, 6, x'01', CAST(x'0400000000000000' || zeroblob(56) AS BLOB));
INSERT INTO t_rowids VALUES(1, 'one', 1, 0), (3, 'three', 1, 2), (4, 'four', 2, 0);
INSERT INTO t_vector_chunks00 VALUES(1, CAST(test_vector(1, 2) || zeroblob(8) || test_vector(3, 2) || zeroblob(40) AS BLOB)), (2, CAST(test_vector(4, 2) || zeroblob(56) AS BLOB));
INSERT INTO t_metadatachunks00 VALUES(1, CAST(x'02000000686900000000000000000000' || zeroblob(16) || x'10000000' || 'a text of ma' || zeroblob(80) AS BLOB)), (2, zeroblob(128));
INSERT INTO t_metadatatext00 VALUES(3, 'a text of many b');
INSERT INTO t_auxiliary VALUES(1, 'aux'), (3, 7);
CREATE VIRTUAL TABLE v USING quire(f float[3]);
INSERT INTO v(rowid, f) VALUES(1, test_vector(1, 3));
PRAGMA writable_schema = ON;
INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql)
  VALUES('table', 't', 't', 0, 'CREATE VIRTUAL TABLE t USING vec0(id text primary key, e float[2], u integer partition key, lang text, +x, chunk_size=8)');
PRAGMA writable_schema = RESET;
--: test
SELECT id, hex(e), u, lang, x FROM t ORDER BY id;
SELECT id, lang FROM t WHERE e MATCH test_vector(3, 2) AND k = 2 AND u = 5;
SELECT x FROM t WHERE id = 'three';
INSERT INTO t(t) VALUES('integrity-check');
BEGIN;
INSERT INTO t(t) VALUES('upgrade');
DELETE FROM t WHERE id = 'one';
ROLLBACK;
SELECT count(*) FROM t;
INSERT INTO t(t) VALUES('upgrade');
INSERT INTO t(id, e, u, lang) VALUES('five', test_vector(5, 2), 5, 'new');
SELECT id, lang FROM t WHERE e MATCH test_vector(3, 2) AND k = 4;
--: check
SELECT id, hex(e), u, lang, x FROM t ORDER BY id;
SELECT id FROM t WHERE e MATCH test_vector(3, 2) AND k = 4;
SELECT rowid FROM v WHERE f MATCH test_vector(3, 3) AND k = 4;
SELECT group_concat(name) FROM sqlite_schema;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
