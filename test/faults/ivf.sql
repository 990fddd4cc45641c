-- ivf.sql: lists: made, searched, added to, split, without dead rows, compacted, made anew; codes learned again.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[64] INDEXED BY ivf(from_rows=1, nprobe=2), a integer, fold_rows=8);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70)
  INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 64), i % 3 FROM n;
--: test
INSERT INTO t(rowid, e, a) VALUES(100, test_vector(100, 64), 1);
SELECT rowid, distance FROM t WHERE e MATCH test_vector(100, 64) AND k = 1;
INSERT INTO t(t) VALUES('fold');
DELETE FROM t WHERE rowid % 5 = 1;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80)
  INSERT INTO t(rowid, e, a) SELECT 1000 + i, test_vector(i % 70, 64), i % 5 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
  INSERT INTO t(rowid, e, a) SELECT 2000 + i, vec_add(test_vector(7, 64), vec_f32(test_vector(7, 64))), i % 5 FROM n;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(5, 64);
INSERT INTO t(t) VALUES('optimize');
INSERT INTO t(t) VALUES('rebuild=ivf(nlist=4, from_rows=1, quantizer=int8)');
INSERT INTO t(t) VALUES('rebuild=ivf(from_rows=1, quantizer=bit, nprobe=5)');
SELECT rowid, distance FROM t WHERE e MATCH test_vector(101, 64) AND k = 3;
INSERT INTO t(rowid, e, a) VALUES(5000, test_vector(5000, 64), 1);
SELECT rowid, distance FROM t WHERE e MATCH test_vector(5000, 64) AND k = 1;
--: check
SELECT count(*), sum(rowid), sum(a), sum(test_crc(e) % 1000003) FROM t;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(3, 64);
SELECT rowid FROM t WHERE e MATCH test_vector(7, 64) AND k = 5 AND exact = 1;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
