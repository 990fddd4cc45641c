-- fields.sql: conditions on metadata in searches, over pages, delta and changed fields; rows that are looked at again.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[8] INDEXED BY hnsw(m=4, ef_construction=8, ef_search=8), a integer, s text, p text partition key, fold_rows=32);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
  INSERT INTO t(rowid, e, a, s, p) SELECT i, test_vector(i, 8), i % 7, 'some text ' || (i % 11), 'part ' || (i % 2) FROM n;
INSERT INTO t(t) VALUES('fold');
--: test
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(5, 8) AND p = 'part 1';
-- so few that no commit folds them
UPDATE t SET a = 100 WHERE rowid % 5 = 0;
SELECT rowid FROM t WHERE e MATCH test_vector(6, 8) AND k = 5 AND a = 100;
SELECT rowid FROM t WHERE e MATCH test_vector(6, 8) AND k = 5 AND s > 'some text 5' AND p <> 'part 0';
SELECT rowid FROM t WHERE e MATCH test_vector(6, 8) AND a IN (1, 2, 3, 4, 5, 100) AND s GLOB 'some text 1*' ORDER BY distance LIMIT 4;
UPDATE t SET p = 'part 2', s = 'other' WHERE rowid BETWEEN 20 AND 60;
INSERT INTO t(rowid, e, a, s, p) VALUES(500, test_vector(500, 8), 100, NULL, 'part 2');
UPDATE t SET a = 101 WHERE rowid = 500;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(7, 8) AND p = 'part 2';
INSERT INTO t(t) VALUES('optimize');
SELECT rowid FROM t WHERE e MATCH test_vector(7, 8) AND p = 'part 2' AND a >= 100 ORDER BY distance LIMIT 3;
--: check
SELECT count(*), sum(rowid), sum(a), count(s), max(p), sum(test_crc(e) % 1000003) FROM t;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(7, 8) AND p = 'part 2';
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(7, 8) AND a = 100 AND s > 'some text 3';
-- a filter of the test, whose bits the table keeps
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(6, 8) AND s > 'some text 5' AND p <> 'part 0';
--: sound
INSERT INTO t(t) VALUES('integrity-check');
