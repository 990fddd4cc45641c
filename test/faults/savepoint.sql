savepoint.sql: functions of several statements, each in a savepoint.
--: setup
CREATE TABLE host(id INTEGER PRIMARY KEY);
INSERT INTO host VALUES(1), (2), (3);
SELECT quire_create('events', 'log');
SELECT quire_create('kv', 's', 'events=log');
SELECT kv_set('s', 'a', 1);
SELECT quire_create('documents', 'n', 'events=log', 'pending=yes');
CREATE VIRTUAL TABLE v USING quire(e float[4], h integer, fold_rows=2, relates_to='host(id)', relation=one_to_many, parent_column=h, events='log');
INSERT INTO v(rowid, e, h) VALUES(1, test_vector(1, 4), 1), (2, test_vector(2, 4), 2), (3, test_vector(3, 4), 3);
--: test
SELECT kv_set('s', 'b', 2);
SELECT kv_delete('s', 'a');
SELECT doc_put('n', '', 'x', '[1]');
SELECT quire_snapshot('log');
SELECT quire_retain('log', 3);
SELECT quire_rebuild('s');
SELECT quire_create('kv', 't');
SELECT quire_drop('t');
--: check
SELECT name FROM sqlite_schema WHERE name NOT GLOB 'quire_????????????????_*' ORDER BY name;
SELECT key, quote(value), revision FROM s_data ORDER BY key;
SELECT docid, id, body, revision FROM n_data;
SELECT docid FROM n_pending;
SELECT rowid, h, hex(e) FROM v ORDER BY rowid;
SELECT id FROM host;
SELECT offset, type, collection, key, revision, payload FROM log;
SELECT * FROM log_state;
SELECT floor FROM log_meta;
--: sound
INSERT INTO v(v) VALUES('integrity-check');
