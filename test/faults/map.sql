-- map.sql: maps, with rows of their own and with values in pages alone: written, folded, read by key, changed, made anew.
--: setup
CREATE VIRTUAL TABLE m USING quire_map(key INTEGER PRIMARY KEY, name TEXT NOT NULL, n INTEGER, x, fold_rows=10);
CREATE VIRTUAL TABLE p USING quire_map(key INTEGER PRIMARY KEY, v, w REAL, content='', fold_rows=12);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO m SELECT i * 3, 'name ' || i, i * i, zeroblob(i * 20) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO p SELECT i * 5, 'value ' || i, i / 4.0 FROM n;
--: test
INSERT INTO m VALUES(1000, 'new', '12', NULL);
SELECT * FROM m WHERE key = 30;
SELECT name, length(x) FROM m WHERE key IN (3, 6, 7, 90, 1000) ORDER BY key;
INSERT INTO m(m) VALUES('fold');
UPDATE m SET name = name || '!' WHERE key < 40;
UPDATE p SET w = w + 1 WHERE key BETWEEN 20 AND 90;
UPDATE p SET key = key + 1000 WHERE key = 5;
DELETE FROM m WHERE key % 4 = 1;
DELETE FROM p WHERE key = 100;
INSERT OR REPLACE INTO p VALUES(10, 'again', 3);
INSERT OR IGNORE INTO m VALUES(30, 'x', 1, 1);
SELECT count(*), sum(n) FROM m;
SELECT rowid, vector FROM quire_get('p', '[10, 15, 1005, 7]', 'v');
INSERT INTO m(m) VALUES('optimize');
INSERT INTO p(p) VALUES('merge=100');
INSERT INTO p(p) VALUES('rebuild');
INSERT INTO p VALUES(2000, x'00ff', 7);
--: check
SELECT count(*), sum(key), sum(n), sum(test_crc(name) % 1000003), sum(test_crc(x) % 1000003) FROM m;
SELECT count(*), sum(key), sum(w), sum(test_crc(v) % 1000003) FROM p;
SELECT v FROM p WHERE key IN (10, 1005, 2000) ORDER BY key DESC;
--: sound
INSERT INTO m(m) VALUES('integrity-check');
INSERT INTO p(p) VALUES('integrity-check');
