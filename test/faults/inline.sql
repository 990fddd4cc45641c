inline.sql: pages in rows of the database: folds, searches, space given back, and moves between the homes.
--: setup
CREATE VIRTUAL TABLE quire USING quire_store(home=inline);
CREATE VIRTUAL TABLE t USING quire(e float[64], a integer, fold_rows=40);
CREATE VIRTUAL TABLE g USING quire(e float[4] INDEXED BY hnsw(m=4, ef_construction=8, ef_search=10), fold_rows=30);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 64), i % 3 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) INSERT INTO g(rowid, e) SELECT i, test_vector(i, 4) FROM n;
--: test
SELECT count(*), sum(rowid) FROM t WHERE e MATCH test_vector(5, 64) AND k = 50;
SELECT count(*) FROM g WHERE e MATCH test_vector(5, 4) AND k = 20;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t(rowid, e, a) SELECT 1000 + i, test_vector(i, 64), i % 5 FROM n;
UPDATE t SET e = test_vector(rowid + 7, 64) WHERE rowid % 4 = 1;
DELETE FROM g WHERE rowid % 3 = 0;
INSERT INTO quire(quire) VALUES('optimize');
SELECT rowid, distance FROM t WHERE e MATCH test_vector(9, 64) AND k = 5;
INSERT INTO quire(quire) VALUES('home=file');
SELECT rowid, distance FROM t WHERE e MATCH test_vector(9, 64) AND k = 5;
INSERT INTO quire(quire) VALUES('home=inline');
DELETE FROM t WHERE rowid > 200;
INSERT INTO quire(quire) VALUES('merge=100');
INSERT INTO quire(quire) VALUES('rebuild');
SELECT rowid FROM g WHERE e MATCH test_vector(3, 4) AND k = 10 AND exact = 1;
--: check
SELECT count(*), sum(rowid), sum(a), sum(test_crc(e) % 1000003) FROM t;
SELECT count(*), sum(rowid), sum(test_crc(e) % 1000003) FROM g;
SELECT rowid FROM t WHERE e MATCH test_vector(3, 64) AND k = 10;
--: sound
INSERT INTO quire(quire) VALUES('integrity-check');
