content.sql: a user's table and its index: triggers, folds, rebuild, RENAME, DROP, alone and rolled back.
--: setup
CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT UNIQUE, e BLOB, kind TEXT);
INSERT INTO docs VALUES(1, 'a', test_vector(1, 3), 'x'), (2, 'b', test_vector(2, 3), 'y'), (3, 'c', NULL, 'x'), (4, 'd', test_vector(4, 3), 'x');
CREATE VIRTUAL TABLE t USING quire(e float[3], kind text, content='docs', content_rowid='id', fold_rows=4);
INSERT INTO t(t) VALUES('triggers');
INSERT INTO t(t) VALUES('rebuild');
--: test
INSERT INTO docs(id, title, e, kind) VALUES(5, 'e', test_vector(5, 3), 'y'), (6, 'f', test_vector(6, 3), 'x');
UPDATE docs SET kind = 'z', e = test_vector(20, 3) WHERE id = 2;
REPLACE INTO docs(id, title, e, kind) VALUES(4, 'd', test_vector(40, 3), 'q');
SELECT rowid FROM t WHERE e MATCH test_vector(3, 3) AND kind = 'x';
BEGIN;
DELETE FROM docs WHERE id < 3;
INSERT INTO t(t) VALUES('fold');
ROLLBACK;
DELETE FROM docs WHERE id = 1;
INSERT INTO t(t) VALUES('rebuild');
ALTER TABLE t RENAME TO u;
INSERT INTO docs(id, title, e) VALUES(9, 'g', test_vector(9, 3));
SELECT rowid FROM u WHERE e MATCH test_vector(3, 3) AND k = 9;
DROP TABLE u;
--: check
SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%' OR type = 'trigger' AND name LIKE '%delete' ORDER BY name;
SELECT id, title, hex(e), kind FROM docs ORDER BY id;
--: sound
INSERT INTO quire(quire) VALUES('integrity-check');
