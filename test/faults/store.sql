store.sql: the first vector table of a database makes the store; when the last one is gone the store can be dropped.
--: setup
CREATE TABLE hosts(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO hosts VALUES(1, 'one');
--: test
CREATE VIRTUAL TABLE t USING quire(e float[4], a integer, fold_rows=2);
INSERT INTO t(rowid, e, a) VALUES(1, test_vector(1, 4), 1), (2, test_vector(2, 4), 2), (3, test_vector(3, 4), 3);
DROP TABLE quire;
DROP TABLE t;
DROP TABLE quire;
BEGIN;
CREATE VIRTUAL TABLE u USING quire(e float[4]);
INSERT INTO u(rowid, e) VALUES(1, test_vector(1, 4));
ROLLBACK;
CREATE VIRTUAL TABLE quire USING quire_store(home=auto);
--: check
SELECT name FROM sqlite_schema ORDER BY name;
SELECT * FROM hosts;
--: sound
SELECT 1;
