backup.sql: quire_backup. A page file that cannot be opened is not copied (B4).
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[4] INDEXED BY hnsw(m=4), a integer, fold_rows=20);
WITH s(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM s WHERE i < 60) INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 4), i FROM s;
INSERT INTO t(t) VALUES('fold');
DELETE FROM t WHERE rowid = 7;
--: test
SELECT quire_backup('copy.db') IN (0, (SELECT pages FROM quire_state));
SELECT quire_backup('copy2.db', 'main', 'max') IN (0, (SELECT pages FROM quire_state));
--: check
SELECT count(*), sum(rowid), sum(a) FROM t;
--: sound
INSERT INTO quire(quire) VALUES('integrity-check');
