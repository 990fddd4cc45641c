rows.sql: rows by rowid from pages and overlay, in and out of transactions, with rows that have no vector.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[4], a integer, fold_rows=8);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
  INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 4), i % 3 FROM n;
INSERT INTO t(rowid, e, a) VALUES(100, test_vector(100, 4), 1);
--: test
SELECT rowid, e FROM t WHERE rowid = 7;
SELECT rowid, e FROM t WHERE rowid IN (1, 100, 7, 55);
SELECT rowid, a FROM t WHERE rowid IN (1, 100, 7, 55) ORDER BY rowid DESC;
SELECT count(*), min(e), max(rowid) FROM t;
SELECT max(rowid) FROM t;
SELECT rowid, e FROM t WHERE rowid BETWEEN 30 AND 200 ORDER BY rowid DESC;
BEGIN;
DELETE FROM t WHERE rowid IN (3, 4, 100);
UPDATE t SET e = test_vector(9, 4) WHERE rowid = 20;
SELECT count(*), min(e) FROM t WHERE rowid > 15;
INSERT INTO t(rowid, a) VALUES(101, 5);
SELECT count(*), min(e), max(rowid) FROM t;
SELECT rowid, e FROM t WHERE rowid IN (101, 5, 20);
COMMIT;
DELETE FROM t WHERE rowid BETWEEN 10 AND 12;
INSERT INTO t(t) VALUES('rebuild');
SELECT count(*) FROM t;
--: check
SELECT rowid, hex(e) FROM t ORDER BY rowid;
SELECT rowid, a, hex(e) FROM t ORDER BY rowid;
SELECT count(*), sum(rowid) FROM t;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
