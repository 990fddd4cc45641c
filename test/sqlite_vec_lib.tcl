# sqlite_vec_lib.tcl: run the statements of sqlite_vec_cases.tcl with one library, and compare answers. After tester.tcl.

source [file join $tester::test_dir sqlite_vec_cases.tcl]

# The real sqlite-vec, or "": QUIRE_SQLITE_VEC, else what `make sqlite-vec` fetched.
proc sv_library {} {
  set path [env_or QUIRE_SQLITE_VEC [file join $tester::root build sqlite-vec [library_name vec0]]]
  if {$path eq ""} {return ""}
  set path [absolute_path $path]
  if {[file exists $path]} {return $path}
  if {[env_or QUIRE_SQLITE_VEC ""] ne ""} {error "QUIRE_SQLITE_VEC names no file: $path"}
  return ""
}

# A group's statements, each a dict: sql, and where they are given: version (since), ours, reason.
proc sv_statements {text} {
  set list {}
  set sql {}
  foreach line [split $text \n] {
    set line [string trimright $line]
    if {$line eq "" && $sql eq {}} continue
    switch -regexp -- $line {
      {^-> } {set item [lindex $list end]; dict set item ours [lindex [string range $line 3 end] 0]; lset list end $item}
      {^-- } {set item [lindex $list end]; dict set item reason [string range $line 3 end]; lset list end $item}
      {^@ } {set item [lindex $list end]; dict set item version [string range $line 2 end]; lset list end $item}
      default {
        lappend sql $line
        if {![string match {*;} $line] || ![sqlite3_complete [join $sql \n]]} continue
        lappend list [dict create sql [join $sql \n]]
        set sql {}
      }
    }
  }
  if {$sql ne {}} {error "no end: $sql"}
  return $list
}
proc sqlite3_complete {sql} {
  if {![llength [info commands sv_complete]]} {sqlite3 sv_complete :memory:}
  sv_complete complete $sql
}

# The answers of one library: a dict group -> list of {0 values} or {1 message result-code}. A crash is the test's.
proc sv_answers {library} {
  set answers {}
  foreach {group text} $::cases {
    sqlite3 sv :memory:
    load_library sv $library
    set list {}
    foreach item [sv_statements $text] {
      set code [catch {sv eval [dict get $item sql]} result]
      if {$code} {lappend list [list 1 $result [sv errorcode]]} else {lappend list [list 0 $result]}
    }
    sv close
    dict set answers $group $list
  }
  return $answers
}

# Equal, numbers within float32's precision: sqlite-vec sums in float32, we in double precision.
proc sv_equal {a b} {
  if {$a eq $b} {return 1}
  if {[string is double -strict $a] && [string is double -strict $b]} {
    return [expr {abs($a - $b) <= 1e-6 * max(abs($a), abs($b)) + 2e-7}]
  }
  if {[regexp {^\[[-0-9.eE+,]*\]$} $a] && [regexp {^\[[-0-9.eE+,]*\]$} $b]} {
    set x [split [string trim $a {[]}] ,]
    set y [split [string trim $b {[]}] ,]
    if {[llength $x] != [llength $y]} {return 0}
    foreach v $x w $y {if {![sv_equal $v $w]} {return 0}}
    return 1
  }
  return 0
}
proc sv_same {a b} {
  if {[lindex $a 0] != [lindex $b 0]} {return 0}
  if {[lindex $a 0] == 1} {return [string equal $a $b]}
  set a [lindex $a 1]
  set b [lindex $b 1]
  if {[llength $a] != [llength $b]} {return 0}
  foreach v $a w $b {if {![sv_equal $v $w]} {return 0}}
  return 1
}

# The recorded answers (test/golden/sqlite_vec.tcl).
proc sv_recorded {} {encoding convertfrom utf-8 [sv_read [sv_golden answers]]}

# --- a database that sqlite-vec has made: golden/sqlite_vec.db.gz ---

# Every kind of column, of metric and of key; several chunks; rows deleted and changed, texts around the 12 bytes that a chunk holds.
proc sv_build {handle} {
  $handle eval {
    PRAGMA page_size = 1024;
    CREATE VIRTUAL TABLE a USING vec0(id integer primary key, e float[4], u integer partition key, c int8[3] distance_metric=cosine, lang text,
      year integer, score float, pub boolean, b bit[16], v text partition key, l float[2] distance_metric=l1, +body text, +raw blob, +n integer,
      title text, chunk_size=8);
    CREATE VIRTUAL TABLE b USING vec0(name text primary key, e float[3] distance_metric=cosine, rank integer, chunk_size=16);
    CREATE VIRTUAL TABLE c USING vec0(e float[2], chunk_size=8);
    CREATE VIRTUAL TABLE "no rows" USING vec0(e float[2], year text);
  }
  for {set i 1} {$i <= 70} {incr i} {
    set text [string repeat "[format %c [expr {97 + $i % 5}]]" [expr {$i % 16}]]
    set vector "\[[expr {$i % 10}], [expr {$i / 10}], [expr {$i % 7}], 0.5\]"
    $handle eval {
      INSERT INTO a(id, e, u, c, lang, year, score, pub, b, v, l, body, raw, n, title)
      VALUES($i * 3, $vector, $i % 3, vec_int8(json_array($i, 100 - $i, -$i)), $text, 1990 + $i % 20, $i / 4.0, $i % 2, vec_bit(CAST(char($i, 127 - $i) AS BLOB)),
             char(97 + $i % 2), json_array(-$i, $i * $i), 'body ' || $i, CAST('raw' || $i AS BLOB), CASE WHEN $i % 5 THEN $i * 1 END,
             'the title of row ' || $i);
      INSERT INTO b(name, e, rank) VALUES('row ' || $i, json_array($i % 10 + 1, $i / 10, 1), 100 - $i);
      INSERT INTO c(rowid, e) VALUES($i * 1000000007, json_array($i, 1));
    }
  }
  $handle eval {
    DELETE FROM a WHERE id % 33 = 0; UPDATE a SET lang = 'changed to a long text', year = -5 WHERE id = 6;
    UPDATE a SET lang = 'short', e = '[9.5,9.5,9.5,9.5]', pub = 1, score = -1.5 WHERE id = 45; UPDATE a SET body = NULL WHERE id = 12;
    DELETE FROM b WHERE rank % 9 = 0; DELETE FROM c WHERE rowid < 9000000000;
  }
}

# name, SQL. What sqlite-vec answered is recorded.
proc sv_questions {} {
  return {
    columns_a {SELECT id, typeof(id), vec_to_json(e), u, vec_to_json(c), lang, year, score, pub, hex(b), v, vec_to_json(l), body, hex(raw), n, title FROM a ORDER BY id}
    types_a {SELECT DISTINCT typeof(e), typeof(u), typeof(c), typeof(lang), typeof(year), typeof(score), typeof(pub), typeof(b), typeof(v), typeof(body), typeof(raw), typeof(n), vec_type(e), vec_type(c), vec_type(b) FROM a ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
    columns_b {SELECT name, vec_to_json(e), rank FROM b ORDER BY name}
    columns_c {SELECT rowid, vec_to_json(e) FROM c ORDER BY rowid}
    nothing {SELECT * FROM "no rows"}
    nearest_of_nothing {SELECT rowid FROM "no rows" WHERE e MATCH '[1,2]' AND k = 3}
    point_a {SELECT id, lang, title, vec_to_json(e) FROM a WHERE id = 45}
    point_b {SELECT name, rank, vec_to_json(e) FROM b WHERE name = 'row 17'}
    point_c {SELECT rowid, vec_to_json(e) FROM c WHERE rowid = 9000000063}
    no_point {SELECT (SELECT count(*) FROM a WHERE id = 33), (SELECT count(*) FROM b WHERE name = 'row 1000'), (SELECT count(*) FROM c WHERE rowid = 1)}
    where_a {SELECT id FROM a WHERE year = 2000 AND lang <> 'x' ORDER BY id}
    where_body {SELECT id, body FROM a WHERE body IS NULL OR body = 'body 7' ORDER BY id}
    e {SELECT id, distance FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 8}
    e_partition {SELECT id, distance, lang FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 5 AND u = 1 AND v = 'a'}
    e_range {SELECT id, distance FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 5 AND u >= 1 AND year BETWEEN 1995 AND 2003}
    e_text {SELECT id, distance FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 9 AND lang = 'eeeeeeeeeeeee'}
    e_short_text {SELECT id, distance FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 9 AND lang = 'short'}
    e_long_text {SELECT id, distance FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 9 AND lang = 'changed to a long text'}
    e_in {SELECT id, distance FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 9 AND year IN (1991, 1992, -5)}
    e_boolean {SELECT id, distance FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 6 AND pub = true AND score > 4.5}
    e_ids {SELECT id, distance FROM a WHERE e MATCH '[4.1,2.3,3.2,0.7]' AND k = 9 AND id IN (3, 33, 45, 210, 7)}
    c {SELECT id, distance FROM a WHERE c MATCH vec_int8('[20,71,-30]') AND k = 7}
    b {SELECT distance FROM a WHERE b MATCH vec_bit(x'0ff0') AND k = 12}
    l {SELECT id, distance FROM a WHERE l MATCH '[-20.3,417.2]' AND k = 7}
    b_e {SELECT name, distance FROM b WHERE e MATCH '[1.1,2.5,0.3]' AND k = 7}
    b_filtered {SELECT name, distance FROM b WHERE e MATCH '[1.1,2.5,0.3]' AND k = 7 AND rank < 60}
    c_e {SELECT rowid, distance FROM c WHERE e MATCH '[33.3,1]' AND k = 6}
    join {SELECT x.id, y.id, y.distance FROM a x JOIN a y ON y.e MATCH x.e AND y.k = 2 WHERE x.id IN (3, 45)}
    scalar {SELECT id, (SELECT name FROM b WHERE b.e MATCH json_array(a.year - 1990, 2, 1) AND k = 1) FROM a WHERE id IN (6, 9, 12)}
  }
}
proc sv_ask {handle} {
  set answers {}
  foreach {name sql} [sv_questions] {dict set answers $name [list [catch {$handle eval $sql} result] $result]}
  return $answers
}
proc sv_differs {got want} {
  foreach {name sql} [sv_questions] {
    if {![sv_same [dict get $got $name] [dict get $want $name]]} {
      return "$name: [string range [dict get $got $name] 0 400] instead of [string range [dict get $want $name] 0 400]"
    }
  }
  return
}
proc sv_golden {what} {file join $tester::test_dir golden sqlite_vec.$what.gz}
proc sv_read {path} {
  set f [open $path rb]
  set bytes [zlib gunzip [read $f]]
  close $f
  return $bytes
}
proc sv_keep {path bytes} {
  set f [open $path wb]
  puts -nonewline $f [zlib gzip $bytes -level 9]
  close $f
}
# Put the golden database to `path`.
proc sv_unpack {path} {
  file delete {*}[glob -nocomplain $path*]
  set f [open $path wb]
  puts -nonewline $f [sv_read [sv_golden db]]
  close $f
}
proc sv_golden_answers {} {encoding convertfrom utf-8 [sv_read [sv_golden asked]]}
