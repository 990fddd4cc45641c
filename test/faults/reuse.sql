-- reuse.sql: slots of rows that are gone are given to others: in a graph, in lists, with fields; the rows come back.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[16] INDEXED BY hnsw(m=4), f float[64] INDEXED BY ivf(from_rows=1), a integer, fold_rows=1000);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
  INSERT INTO t(rowid, e, f, a) SELECT i, test_vector(i, 16), test_vector(i, 64), i % 3 FROM n;
INSERT INTO t(t) VALUES('fold');
DELETE FROM t WHERE rowid % 3 = 1;
--: test
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15)
  INSERT INTO t(rowid, e, f, a) SELECT 100 + i, test_vector(100 + i, 16), test_vector(100 + i, 64), i % 5 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_vector(105, 16) AND k = 1;
BEGIN;
DELETE FROM t WHERE rowid IN (2, 3, 5, 6, 8, 9, 101, 102, 103, 104);
INSERT INTO t(rowid, e, f, a) VALUES(1, test_vector(1, 16), test_vector(1, 64), 7), (4, test_vector(4, 16), test_vector(4, 64), 7);
UPDATE t SET e = test_vector(rowid + 500, 16) WHERE rowid BETWEEN 11 AND 21;
INSERT INTO t(t) VALUES('fold');
COMMIT;
SELECT rowid, distance FROM t WHERE f MATCH test_vector(4, 64) AND k = 1;
SELECT count(*), sum(rowid) FROM t WHERE rowid BETWEEN 1 AND 12;
INSERT INTO t(t) VALUES('optimize');
--: check
SELECT count(*), sum(rowid), sum(a), sum(test_crc(e) % 1000003), sum(test_crc(f) % 1000003) FROM t;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(3, 16);
SELECT count(*), sum(rowid) FROM t WHERE f MATCH test_vector(3, 64);
SELECT rowid FROM t WHERE e MATCH test_vector(7, 16) AND k = 5 AND exact = 1;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
