-- narrow.sql: conditions that were never asked before, until the table makes narrow words of the column.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[8] INDEXED BY hnsw(m=4, ef_construction=8, ef_search=8), a integer, s text, fold_rows=1000);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
  INSERT INTO t(rowid, e, a, s) SELECT i, test_vector(i, 8), i * 7919 % 1009, 'some text ' || (i % 40) FROM n;
INSERT INTO t(t) VALUES('fold');
CREATE TABLE c AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24) SELECT i FROM n;
--: test
SELECT count(*), sum(t.rowid) FROM c CROSS JOIN t WHERE e MATCH test_vector(5, 8) AND k = 2 AND a > 10 * c.i;
UPDATE t SET a = 55 WHERE rowid = 7;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(5, 8) AND a BETWEEN 50 AND 60;
--: check
SELECT count(*), sum(rowid), sum(a), count(s), sum(test_crc(e) % 1000003) FROM t;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(7, 8) AND a < 500 AND s > 'some text 3';
--: sound
INSERT INTO t(t) VALUES('integrity-check');
