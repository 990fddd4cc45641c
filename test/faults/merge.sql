merge.sql: 'merge' and 'automerge' where there is work, and where there is none left; the file is cut.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[64], a integer, fold_rows=40);
CREATE VIRTUAL TABLE u USING quire(e float[4], fold_rows=10);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 64), i % 3 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) INSERT INTO u(rowid, e) SELECT i, test_vector(i, 4) FROM n;
INSERT INTO quire(quire) VALUES('fold');
DELETE FROM t WHERE rowid > 100;
INSERT INTO quire(quire) VALUES('fold');
--: test
INSERT INTO quire(quire) VALUES('merge=10');
INSERT INTO u(rowid, e) VALUES(100, test_vector(100, 4));
INSERT INTO t(t) VALUES('merge=1000');
INSERT INTO quire(quire) VALUES('merge=1000');
INSERT INTO quire(quire) VALUES('merge=1000');
INSERT INTO quire(quire) VALUES('merge=1000');
INSERT INTO quire(quire) VALUES('automerge=100');
UPDATE t SET a = a + 1 WHERE rowid < 60;
DROP TABLE u;
INSERT INTO quire(quire) VALUES('merge=1000');
--: check
SELECT count(*), sum(rowid), sum(a), sum(test_crc(e) % 1000003) FROM t;
SELECT rowid FROM t WHERE e MATCH test_vector(3, 64) AND k = 10;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
