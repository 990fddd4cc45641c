# sqlite_vec_cases.tcl: statements in sqlite-vec's dialect, for sqlite_vec.test and test/golden/sqlite_vec.tcl.
#
# A group is a session on a new database. A statement ends with `;` at the end of a line. Lines after it:
#
#   -> RESULT    Quire's answer, {code value ...}, where it is not sqlite-vec's; a list, or /regular expression/ over it
#   -- REASON    why
#   @ VERSION    the answer of sqlite-vec depends on SQLite before VERSION (as sqlite3_libversion_number): compared from there on only
#
# REASONs are of a few kinds. LEGAL: sqlite-vec refuses what we can do. STRICT: sqlite-vec takes what is no vector or no number. The
# same, and why: our message says more. Others say what they say.

set cases {}
proc cases {group text} {lappend ::cases $group $text}

cases version {
SELECT vec_version();
SELECT typeof(vec_debug());
}

cases constructors {
SELECT vec_to_json(vec_f32('[1, 2.5, -3e2]')), vec_type(vec_f32('[1]')), vec_length(vec_f32('[1,2,3]'));
SELECT hex(vec_f32('[1,2]')), hex(vec_int8('[1,-2,127,-128]')), hex(vec_bit(x'0aff'));
SELECT vec_type(vec_int8('[1]')), vec_type(vec_bit(x'01')), vec_type(x'0000803f'), vec_type('[1]');
SELECT vec_length(vec_int8('[1,2]')), vec_length(vec_bit(x'0102')), vec_length(x'0000803f00000040');
SELECT vec_to_json(vec_int8('[1,-2]')), vec_to_json(vec_bit(x'0a')), vec_to_json(x'0000803f'), vec_to_json('[ 1 , 2 ]');
SELECT typeof(vec_f32('[1]')), typeof(vec_to_json('[1]')), json_array(json(vec_to_json('[1]')));
SELECT json_array(vec_to_json('[1,2]'));
SELECT hex(vec_f32(x'0000803f')), hex(vec_int8(x'01ff')), hex(vec_bit(x'00'));
SELECT hex(vec_f32(vec_int8(x'01020304'))), hex(vec_int8(vec_f32('[1]'))), hex(vec_bit(vec_f32('[1]')));
SELECT vec_f32('[]');
SELECT vec_f32('');
SELECT vec_f32(x'');
SELECT vec_f32(x'010203');
SELECT vec_f32(NULL);
SELECT vec_f32(1);
SELECT vec_f32(1.5);
SELECT vec_f32('1,2');
SELECT vec_f32('[1,2');
-> {1 {JSON parsing error: Input does not end with ']'} 1}
-- STRICT: the text does not end
SELECT vec_f32('[1,,2]');
-> {1 {JSON parsing error} 1}
-- STRICT: no JSON
SELECT vec_f32('[1,a]');
SELECT vec_f32('[1 2]');
SELECT vec_f32('[1,2]x');
-> {1 {JSON parsing error: characters after the closing ']'} 1}
-- STRICT: no JSON
SELECT vec_f32('[1,2,]');
SELECT vec_f32('[[1]]');
SELECT vec_f32('["1"]');
SELECT vec_f32('{"a":1}');
SELECT vec_f32('[nan]');
-> {1 {JSON parsing error} 1}
-- STRICT: no number
SELECT vec_f32('[1e400]');
-> {1 {JSON parsing error: value out of range for float32} 1}
-- the same, and why
SELECT vec_f32('[-1e400]');
-> {1 {JSON parsing error: value out of range for float32} 1}
-- the same, and why
SELECT vec_f32(x'0000c07f');
-> {1 {invalid float32 vector: element 0 is NaN} 1}
-- STRICT: NaN
SELECT vec_f32(x'0000807f');
-> {1 {invalid float32 vector: element 0 is Inf} 1}
-- STRICT: infinity
SELECT vec_f32(x'0000803f000080ff');
-> {1 {invalid float32 vector: element 1 is Inf} 1}
-- STRICT: infinity
SELECT vec_int8('[128]');
SELECT vec_int8('[-129]');
SELECT vec_int8('[1.5]');
SELECT vec_int8('[]');
SELECT vec_int8('');
SELECT vec_int8(x'');
SELECT vec_int8(NULL);
SELECT vec_int8(1);
SELECT vec_bit('[1]');
SELECT vec_bit('');
SELECT vec_bit(x'');
SELECT vec_bit(NULL);
SELECT vec_bit(1);
SELECT vec_length('[]');
SELECT vec_length(NULL);
SELECT vec_type(NULL);
SELECT vec_to_json(NULL);
SELECT vec_f32();
SELECT vec_f32('[1]', 2);
SELECT vec_to_json('[0.1, 123456789, 1e-10, 3.4028234e38]');
}

cases arithmetic {
SELECT vec_distance_l2('[0,0]', '[3,4]'), vec_distance_l1('[0,0]', '[3,4]'), vec_distance_cosine('[1,0]', '[1,1]');
SELECT vec_distance_l2(vec_int8('[0,0]'), vec_int8('[3,4]')), vec_distance_l1(vec_int8('[0,0]'), vec_int8('[3,4]')), vec_distance_cosine(vec_int8('[1,0]'), vec_int8('[1,1]'));
SELECT vec_distance_l2('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]', '[17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1]');
SELECT vec_distance_l1('[0.1,0.2,0.3]', '[0.3,0.1,0.25]'), vec_distance_cosine('[0.1,0.2,0.3]', '[0.3,0.1,0.25]');
SELECT vec_distance_hamming(vec_bit(x'00ff'), vec_bit(x'0ff0')), vec_distance_hamming(vec_bit(x'ff'), vec_bit(x'00'));
SELECT vec_distance_hamming(vec_bit(x'000102030405060708'), vec_bit(x'ffffffffffffffffff'));
SELECT vec_distance_cosine('[0,0]', '[1,1]');
-> {0 1.0}
-- STRICT: NULL would sort first
SELECT vec_distance_l2('[1,2]', '[1]');
SELECT vec_distance_l2('[1]', vec_int8('[1]'));
SELECT vec_distance_l2(vec_bit(x'01'), vec_bit(x'01'));
SELECT vec_distance_l1(vec_bit(x'01'), vec_bit(x'01'));
SELECT vec_distance_cosine(vec_bit(x'01'), vec_bit(x'01'));
SELECT vec_distance_hamming('[1]', '[1]');
SELECT vec_distance_hamming(vec_int8('[1]'), vec_int8('[1]'));
SELECT vec_distance_l2(NULL, '[1]');
SELECT vec_distance_l2('[1]', NULL);
SELECT vec_distance_l2('[1]', 'x');
SELECT vec_to_json(vec_add('[1,2]', '[3,4]')), vec_to_json(vec_sub('[1,2]', '[3,4]'));
SELECT vec_to_json(vec_add(vec_int8('[1,2]'), vec_int8('[3,4]'))), vec_to_json(vec_sub(vec_int8('[1,2]'), vec_int8('[3,4]')));
SELECT vec_type(vec_add('[1]', '[2]')), vec_type(vec_add(vec_int8('[1]'), vec_int8('[2]')));
SELECT vec_to_json(vec_add(vec_int8('[127]'), vec_int8('[1]'))), vec_to_json(vec_sub(vec_int8('[-128]'), vec_int8('[1]')));
SELECT vec_add(vec_bit(x'01'), vec_bit(x'01'));
SELECT vec_sub(vec_bit(x'01'), vec_bit(x'01'));
SELECT vec_add('[1]', '[1,2]');
SELECT vec_add('[1]', vec_int8('[1]'));
SELECT vec_add(NULL, '[1]');
SELECT vec_to_json(vec_normalize('[3,4]')), vec_type(vec_normalize('[3,4]'));
SELECT vec_normalize(vec_int8('[1]'));
SELECT vec_normalize(vec_bit(x'01'));
SELECT vec_to_json(vec_normalize('[0,0]'));
-> {0 {{[0.000000,0.000000]}}}
-- STRICT: NaN
SELECT vec_to_json(vec_slice('[1,2,3,4]', 1, 3)), vec_to_json(vec_slice(vec_int8('[1,2,3,4]'), 0, 2)), vec_to_json(vec_slice(vec_bit(x'0102'), 8, 16));
SELECT vec_type(vec_slice('[1,2]', 0, 1)), vec_type(vec_slice(vec_int8('[1,2]'), 0, 1)), vec_type(vec_slice(vec_bit(x'0102'), 0, 8));
SELECT vec_slice('[1,2]', -1, 1);
SELECT vec_slice('[1,2]', 0, -1);
SELECT vec_slice('[1,2]', 3, 4);
SELECT vec_slice('[1,2]', 0, 3);
SELECT vec_slice('[1,2]', 2, 1);
SELECT vec_slice('[1,2]', 1, 1);
SELECT vec_slice('[1,2]', 0, 0);
SELECT vec_slice(vec_bit(x'0102'), 4, 8);
SELECT vec_slice(vec_bit(x'0102'), 0, 4);
SELECT vec_slice(NULL, 0, 1);
SELECT vec_to_json(vec_quantize_int8('[-1,-0.5,0,0.5,1]', 'unit')), vec_type(vec_quantize_int8('[0]', 'unit'));
SELECT vec_to_json(vec_quantize_int8('[0.1,0.2,0.33,-0.77]', 'unit'));
SELECT vec_quantize_int8('[0]', 'other');
SELECT vec_quantize_int8(NULL, 'unit');
SELECT vec_quantize_int8(vec_int8('[1]'), 'unit');
SELECT vec_quantize_int8(vec_bit(x'01'), 'unit');
SELECT vec_quantize_i8('[0]', 'unit') IS NOT NULL;
-> {0 1}
-- LEGAL: sqlite-vec's documentation has this name
SELECT hex(vec_quantize_binary('[1,-1,0,2,-3,0.1,-0.1,9]')), vec_type(vec_quantize_binary('[1,1,1,1,1,1,1,1]'));
SELECT hex(vec_quantize_binary(vec_int8('[1,-1,0,2,-3,1,-1,9]')));
SELECT vec_quantize_binary('[1]');
SELECT vec_quantize_binary(vec_bit(x'01'));
SELECT vec_quantize_binary(NULL);
}

cases each {
SELECT rowid, value FROM vec_each('[1.5,2,3]');
SELECT rowid, value, typeof(value) FROM vec_each(vec_int8('[1,-2]'));
SELECT rowid, value, typeof(value) FROM vec_each(vec_bit(x'05'));
SELECT count(*), sum(value) FROM vec_each('[1,2]') WHERE rowid > 0;
SELECT * FROM vec_each('[7]');
SELECT * FROM vec_each('[]');
-> {1 {zero-length vectors are not supported.} 1}
-- the same, and why
SELECT * FROM vec_each(NULL);
-> {1 {Input must have type BLOB (compact format) or TEXT (JSON), found NULL} 1}
-- the same, and why
SELECT * FROM vec_each('x');
-> {1 {JSON array parsing error: Input does not start with '['} 1}
-- the same, and why
SELECT * FROM vec_each;
SELECT t.a, e.value FROM (SELECT '[1,2]' AS a UNION ALL SELECT '[3]') t, vec_each(t.a) e;
}

cases create {
CREATE VIRTUAL TABLE a USING vec0(e float[3]);
CREATE VIRTUAL TABLE b USING vec0(e f32[3], i int8[3], j i8[4], b bit[16]);
CREATE VIRTUAL TABLE c USING vec0(E FLOAT[3] DISTANCE_METRIC=COSINE, f float[2] distance_metric=l1, g float[2] distance_metric = L2);
CREATE VIRTUAL TABLE d USING vec0(id integer primary key, e float[3]);
CREATE VIRTUAL TABLE d2 USING vec0(id text primary key, e float[3]);
CREATE VIRTUAL TABLE f USING vec0(e float[3], u integer partition key, v text partition key);
CREATE VIRTUAL TABLE g USING vec0(e float[3], a text, b integer, b2 int, c float, c2 double, d boolean, d2 bool);
CREATE VIRTUAL TABLE h USING vec0(e float[3], +a text, +b integer, +c float, +d blob, +e2 int);
CREATE VIRTUAL TABLE i USING vec0(e float[3], chunk_size=16);
CREATE VIRTUAL TABLE temp.j USING vec0(e float[3]);
PRAGMA table_info(a);
-> {0 {0 rowid INTEGER 0 {} 0 1 e {} 0 {} 0}}
-- columns have types, so that comparisons have their affinity
PRAGMA table_info(d);
-> {0 {0 id INTEGER 1 {} 1 1 e {} 0 {} 0}}
-- columns have types
PRAGMA table_info(d2);
-> {0 {0 id TEXT 1 {} 1 1 e {} 0 {} 0}}
-- columns have types
PRAGMA table_info(f);
-> {0 {0 rowid INTEGER 0 {} 0 1 e {} 0 {} 0 2 u INTEGER 0 {} 0 3 v TEXT 0 {} 0}}
-- columns have types
SELECT name, hidden FROM pragma_table_xinfo('a');
-> {0 {rowid 0 e 0 a 1 distance 1 k 1 ef_search 1 exact 1 oversample 1 nprobe 1}}
-- LEGAL: commands, as from 0.1.10 on, and settings of searches
SELECT name, hidden FROM pragma_table_xinfo('g');
-> {0 {rowid 0 e 0 a 0 b 0 b2 0 c 0 c2 0 d 0 d2 0 g 1 distance 1 k 1 ef_search 1 exact 1 oversample 1 nprobe 1}}
-- LEGAL: commands, and settings of searches
SELECT * FROM a;
CREATE VIRTUAL TABLE x USING vec0();
CREATE VIRTUAL TABLE x USING vec0;
CREATE VIRTUAL TABLE x USING vec0(a text);
CREATE VIRTUAL TABLE x USING vec0(e float);
CREATE VIRTUAL TABLE x USING vec0(e float[]);
CREATE VIRTUAL TABLE x USING vec0(e float[0]);
CREATE VIRTUAL TABLE x USING vec0(e float[-1]);
CREATE VIRTUAL TABLE x USING vec0(e float[a]);
CREATE VIRTUAL TABLE x USING vec0(e float[3);
CREATE VIRTUAL TABLE x USING vec0(e float[8193]);
CREATE VIRTUAL TABLE x USING vec0(e double[3]);
CREATE VIRTUAL TABLE x USING vec0(e bit[3]);
-> {1 {vec0 constructor error: the dimensions of bit column 'e' must be divisible by 8} 1}
-- STRICT: sqlite-vec makes a table that takes no vector
CREATE VIRTUAL TABLE x USING vec0(e float[3] distance_metric=dot);
-> {0 {}}
-- LEGAL: the inner product; sqlite-vec refuses too, were x not there
CREATE VIRTUAL TABLE x USING vec0(e float[3] distance_metric);
CREATE VIRTUAL TABLE x USING vec0(e float[3] distance_metric=);
CREATE VIRTUAL TABLE x USING vec0(e float[3] metric=l2);
CREATE VIRTUAL TABLE x USING vec0(e bit[8] distance_metric=hamming);
CREATE VIRTUAL TABLE x USING vec0(e bit[8] distance_metric=l2);
CREATE VIRTUAL TABLE x USING vec0(e float[3], e float[3]);
CREATE VIRTUAL TABLE x USING vec0(e float[3], i integer primary key, j integer primary key);
CREATE VIRTUAL TABLE x USING vec0(e float[3], i float primary key);
CREATE VIRTUAL TABLE x USING vec0(e float[3], i float partition key);
CREATE VIRTUAL TABLE x USING vec0(e float[3], a text partition key, b text partition key, c text partition key, d text partition key, f text partition key);
CREATE VIRTUAL TABLE x USING vec0(e float[3], a1 int,a2 int,a3 int,a4 int,a5 int,a6 int,a7 int,a8 int,a9 int,b1 int,b2 int,b3 int,b4 int,b5 int,b6 int,b7 int,b8 int);
CREATE VIRTUAL TABLE x USING vec0(e float[3], +a1 int,+a2 int,+a3 int,+a4 int,+a5 int,+a6 int,+a7 int,+a8 int,+a9 int,+b1 int,+b2 int,+b3 int,+b4 int,+b5 int,+b6 int,+b7 int,+b8 int);
CREATE VIRTUAL TABLE x USING vec0(a1 float[1],a2 float[1],a3 float[1],a4 float[1],a5 float[1],a6 float[1],a7 float[1],a8 float[1],a9 float[1],b1 float[1],b2 float[1],b3 float[1],b4 float[1],b5 float[1],b6 float[1],b7 float[1],b8 float[1]);
CREATE VIRTUAL TABLE x USING vec0(e float[3], chunk_size=0);
CREATE VIRTUAL TABLE x USING vec0(e float[3], chunk_size=-8);
CREATE VIRTUAL TABLE x USING vec0(e float[3], chunk_size=7);
CREATE VIRTUAL TABLE x USING vec0(e float[3], chunk_size=4104);
CREATE VIRTUAL TABLE x USING vec0(e float[3], chunk_size=abc);
CREATE VIRTUAL TABLE x USING vec0(e float[3], chunk_size=);
CREATE VIRTUAL TABLE x USING vec0(e float[3], foo=1);
CREATE VIRTUAL TABLE x USING vec0(e float[3], foo);
CREATE VIRTUAL TABLE x USING vec0(e float[3], +foo);
CREATE VIRTUAL TABLE x USING vec0(e float[3], +foo bar);
CREATE VIRTUAL TABLE x USING vec0(e float[3], a blob);
CREATE VIRTUAL TABLE x USING vec0(e float[3], !);
CREATE VIRTUAL TABLE x USING vec0(distance float[3]);
CREATE VIRTUAL TABLE x2 USING vec0(e float[3], k integer);
-> {0 {}}
-- LEGAL: a column of the user's hides ours
CREATE VIRTUAL TABLE y USING vec0(e float[3],);
CREATE VIRTUAL TABLE y2 USING vec0(e float[3], a text foo);
CREATE VIRTUAL TABLE "quoted name" USING vec0(e float[3]);
INSERT INTO "quoted name"(e) VALUES('[1,2,3]');
SELECT rowid FROM "quoted name";
DROP TABLE "quoted name";
}

cases write {
CREATE VIRTUAL TABLE t USING vec0(e float[2]);
INSERT INTO t(rowid, e) VALUES(5, '[1,2]');
INSERT INTO t(e) VALUES('[3,4]');
INSERT INTO t(e) VALUES(x'0000803f00000040'), (vec_f32('[9,9]'));
INSERT INTO t VALUES(20, '[5,6]');
SELECT rowid, vec_to_json(e), typeof(e) FROM t;
SELECT changes(), last_insert_rowid();
INSERT INTO t(rowid, e) VALUES(5, '[1,2]');
-> {1 {UNIQUE constraint failed on t primary key} 19}
-- the result code is that of a constraint, so that OR IGNORE and OR REPLACE work
INSERT INTO t(rowid, e) VALUES('x', '[1,2]');
INSERT INTO t(rowid, e) VALUES(1.5, '[1,2]');
INSERT INTO t(rowid, e) VALUES(NULL, '[1,2]');
INSERT INTO t(rowid, e) VALUES(-3, '[1,2]');
INSERT INTO t(e) VALUES(NULL);
INSERT INTO t(e) VALUES('[1]');
INSERT INTO t(e) VALUES('[1,2,3]');
INSERT INTO t(e) VALUES(1);
INSERT INTO t(e) VALUES('x');
INSERT INTO t(e) VALUES('[1,nope]');
INSERT INTO t(e) VALUES(x'01');
INSERT INTO t(e) VALUES(x'0000c07f00000040');
-> {1 {Inserted vector for the "e" column is invalid: invalid float32 vector: element 0 is NaN} 1}
-- STRICT: NaN
INSERT INTO t(e) VALUES(vec_int8('[1,2]'));
INSERT INTO t(e) VALUES(vec_bit(x'01'));
INSERT INTO t(rowid, e, distance) VALUES(99, '[1,2]', 1);
INSERT INTO t(rowid, e, k) VALUES(99, '[1,2]', 1);
INSERT INTO t(rowid) VALUES(100);
SELECT rowid FROM t ORDER BY rowid;
-> {0 {-3 5 6 7 8 20 21}}
-- the row with NaN is not there
UPDATE t SET e = '[7,8]' WHERE rowid = 5;
UPDATE t SET e = NULL WHERE rowid = 5;
SELECT vec_to_json(e) FROM t WHERE rowid = 5;
UPDATE t SET e = '[7]' WHERE rowid = 5;
UPDATE t SET e = 'x' WHERE rowid = 5;
UPDATE t SET e = vec_int8('[1,2]') WHERE rowid = 5;
-> {1 {Updated vector for the "e" column is expected to be of type float32, but a int8 vector was provided.} 1}
-- sqlite-vec loses the type of a vector in UPDATE
UPDATE t SET rowid = 6 WHERE rowid = 5;
-> {1 {UNIQUE constraint failed on t primary key} 19}
-- LEGAL: a new rowid, here one that is taken
UPDATE t SET e = '[7,8]' WHERE rowid = 12345;
SELECT count(*) FROM t WHERE rowid = 6;
DELETE FROM t WHERE rowid = 20;
DELETE FROM t WHERE rowid = 12345;
SELECT count(*) FROM t;
-> {0 6}
-- the row with NaN is not there
DELETE FROM t;
SELECT count(*) FROM t;
INSERT INTO t(rowid, e) VALUES(1, '[1,1]');
INSERT OR REPLACE INTO t(rowid, e) VALUES(1, '[2,2]');
-> {0 {}}
-- LEGAL: OR REPLACE, as from 0.1.10 on
SELECT rowid, vec_to_json(e) FROM t;
-> {0 {1 {[2.000000,2.000000]}}}
-- as above
INSERT OR IGNORE INTO t(rowid, e) VALUES(1, '[3,3]');
-> {0 {}}
-- LEGAL: OR IGNORE
REPLACE INTO t(rowid, e) VALUES(2, '[4,4]');
BEGIN;
INSERT INTO t(rowid, e) VALUES(50, '[5,5]');
SAVEPOINT s;
DELETE FROM t WHERE rowid = 50;
ROLLBACK TO s;
SELECT rowid FROM t WHERE rowid = 50;
ROLLBACK;
SELECT count(*) FROM t WHERE rowid = 50;
INSERT INTO t(rowid, e) SELECT 60 + value, json_array(value, value) FROM json_each('[1,2,3]');
SELECT rowid, vec_to_json(e) FROM t WHERE rowid > 60;
ALTER TABLE t RENAME TO t2;
SELECT count(*) FROM t2;
-> {0 5}
-- LEGAL: RENAME
DROP TABLE t2;
-> {0 {}}
-- as above
SELECT count(*) FROM sqlite_schema WHERE name LIKE 't%';
-> {0 0}
-- as above
}

cases types {
CREATE VIRTUAL TABLE t USING vec0(f float[2], i int8[2], b bit[8]);
INSERT INTO t(rowid, f, i, b) VALUES(1, '[1,2]', vec_int8('[3,4]'), vec_bit(x'05'));
SELECT vec_to_json(f), vec_to_json(i), vec_to_json(b), hex(f), hex(i), hex(b) FROM t;
SELECT vec_type(f), vec_type(i), vec_type(b) FROM t;
INSERT INTO t(f, i, b) VALUES('[1,2]', '[3,4]', vec_bit(x'05'));
INSERT INTO t(f, i, b) VALUES('[1,2]', vec_int8('[3,4]'), x'05');
-> {0 {}}
-- LEGAL: an untagged BLOB of exactly the column's length is taken as the column's type
INSERT INTO t(f, i, b) VALUES('[1,2]', x'0304', vec_bit(x'05'));
-> {0 {}}
-- as above
INSERT INTO t(f, i, b) VALUES(vec_bit(x'05'), vec_int8('[3,4]'), vec_bit(x'05'));
INSERT INTO t(f, i, b) VALUES('[1,2]', vec_int8('[3,4,5]'), vec_bit(x'05'));
INSERT INTO t(f, i, b) VALUES('[1,2]', vec_int8('[3,4]'), vec_bit(x'0506'));
SELECT rowid, distance FROM t WHERE f MATCH '[1,2]' AND k = 1;
SELECT rowid, distance FROM t WHERE i MATCH vec_int8('[0,0]') AND k = 1;
SELECT rowid, distance FROM t WHERE b MATCH vec_bit(x'ff') AND k = 1;
SELECT rowid FROM t WHERE f MATCH vec_int8('[1,2]') AND k = 1;
SELECT rowid FROM t WHERE i MATCH '[1,2]' AND k = 1;
SELECT rowid FROM t WHERE b MATCH '[1,2]' AND k = 1;
SELECT rowid FROM t WHERE b MATCH vec_bit(x'0001') AND k = 1;
SELECT rowid FROM t WHERE f MATCH '[1]' AND k = 1;
SELECT rowid FROM t WHERE f MATCH 'x' AND k = 1;
SELECT rowid FROM t WHERE f MATCH NULL AND k = 1;
SELECT rowid FROM t WHERE f MATCH 5 AND k = 1;
SELECT rowid FROM t WHERE f MATCH '' AND k = 1;
UPDATE t SET i = vec_int8('[9,9]'), b = vec_bit(x'00') WHERE rowid = 1;
-> {0 {}}
-- sqlite-vec loses the type of a vector in UPDATE
SELECT vec_to_json(f), vec_to_json(i), hex(b) FROM t WHERE rowid = 1;
-> {0 {{[1.000000,2.000000]} {[9,9]} 00}}
-- as above
}

cases metrics {
CREATE VIRTUAL TABLE t USING vec0(a float[3], b float[3] distance_metric=l1, c float[3] distance_metric=cosine, i int8[3] distance_metric=l1, j int8[3] distance_metric=cosine, h bit[16]);
INSERT INTO t(rowid, a, b, c, i, j, h) SELECT value, json_array(value, 1, 0.5), json_array(value, -1, 2), json_array(value, 3, 1), vec_int8(json_array(value, 1, 2)), vec_int8(json_array(value, 5, 2)), vec_bit(CAST(char(value, value) AS BLOB)) FROM json_each('[1,2,3,4,5,6,7]');
SELECT rowid, distance FROM t WHERE a MATCH '[3.2,0,0]' AND k = 7;
SELECT rowid, distance FROM t WHERE b MATCH '[3.2,0,0]' AND k = 7;
SELECT rowid, distance FROM t WHERE c MATCH '[3.2,1,0]' AND k = 7;
SELECT rowid, distance FROM t WHERE i MATCH vec_int8('[3,9,0]') AND k = 1;
SELECT distance FROM t WHERE i MATCH vec_int8('[3,9,0]') AND k = 7;
SELECT rowid, distance FROM t WHERE j MATCH vec_int8('[3,9,0]') AND k = 7;
SELECT distance FROM t WHERE h MATCH vec_bit(x'0101') AND k = 7;
}

cases knn {
CREATE VIRTUAL TABLE t USING vec0(e float[1], chunk_size=8);
INSERT INTO t(rowid, e) SELECT value, json_array(value * value) FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]');
SELECT rowid, distance FROM t WHERE e MATCH '[50.3]' AND k = 5;
SELECT rowid, distance, k FROM t WHERE e MATCH '[50.3]' AND k = 2 ORDER BY distance;
-> {0 {7 1.2999992370605469 2 8 13.700000762939453 2}}
-- k has the value that the query gave
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 0;
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = -1;
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 4096;
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 4097;
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = '3';
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = NULL;
SELECT rowid FROM t WHERE e MATCH '[50.3]';
-> {0 {7 8 6 5 9 4 3 2 1 10 11 12 13 14 15 16 17 18 19 20}}
-- LEGAL: k may be left out
SELECT rowid FROM t WHERE e MATCH '[50.3]' LIMIT 3;
@ 3041000
SELECT rowid FROM t WHERE e MATCH '[50.3]' ORDER BY distance LIMIT 3;
@ 3041000
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3 LIMIT 2;
@ 3041000
SELECT rowid FROM t WHERE e MATCH '[50.3]' ORDER BY distance LIMIT 3 OFFSET 1;
@ 3041000
-> {0 {8 6 5}}
-- LEGAL: OFFSET
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3 ORDER BY distance DESC;
-> {0 {6 8 7}}
-- LEGAL: any order
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3 ORDER BY rowid;
-> {0 {6 7 8}}
-- LEGAL: any order
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3 ORDER BY distance, rowid;
-> {0 {7 8 6}}
-- LEGAL: any order
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND e MATCH '[60]' AND k = 3;
SELECT rowid, distance FROM t WHERE e MATCH '[50.3]' AND k = 3 AND rowid IN (1, 3, 20);
SELECT rowid, distance FROM t WHERE e MATCH '[50.3]' AND k = 2 AND rowid IN (SELECT value FROM json_each('[1,3,20]'));
SELECT rowid, distance FROM t WHERE e MATCH '[50.3]' AND k = 3 AND rowid IN (99);
SELECT rowid, distance FROM t WHERE e MATCH '[50.3]' AND k = 3 AND rowid IN (1, 2) AND rowid IN (2, 3);
-> {0 {2 46.29999923706055}}
-- LEGAL: more than one set of rows
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3 AND rowid = 7;
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3 AND rowid > 7;
-> {0 {8 9 10}}
-- rows with the condition are counted, not rows before it
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3 AND distance < 10;
SELECT rowid, distance FROM t WHERE rowid = 7;
SELECT rowid, vec_to_json(e), distance, k FROM t WHERE rowid IN (3, 4);
SELECT count(*) FROM t WHERE rowid > 15;
SELECT rowid FROM t WHERE rowid BETWEEN 4 AND 6;
SELECT max(rowid), min(rowid) FROM t;
SELECT a.rowid, b.rowid, b.distance FROM t a JOIN t b ON b.e MATCH a.e AND b.k = 2 WHERE a.rowid IN (4, 9);
WITH q AS (SELECT rowid, distance FROM t WHERE e MATCH '[50.3]' AND k = 3) SELECT * FROM q ORDER BY rowid;
-> {0 {6 14.299999237060547 7 1.2999992370605469 8 13.700000762939453}}
-- LEGAL: any order
SELECT (SELECT rowid FROM t WHERE e MATCH json_array(value) AND k = 1) FROM json_each('[1,90,400]');
DELETE FROM t WHERE rowid = 7;
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3;
UPDATE t SET e = '[50.3]' WHERE rowid = 20;
SELECT rowid FROM t WHERE e MATCH '[50.3]' AND k = 3;
}

cases keys {
CREATE VIRTUAL TABLE t USING vec0(id integer primary key, e float[1]);
INSERT INTO t(id, e) VALUES(3, '[3]'), (1, '[1]');
INSERT INTO t(e) VALUES('[9]');
SELECT id, vec_to_json(e) FROM t ORDER BY id;
SELECT rowid, id FROM t ORDER BY rowid;
SELECT id, distance FROM t WHERE e MATCH '[2.9]' AND k = 2;
SELECT id FROM t WHERE id = 3;
SELECT id FROM t WHERE e MATCH '[0]' AND k = 5 AND id IN (3, 4);
INSERT INTO t(id, e) VALUES(3, '[3]');
-> {1 {UNIQUE constraint failed on t primary key} 19}
-- the result code is that of a constraint
INSERT INTO t(id, e) VALUES('a', '[3]');
UPDATE t SET id = 7 WHERE id = 3;
CREATE VIRTUAL TABLE x USING vec0(id text primary key, e float[1]);
INSERT INTO x(id, e) VALUES('b', '[2]'), ('a', '[1]'), ('', '[3]');
INSERT INTO x(e) VALUES('[1]');
INSERT INTO x(id, e) VALUES(5, '[1]');
INSERT INTO x(id, e) VALUES(NULL, '[1]');
INSERT INTO x(id, e) VALUES('a', '[1]');
-> {1 {UNIQUE constraint failed on x primary key} 19}
-- the result code is that of a constraint
SELECT id, vec_to_json(e) FROM x ORDER BY id;
SELECT rowid FROM x;
SELECT id, distance FROM x WHERE e MATCH '[2.2]' AND k = 2;
SELECT vec_to_json(e) FROM x WHERE id = 'a';
SELECT vec_to_json(e) FROM x WHERE id = 'nobody';
SELECT id FROM x WHERE e MATCH '[0]' AND k = 5 AND id IN ('a', 'b', 'zz');
-> {0 {a b}}
-- sqlite-vec compares text keys with rowids and finds nothing
UPDATE x SET e = '[8]' WHERE id = 'a';
UPDATE x SET id = 'c' WHERE id = 'a';
-> {0 {}}
-- LEGAL: UPDATE of keys
DELETE FROM x WHERE id = 'b';
SELECT id, vec_to_json(e) FROM x ORDER BY id;
-> {0 {{} {[3.000000]} c {[8.000000]}}}
-- as above
}

cases partitions {
CREATE VIRTUAL TABLE t USING vec0(e float[1], u integer partition key, v text partition key);
INSERT INTO t(rowid, e, u, v) SELECT value, json_array(value), value % 3, char(97 + value % 2) FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12]');
SELECT rowid FROM t WHERE e MATCH '[5]' AND k = 3 AND u = 1;
SELECT rowid, u, v FROM t WHERE e MATCH '[5.1]' AND k = 3 AND u = 1 AND v = 'a';
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND u != 1;
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND u > 1;
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND u >= 1;
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND u < 1;
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND u <= 1 AND v = 'b';
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND u BETWEEN 1 AND 2;
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND v > 'a';
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND u = 77;
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 1 AND u IN (1, 2);
-> {0 5}
-- one search of the rows of all values, not one search for each value
SELECT rowid FROM t WHERE e MATCH '[5.1]' AND k = 4 AND u = 1 AND rowid IN (1, 2, 3, 4);
SELECT rowid, u, v FROM t WHERE rowid = 4;
SELECT rowid, u, v FROM t WHERE u = 1 ORDER BY rowid;
INSERT INTO t(e, u, v) VALUES('[1]', 'x', 'a');
INSERT INTO t(e, u, v) VALUES('[1]', 1, 1);
INSERT INTO t(e, u, v) VALUES('[1]', 1.5, 'a');
INSERT INTO t(rowid, e, u, v) VALUES(100, '[1]', NULL, 'a');
INSERT INTO t(rowid, e) VALUES(101, '[1]');
SELECT rowid, u, v FROM t WHERE rowid > 99;
SELECT rowid FROM t WHERE e MATCH '[1]' AND k = 9 AND u IS NULL;
UPDATE t SET u = 9 WHERE rowid = 1;
-> {0 {}}
-- LEGAL: UPDATE of partition keys
UPDATE t SET e = '[5.1]' WHERE rowid = 1;
SELECT rowid, u FROM t WHERE e MATCH '[5.1]' AND k = 1;
-> {0 {1 9}}
-- as above
DELETE FROM t WHERE u = 1;
SELECT count(*) FROM t;
-> {0 11}
-- as above
}

cases metadata {
CREATE VIRTUAL TABLE t USING vec0(e float[1], s text, n integer, f float, b boolean);
INSERT INTO t(rowid, e, s, n, f, b) VALUES(1, '[1]', 'alpha', 10, 1.5, 1), (2, '[2]', 'a text of more than twelve bytes', -20, -2.5, 0), (3, '[3]', '', 30, 0.0, 1), (4, '[4]', 'exactly12byt', 9223372036854775807, 1e300, 0), (5, '[5]', 'exactly13byte', -9223372036854775808, 2.0, 1), (6, '[6]', 'äöü', 0, -0.5, 1), (7, '[7]', 'alphabet', 7, 7.0, 0);
SELECT rowid, s, n, f, b FROM t;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s = 'alpha';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s = 'a text of more than twelve bytes';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s = 'exactly13byte';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s = 'exactly13bytf';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s = '';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s != 'alpha';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s > 'alpha';
-> {0 {4 5 6 7}}
-- LEGAL: sqlite-vec fails where one of the texts is longer than 12 bytes
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s >= 'alpha';
-> {0 {1 4 5 6 7}}
-- LEGAL: sqlite-vec fails where one of the texts is longer than 12 bytes
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s < 'alphabet';
-> {0 {1 2 3}}
-- LEGAL: sqlite-vec fails where one of the texts is longer than 12 bytes
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s <= 'exactly12byt';
-> {0 {1 2 3 4 7}}
-- LEGAL: sqlite-vec fails where one of the texts is longer than 12 bytes
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s IN ('alpha', 'äöü', 'exactly13byte', 'no');
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND n = 10;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND n != 10;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND n > 0;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND n <= -20;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND n BETWEEN 0 AND 10;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND n IN (7, 30, 9223372036854775807);
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND f = 1.5;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND f > 0;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND f <= -0.5;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND f != 2.0;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND f IN (1.5, 2.0);
-> {0 {1 5}}
-- LEGAL: any comparison on any column
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND b = 1;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND b = false;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND b != true;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND b > 0;
-> {0 {1 3 5 6}}
-- LEGAL: any comparison on any column
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND b IN (0, 1);
-> {0 {1 2 3 4 5 6 7}}
-- LEGAL: any comparison on any column
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s LIKE 'alp%';
-> {0 {1 7}}
-- LEGAL: any comparison
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s GLOB 'alp*';
-> {0 {1 7}}
-- LEGAL: any comparison
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s IS 'alpha';
-> {0 1}
-- LEGAL: any comparison
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND n IS NULL;
-> {0 {}}
-- LEGAL: any comparison
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND n IS NOT NULL;
-> {0 {1 2 3 4 5 6 7}}
-- LEGAL: any comparison
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND (s = 'alpha' OR n = 30);
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 1 AND n = 30;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 2 AND n > 0 AND b = 1 AND s != 'alpha';
SELECT rowid FROM t WHERE s = 'alpha';
SELECT rowid FROM t WHERE n > 5 ORDER BY rowid;
SELECT count(*), sum(b) FROM t;
INSERT INTO t(e, s, n, f, b) VALUES('[1]', NULL, 1, 1.0, 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', NULL, 1.0, 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 1, NULL, 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 1, 1.0, NULL);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 1, 1, 1.0, 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', x'00', 1, 1.0, 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 'y', 1.0, 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 1.5, 1.0, 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 1, 'y', 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 1, 1, 1);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 1, 1.0, 2);
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 1, 1.0, 'y');
INSERT INTO t(e, s, n, f, b) VALUES('[1]', 'x', 1, 1.0, 1.0);
INSERT INTO t(e) VALUES('[1]');
UPDATE t SET s = 'new', n = 11, f = 2.25, b = 0 WHERE rowid = 1;
UPDATE t SET s = 'a new text of more than twelve bytes' WHERE rowid = 3;
UPDATE t SET s = 'short' WHERE rowid = 2;
UPDATE t SET n = NULL WHERE rowid = 1;
UPDATE t SET s = 5 WHERE rowid = 1;
UPDATE t SET f = 5 WHERE rowid = 1;
UPDATE t SET b = 5 WHERE rowid = 1;
SELECT rowid, s, n, f, b FROM t WHERE rowid IN (1, 2, 3);
DELETE FROM t WHERE n = 11;
SELECT rowid, s FROM t;
}

cases texts {
CREATE VIRTUAL TABLE t USING vec0(e float[1], s text);
INSERT INTO t(rowid, e, s) SELECT value, json_array(value), char(96 + value) || 'xyz' FROM json_each('[1,2,3,4,5,6]');
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s > 'cxyz';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s >= 'cxyz';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s < 'cxyz';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s <= 'cxyz';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s <= 'cxyzzzzzzzzzzzzzzzzzz';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s > 'c' AND s < 'e';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 2 AND s != 'axyz';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s = 5;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s = NULL;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s IN (SELECT 'axyz' UNION SELECT 'fxyz');
UPDATE t SET s = 'a long, long text of many bytes' WHERE rowid = 2;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s = 'a long, long text of many bytes';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s IN ('a long, long text of many bytes', 'bxyz', 'cxyz');
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s != 'a long, long text of many bytes';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 9 AND s > 'a long, long text of many bytes';
}

cases errors {
CREATE VIRTUAL TABLE t USING vec0(e float[1], u integer partition key, n integer, +a text);
INSERT INTO t(rowid, e, u, n, a) VALUES(1, '[1]', 1, 1, 'x'), (2, '[2]', 2, 2, 'y');
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 5 ORDER BY n;
-> {0 {1 2}}
-- LEGAL: any order
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 5 AND u IS 1;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 5 AND u LIKE '1';
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 5 AND a IS NOT NULL;
-> {0 {1 2}}
-- LEGAL: conditions on auxiliary columns
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 5 AND k = 1;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k > 5;
-> {1 {k in knn queries is given by `k = ?`, not by another comparison} 1}
-- k may be left out; what is wrong is the comparison
SELECT rowid FROM t WHERE e = '[0]' AND k = 5;
SELECT rowid FROM t WHERE n MATCH 5;
SELECT rowid FROM t WHERE k = 5;
SELECT rowid FROM t WHERE distance < 5;
SELECT rowid FROM t WHERE NOT (e MATCH '[0]') AND k = 5;
SELECT rowid FROM t WHERE (e MATCH '[0]' AND k = 5) OR rowid = 1;
-> {0 {1 2}}
-- LEGAL: OR
SELECT vec_distance_l2(e, '[0]') FROM t ORDER BY 1;
SELECT rowid, e MATCH '[0]' FROM t;
SELECT nothing FROM t;
}

cases auxiliary {
CREATE VIRTUAL TABLE t USING vec0(e float[1], +s text, +n integer, +f float, +b blob);
INSERT INTO t(rowid, e, s, n, f, b) VALUES(1, '[1]', 'one', 1, 1.5, x'01'), (2, '[2]', NULL, NULL, NULL, NULL);
INSERT INTO t(rowid, e, n) VALUES(3, '[3]', 3);
SELECT rowid, s, n, f, hex(b) FROM t;
SELECT rowid, s, n, f, hex(b), distance FROM t WHERE e MATCH '[0]' AND k = 3;
SELECT rowid FROM t WHERE n = 3;
SELECT rowid FROM t WHERE s IS NULL ORDER BY rowid;
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 3 AND s = 'one';
-> {0 1}
-- LEGAL: conditions on auxiliary columns
SELECT rowid FROM t WHERE e MATCH '[0]' AND k = 3 AND n > 1;
-> {0 3}
-- LEGAL: conditions on auxiliary columns
INSERT INTO t(e, s) VALUES('[1]', 5);
INSERT INTO t(e, n) VALUES('[1]', 'x');
INSERT INTO t(e, f) VALUES('[1]', 'x');
INSERT INTO t(e, b) VALUES('[1]', 'x');
INSERT INTO t(rowid, e, f) VALUES(9, '[1]', 1);
UPDATE t SET s = 'new', n = 5 WHERE rowid = 2;
UPDATE t SET s = NULL WHERE rowid = 1;
UPDATE t SET n = 'x' WHERE rowid = 1;
-> {1 {Auxiliary column type mismatch: The auxiliary column n has type INTEGER, but TEXT was provided.} 19}
-- STRICT: as in INSERT
SELECT rowid, s, n, f, hex(b) FROM t;
-> {0 {1 {} 1 1.5 01 2 new 5 {} {} 3 {} 3 {} {}}}
-- as above
DELETE FROM t WHERE rowid = 1;
SELECT rowid, s FROM t;
}

cases commands {
CREATE VIRTUAL TABLE t USING vec0(e float[1]);
INSERT INTO t(t) VALUES('nonsense');
-> {1 {unknown vec0 command: 'nonsense'} 1}
-- LEGAL: commands, as from 0.1.10 on
SELECT rowid FROM nothing WHERE e MATCH '[1]' AND k = 1;
CREATE TABLE plain(a);
CREATE TRIGGER tr AFTER INSERT ON plain BEGIN INSERT INTO t(rowid, e) VALUES(new.rowid, new.a); END;
INSERT INTO plain VALUES('[1]'), ('[2]');
SELECT rowid, vec_to_json(e) FROM t;
INSERT INTO plain VALUES('[1,2]');
SELECT count(*) FROM plain;
CREATE VIEW w AS SELECT rowid, e FROM t;
SELECT rowid FROM w;
}
