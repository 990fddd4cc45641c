# golden_lib.tcl: what the golden files hold and what is asked of them; for make.tcl, which wrote them, and golden.test, which reads them.

# Every type, metric and index; several runs of the rowid map; dead slots; rows changed, deleted and added since the last fold.
proc golden_build {} {
  db eval {
    CREATE VIRTUAL TABLE a USING quire(id integer primary key, e float[6], f float16[6] distance_metric=cosine,
      g bfloat16[6] distance_metric=dot, c int8[6] distance_metric=l1, kind integer partition key, lang text, score float,
      ok boolean, +note text, fold_rows=100000);
    CREATE VIRTUAL TABLE b USING quire(name text primary key, h float[32] distance_metric=cosine INDEXED BY hnsw(m=4, ef_search=400),
      b bit[16], j bit[8] distance_metric=jaccard, l float[3] distance_metric=l1 INDEXED BY flat());
    CREATE VIRTUAL TABLE c USING vec0(e float[4], user integer partition key);
    CREATE VIRTUAL TABLE d USING quire(e float[64] INDEXED BY ivf(from_rows=1, nprobe=400, oversample=100),
      f bfloat16[6] distance_metric=dot INDEXED BY ivf(from_rows=1, nlist=3, nprobe=3, quantizer=none), fold_rows=100000);
  }
  foreach {from to} {400 470 1 32 200 212} {
    db eval {
      WITH RECURSIVE s(i) AS (SELECT $from + 0 UNION ALL SELECT i + 1 FROM s WHERE i < $to + 0)
        INSERT INTO a(id, e, f, g, c, kind, lang, score, ok, note)
        SELECT i, test_vector(i, 6), vec_f16(vec_to_json(test_vector(i + 1000, 6))), vec_bf16(vec_to_json(test_vector(i + 2000, 6))),
               vec_quantize_int8(test_vector(i + 3000, 6), 'unit'), i % 3, char(97 + i % 5), i / 4.0, i % 2, 'note ' || i FROM s;
      WITH RECURSIVE s(i) AS (SELECT $from + 0 UNION ALL SELECT i + 1 FROM s WHERE i < $to + 0)
        INSERT INTO b(name, h, b, j, l) SELECT 'row ' || i, test_vector(i, 32), vec_quantize_binary(test_vector(i, 16)),
               vec_quantize_binary(test_vector(i, 8)), test_vector(i, 3) FROM s;
      INSERT INTO c(rowid, e, user) SELECT id, test_vector(id, 4), id % 4 FROM a WHERE id BETWEEN $from + 0 AND $to + 0;
      INSERT INTO d(rowid, e, f) SELECT id, test_vector(id, 64), g FROM a WHERE id BETWEEN $from + 0 AND $to + 0;
      INSERT INTO quire(quire) VALUES('fold');
    }
  }
  db eval {
    DELETE FROM d WHERE rowid % 10 = 3;
    DELETE FROM a WHERE id % 10 = 3; UPDATE a SET e = test_vector(-id, 6) WHERE id % 15 = 1; UPDATE a SET g = NULL WHERE id % 25 = 6;
    DELETE FROM b WHERE name LIKE '%7';
    INSERT INTO quire(quire) VALUES('fold');
    DELETE FROM a WHERE id IN (1, 210, 405); UPDATE a SET c = vec_int8('[1,2,3,4,5,6]') WHERE id IN (2, 211, 406);
    INSERT INTO a(id, e, kind) VALUES(1000, '[1,2,3,4,5,6]', 1), (250, '[0,0,0,0,0,1]', 2), (3, '[9,9,9,9,9,9]', 0);
    UPDATE b SET h = test_vector(7, 32) WHERE name = 'row 452'; DELETE FROM c WHERE rowid < 5;
  }
}

# name, SQL: each answer is recorded.
proc golden_questions {} {
  set list {
    rows_a {SELECT count(*), test_crc(group_concat(x)) FROM (SELECT id || hex(e) || hex(f) || hex(g) || hex(c) || kind || lang || score || ok || note AS x FROM a ORDER BY id)}
    rows_b {SELECT count(*), test_crc(group_concat(x)) FROM (SELECT name || hex(h) || hex(b) || hex(j) || hex(l) AS x FROM b ORDER BY name)}
    rows_c {SELECT count(*), test_crc(group_concat(x)) FROM (SELECT rowid || hex(e) || user AS x FROM c ORDER BY rowid)}
    point {SELECT id, lang, vec_to_json(e) FROM a WHERE id = 410}
    partition {SELECT id, distance FROM a WHERE e MATCH '[0.1,0.2,0.3,0.4,0.5,0.6]' AND kind = 1 AND k = 7}
    filter {SELECT id, distance FROM a WHERE e MATCH '[0.1,0.2,0.3,0.4,0.5,0.6]' AND lang = 'b' AND score > 100 ORDER BY distance LIMIT 5}
    rowids {SELECT id, distance FROM a WHERE e MATCH '[0.1,0.2,0.3,0.4,0.5,0.6]' AND id IN (2, 3, 210, 211, 250, 1000, 7777) ORDER BY distance}
    all {SELECT id, distance FROM a WHERE e MATCH '[0,0,0,0,0,0]' ORDER BY distance, id}
    graph {SELECT name, distance FROM b WHERE h MATCH test_vector(7, 32) AND k = 10}
    lists {SELECT rowid, distance FROM d WHERE e MATCH test_vector(7, 64) AND k = 10}
    lists_all {SELECT rowid, distance FROM d WHERE e MATCH test_vector(-7, 64) ORDER BY distance, rowid}
    lists_dot {SELECT rowid, distance FROM d WHERE f MATCH '[1,-2,3,0.5,0.1,1]' AND k = 9}
    vec0 {SELECT rowid, distance FROM c WHERE e MATCH '[0.1,0.2,0.3,0.4]' AND k = 6 AND user = 2}
  }
  foreach column {e f g} {lappend list near_$column "SELECT id, distance FROM a WHERE $column MATCH '\[0.5,-0.2,0.1,0.3,-0.7,0.2\]' AND k = 9"}
  lappend list near_c {SELECT id, distance FROM a WHERE c MATCH vec_int8('[50,-20,10,30,-70,20]') ORDER BY distance, id LIMIT 9}
  lappend list near_l {SELECT name, distance FROM b WHERE l MATCH '[0.1,0.2,0.3]' AND k = 9}
  foreach {column query} {b {vec_bit(x'0ff0')} j {vec_bit(x'5a')}} {
    lappend list near_$column "SELECT name, distance FROM b WHERE $column MATCH $query ORDER BY distance, name LIMIT 9"
  }
  return $list
}

proc golden_answers {{questions golden_questions}} {
  set answers {}
  foreach {name sql} [$questions] {lappend answers $name [db eval $sql]}
  return $answers
}

# The same for sparse columns, in files of their own (sparse0.*): each metric, several segments, dead slots, rows changed since the last fold.
proc golden_build_sparse {} {
  set vector {printf('{%d:%d,%d:2.5,%d:-1.25,%d:0.125}/1000', 1 + N % 3, 1 + N % 4, 4 + N % 5, 20 + N % 17, 100 + N % 101)}
  db eval {
    CREATE VIRTUAL TABLE s USING quire(e sparse[1000], f sparse[1000] distance_metric=dot, g sparse[2147483648] distance_metric=cosine,
      h sparse[1000] distance_metric=l1, d float[6] INDEXED BY flat(), kind integer partition key, fold_rows=100000);
  }
  foreach {from to} {400 600 1 60 200 212 300 302} {
    db eval "
      WITH RECURSIVE n(i) AS (SELECT $from UNION ALL SELECT i + 1 FROM n WHERE i < $to)
        INSERT INTO s(rowid, e, f, g, h, d, kind)
        SELECT i, [string map {N i} $vector], CASE WHEN i % 9 THEN [string map {N (i+5)} $vector] END, printf('{%d:1,%d:-0.5}/2147483648', 1 + i, 2147483648 - i % 7),
               CASE WHEN i % 5 THEN [string map {N (i+9)} $vector] ELSE '{}/1000' END, test_vector(i, 6), i % 3 FROM n"
    db eval {INSERT INTO s(s) VALUES('fold')}
  }
  db eval {
    DELETE FROM s WHERE rowid % 10 = 3; UPDATE s SET e = '{7:1}/1000' WHERE rowid % 15 = 1; INSERT INTO s(s) VALUES('fold');
    DELETE FROM s WHERE rowid IN (5, 210, 405); UPDATE s SET f = '{1:9,2:9}/1000' WHERE rowid IN (2, 211, 406); INSERT INTO s(rowid, e, kind) VALUES(1000, '{1:1,2:2}/1000', 1)
  }
}
proc golden_questions_sparse {} {
  return {
    rows {SELECT count(*), test_crc(group_concat(x)) FROM (SELECT rowid || hex(e) || ifnull(hex(f), 'n') || ifnull(hex(g), 'n') || ifnull(hex(h), 'n') || kind AS x FROM s ORDER BY rowid)}
    l2 {SELECT rowid, distance FROM s WHERE e MATCH '{1:1,5:2,30:-1}/1000' AND k = 20}
    dot {SELECT rowid, distance FROM s WHERE f MATCH '{2:1,7:2,31:-1}/1000' ORDER BY distance LIMIT 15}
    all {SELECT rowid, distance FROM s WHERE f MATCH '{3:1}/1000' ORDER BY distance, rowid}
    cosine {SELECT rowid, distance FROM s WHERE g MATCH '{12:1,2147483648:-1}/2147483648' AND kind = 2 AND k = 9}
    l1 {SELECT rowid, distance FROM s WHERE h MATCH '{1:1,5:2,30:-1}/1000' AND k = 9}
    texts {SELECT vec_sparse_to_text(e), vec_to_json(g) FROM s WHERE rowid IN (1, 211, 600)}
  }
}

# The same for maps (map0.*): each type of value, rows in pages alone, dead slots, rows changed since the last fold.
proc golden_build_map {} {
  db eval {
    CREATE VIRTUAL TABLE m USING quire_map(key INTEGER PRIMARY KEY, t TEXT, i INTEGER, r REAL, x, fold_rows=100000);
    CREATE VIRTUAL TABLE p USING quire_map(key INTEGER PRIMARY KEY, v, content='', fold_rows=100000);
  }
  foreach {from to step} {1 120 1 1000 90000 701 -50000 -40000 333} {
    db eval {
      WITH RECURSIVE n(k) AS (SELECT $from + 0 UNION ALL SELECT k + $step FROM n WHERE k < $to + 0)
        INSERT INTO m SELECT k, 'text ' || k, CASE k % 5 WHEN 0 THEN 0 WHEN 1 THEN k WHEN 2 THEN -k * 1000 WHEN 3 THEN k * 100000007 END, k / 8.0,
          CASE k % 4 WHEN 0 THEN zeroblob(abs(k) % 300) WHEN 1 THEN k WHEN 2 THEN 'x' END FROM n;
      INSERT INTO p SELECT key, t FROM m WHERE key BETWEEN min($from, $to) AND max($from, $to);
      INSERT INTO quire(quire) VALUES('fold');
    }
  }
  db eval {
    INSERT INTO m VALUES(9223372036854775807, 'most', -1, 1e300, NULL), (-9223372036854775808, 'least', 1, -0.5, x'');
    INSERT INTO p SELECT 500, zeroblob(200000); INSERT INTO quire(quire) VALUES('fold');
    DELETE FROM m WHERE key % 9 = 4; UPDATE p SET v = v || '!' WHERE key % 6 = 1; INSERT INTO quire(quire) VALUES('fold');
    DELETE FROM p WHERE key IN (5, 6, 7); INSERT INTO m(key, t) VALUES(700, 'late'), (701, ''); UPDATE m SET x = 'changed' WHERE key < 10;
  }
}
proc golden_questions_map {} {
  return {
    rows {SELECT count(*), test_crc(group_concat(y)) FROM (SELECT key || quote(t) || quote(i) || quote(r) || quote(x) AS y FROM m ORDER BY key)}
    point {SELECT * FROM m WHERE key = 33}
    ends {SELECT key, t, i, r, quote(x) FROM m WHERE key IN (9223372036854775807, -9223372036854775808, 700) ORDER BY key}
    range {SELECT key, r FROM m WHERE key BETWEEN 60 AND 80 ORDER BY key DESC}
  }
}

# The same for lists of 1-bit codes (bits0.*), and for graphs of them (graphbits0.*): each type and metric, dimensions that do not fill a byte, groups that are not
# full, dead slots, a list split.
proc golden_build_bits {} {
  golden_rows_bits {ivf(from_rows=1, nprobe=400, oversample=100, quantizer=bit)} {ivf(from_rows=1, nlist=3, nprobe=3, oversample=100, quantizer=bit)}
}
proc golden_build_graphbits {} {golden_rows_bits {hnsw(m=4, ef_search=400, quantizer=bit)} {hnsw(m=5, ef_search=400, quantizer=bit)}}
proc golden_rows_bits {one other} {
  db eval "
    CREATE VIRTUAL TABLE v USING quire(e float\[64] INDEXED BY $one,
      f float16\[100] distance_metric=cosine INDEXED BY $other,
      g bfloat16\[13] distance_metric=dot INDEXED BY $one, fold_rows=100000)"
  foreach {from to} {400 470 1 90 200 212} {
    db eval {
      WITH RECURSIVE n(i) AS (SELECT $from + 0 UNION ALL SELECT i + 1 FROM n WHERE i < $to + 0)
        INSERT INTO v(rowid, e, f, g) SELECT i, test_vector(i, 64), vec_f16(vec_to_json(test_vector(i + 1000, 100))),
               CASE WHEN i % 7 THEN vec_bf16(vec_to_json(test_vector(i + 2000, 13))) END FROM n;
      INSERT INTO v(v) VALUES('fold');
    }
  }
  db eval {
    DELETE FROM v WHERE rowid % 10 = 3; UPDATE v SET e = test_vector(-rowid, 64) WHERE rowid % 15 = 1; INSERT INTO v(v) VALUES('fold');
    DELETE FROM v WHERE rowid IN (5, 210, 405); INSERT INTO v(rowid, e) VALUES(1000, test_vector(1000, 64)), (1001, test_vector(1001, 64));
  }
}
proc golden_questions_bits {} {
  return {
    rows {SELECT count(*), test_crc(group_concat(x)) FROM (SELECT rowid || hex(e) || hex(f) || ifnull(hex(g), 'n') AS x FROM v ORDER BY rowid)}
    l2 {SELECT rowid, distance FROM v WHERE e MATCH test_vector(7, 64) AND k = 10}
    all {SELECT rowid, distance FROM v WHERE e MATCH test_vector(-7, 64) ORDER BY distance, rowid}
    cosine {SELECT rowid, distance FROM v WHERE f MATCH vec_f16(vec_to_json(test_vector(9, 100))) AND k = 12}
    dot {SELECT rowid, distance FROM v WHERE g MATCH vec_bf16(vec_to_json(test_vector(11, 13))) AND k = 9}
  }
}
