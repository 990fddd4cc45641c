-- sparse.sql: sparse columns: folded, searched, changed, segments put together, without dead rows, made anew.
--: setup
CREATE VIRTUAL TABLE t USING quire(e sparse[100] distance_metric=dot, f sparse[2147483648], a integer, fold_rows=8);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
  INSERT INTO t(rowid, e, f, a) SELECT i, printf('{%d:1,%d:%d,%d:-2}/100', 1 + i % 3, 4 + i % 7, i, 50 + i % 11), printf('{"%d":1,"%d":2.5}', i % 5, 70000000 * (1 + i % 20)), i % 3 FROM n;
--: test
INSERT INTO t(rowid, e, f, a) VALUES(100, '{1:3,5:7.5}/100', '{}', 1);
SELECT rowid, distance FROM t WHERE e MATCH '{5:1}/100' AND k = 1;
INSERT INTO t(t) VALUES('fold');
DELETE FROM t WHERE rowid % 5 = 1;
UPDATE t SET e = '{9:1}/100' WHERE rowid % 7 = 2;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
  INSERT INTO t(rowid, e, a) SELECT 1000 + i, printf('{%d:1,%d:2}/100', 1 + i % 3, 4 + i % 30), i % 5 FROM n;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH '{1:1,2:-1}/100';
SELECT rowid, distance FROM t WHERE f MATCH '{"1":1,"70000000":2}' AND a = 1 ORDER BY distance LIMIT 5;
INSERT INTO t(t) VALUES('optimize');
INSERT INTO t(t) VALUES('rebuild');
INSERT INTO t(rowid, e, a) VALUES(5000, '{77:9}/100', 1);
SELECT rowid, distance FROM t WHERE e MATCH '{77:1}/100' AND k = 1;
--: check
SELECT count(*), sum(rowid), sum(a), sum(test_crc(e) % 1000003), sum(test_crc(f) % 1000003) FROM t;
SELECT count(*), sum(rowid), sum(distance) FROM t WHERE e MATCH '{1:1,2:-1,9:4}/100';
SELECT rowid, distance FROM t WHERE f MATCH '{"1":1,"70000000":2}' AND k = 7;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
