fold.sql: folds by threshold and by command, bulk insertion, rebuild, changes of the index.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[4], a integer, fold_rows=8);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
  INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 4), i % 3 FROM n;
--: test
INSERT INTO t(rowid, e, a) VALUES(100, test_vector(100, 4), 1);
INSERT INTO t(t) VALUES('fold');
DELETE FROM t WHERE rowid % 2;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
  INSERT INTO t(rowid, e, a) SELECT 1000 + i, test_vector(i, 4), i % 5 FROM n;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(5, 4) AND k = 50;
INSERT INTO t(t) VALUES('optimize');
INSERT INTO t(t) VALUES('rebuild');
INSERT INTO t(t) VALUES('ef_search=99');
INSERT INTO t(t) VALUES('rebuild=auto(m=8, ef_search=33)');
INSERT INTO t(rowid, e, a) VALUES(5000, test_vector(5000, 4), 1);
SELECT rowid, distance FROM t WHERE e MATCH test_vector(5000, 4) AND k = 3;
--: check
SELECT count(*), sum(rowid), sum(a), sum(test_crc(e) % 1000003) FROM t;
SELECT rowid, ef_search FROM t WHERE e MATCH test_vector(3, 4) AND k = 30;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
