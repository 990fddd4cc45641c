-- graph.sql: a graph: made, searched, added to, repaired around dead rows, compacted, made anew.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[64] INDEXED BY hnsw(m=4, ef_construction=8, ef_search=8), a integer, fold_rows=8);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70)
  INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 64), i % 3 FROM n;
--: test
INSERT INTO t(rowid, e, a) VALUES(100, test_vector(100, 64), 1);
SELECT rowid, distance FROM t WHERE e MATCH test_vector(100, 64) AND k = 1;
INSERT INTO t(t) VALUES('fold');
DELETE FROM t WHERE rowid % 5 = 1;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
  INSERT INTO t(rowid, e, a) SELECT 1000 + i, test_vector(i % 30, 64), i % 5 FROM n;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(5, 64);
INSERT INTO t(t) VALUES('optimize');
INSERT INTO t(t) VALUES('rebuild=hnsw(m=8)');
INSERT INTO t(t) VALUES('rebuild=hnsw(m=4, ef_construction=8, ef_search=8, quantizer=bit)');
SELECT rowid, distance FROM t WHERE e MATCH test_vector(1003, 64) AND k = 3;
INSERT INTO t(rowid, e, a) VALUES(5000, test_vector(5000, 64), 1);
SELECT rowid, distance FROM t WHERE e MATCH test_vector(5000, 64) AND k = 1;
--: check
SELECT count(*), sum(rowid), sum(a), sum(test_crc(e) % 1000003) FROM t;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(3, 64);
SELECT rowid FROM t WHERE e MATCH test_vector(7, 64) AND k = 5 AND exact = 1;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
