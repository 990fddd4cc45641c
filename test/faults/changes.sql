changes.sql: single changes, in and out of transactions, with savepoints.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[4], a integer, fold_rows=5);
CREATE TABLE hosts(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO t(rowid, e, a) VALUES(1, test_vector(1, 4), 1), (2, test_vector(2, 4), 2), (3, test_vector(3, 4), 3),
  (4, test_vector(4, 4), 1), (5, test_vector(5, 4), 2), (6, test_vector(6, 4), 3), (7, test_vector(7, 4), 1);
INSERT INTO t(rowid, e, a) VALUES(20, test_vector(20, 4), 1);
--: test
INSERT INTO t(rowid, e, a) VALUES(8, test_vector(8, 4), 8);
BEGIN;
INSERT INTO hosts VALUES(1, 'one');
INSERT INTO t(rowid, e, a) VALUES(9, test_vector(9, 4), 9);
SAVEPOINT s;
UPDATE t SET e = test_vector(30, 4) WHERE rowid = 2;
DELETE FROM t WHERE rowid BETWEEN 3 AND 5;
ROLLBACK TO s;
UPDATE t SET a = a + 1 WHERE rowid < 4;
SELECT rowid, distance FROM t WHERE e MATCH test_vector(2, 4) AND k = 4;
RELEASE s;
INSERT OR REPLACE INTO t(rowid, e, a) VALUES(7, test_vector(70, 4), 70), (10, test_vector(10, 4), 10);
COMMIT;
UPDATE t SET rowid = 100 WHERE rowid = 1;
DELETE FROM t WHERE a = 3;
DELETE FROM t;
--: check
SELECT rowid, a, hex(e) FROM t ORDER BY rowid;
SELECT rowid, distance FROM t WHERE e MATCH test_vector(3, 4) AND k = 100;
SELECT * FROM hosts;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
