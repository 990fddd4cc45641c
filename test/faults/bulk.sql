bulk.sql: a transaction so large that it folds in between; what cannot be folded waits for a later fold. 'rebuild' in batches of that size.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[16], a integer, fold_rows=1000);
INSERT INTO t(rowid, e, a) VALUES(1, test_vector(1, 16), 1), (2, test_vector(2, 16), 2);
--: test
INSERT INTO quire(quire) VALUES('bulk_bytes=2000');
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 16), i % 3 FROM n;
WITH RECURSIVE n(i) AS (SELECT 70 UNION ALL SELECT i + 1 FROM n WHERE i < 120) INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 16), i % 3 FROM n;
DELETE FROM t WHERE rowid % 7 = 0;
UPDATE t SET e = test_vector(rowid + 500, 16) WHERE rowid % 5 = 0;
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(30, 16) AND k = 20;
COMMIT;
INSERT INTO t(t) VALUES('rebuild');
DELETE FROM t;
INSERT INTO t(rowid, e, a) VALUES(5, test_vector(5, 16), 5);
--: check
SELECT count(*), sum(rowid), sum(a), sum(test_crc(e) % 1000003) FROM t;
SELECT rowid FROM t WHERE e MATCH test_vector(3, 16) AND k = 10;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
