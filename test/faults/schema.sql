schema.sql: CREATE, DROP and RENAME, alone and rolled back.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[4], a integer, fold_rows=4);
INSERT INTO t(rowid, e, a) VALUES(1, test_vector(1, 4), 1), (2, test_vector(2, 4), 2), (3, test_vector(3, 4), 3),
  (4, test_vector(4, 4), 1), (5, test_vector(5, 4), 2);
--: test
CREATE VIRTUAL TABLE u USING quire(f float[3], fold_rows=2);
INSERT INTO u(rowid, f) VALUES(1, test_vector(1, 3)), (2, test_vector(2, 3)), (3, test_vector(3, 3));
BEGIN;
DROP TABLE u;
CREATE VIRTUAL TABLE w USING quire(g float[2]);
INSERT INTO w(rowid, g) VALUES(1, test_vector(1, 2));
ROLLBACK;
SELECT rowid FROM u WHERE f MATCH test_vector(2, 3) AND k = 2;
ALTER TABLE u RENAME TO v;
INSERT INTO v(rowid, f) VALUES(4, test_vector(4, 3));
SELECT count(*) FROM v;
DROP TABLE v;
--: check
SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%' ORDER BY name;
SELECT rowid, a, hex(e) FROM t ORDER BY rowid;
SELECT rowid FROM t WHERE e MATCH test_vector(3, 4) AND k = 10;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
