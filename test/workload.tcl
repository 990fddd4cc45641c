# workload.tcl: seeded random changes of quire tables and of their mirror, for model.test and powercut.test.
#
# The mirror is an ordinary table m(tab, id, e, a) in the same database; live(tab, ef, graph, content) names the quire tables that exist (t, u, w,
# x), their ef_search (or nprobe; NULL: a flat index), whether they have a graph (1), lists (2), a sparse column (3) or are maps (4), and where their rows are: '' as by default, 'pages' with content='', else the name
# of their own content table, to which changes are made, and which triggers pass on. Each change is made to both, by statements that do the same; both must
# succeed or both fail. SQLite alone is responsible for m, so that m is the truth.
#
#   wl_start SEED            begin the sequence of choices
#   wl_schema ?HOMES?        make m and live in `db`; the store begins in one of these homes, and moves among them (wl(homes))
#   wl_change, wl_ddl, wl_command   one random step in `db`
#   wl_compare HANDLE        "" or how the quire tables differ from m, as that connection sees them
#   wl_digest HANDLE         the content in a line
#   wl_count HANDLE ?PREFIX? add the connection's counters to wl_total; wl_reached: fail for those that are zero; wl_missing: which they are
#
# Where a table has a graph, exact = 1 must give what brute force gives; a search through the graph must give as many rows, different ones that
# exist, in order, with their true distances. The graphs are tiny: few links, few candidates, so that small tables have many pages of them.
#
# wl(contents) are the kinds of content that tables are made with: rows, pages, docs; WL_CONTENTS sets it.
# wl(quire) 0 leaves the quire tables out; wl(fold_rows) is their fold threshold; wl(conflicts) the conflict clauses in use.

array set wl {quire 1 homes {} moves 0 fold_rows 6 contents {rows rows pages pages docs} conflicts {{} {} {OR REPLACE} {OR REPLACE} {OR IGNORE} {OR FAIL}} statements 0 commands 0 failed 0}

if {[info exists env(WL_CONTENTS)] && $env(WL_CONTENTS) ne ""} {set wl(contents) $env(WL_CONTENTS)}

proc wl_rand {n} {
  upvar #0 wl_state s
  set s [expr {($s * 6364136223846793005 + 1442695040888963407) & 0xffffffffffffffff}]
  return [expr {($s >> 33) % $n}]
}
proc wl_chance {percent} {expr {[wl_rand 100] < $percent}}
proc wl_pick {list} {
  if {$list eq {}} return
  lindex $list [wl_rand [llength $list]]
}
proc wl_start {seed} {
  global wl_state
  set wl_state [expr {($seed * 0x9e3779b97f4a7c15) & 0xffffffffffffffff}]
  wl_rand 2
}

proc wl_schema {{homes {}}} {
  global wl
  set wl(homes) $homes
  if {$wl(quire) && $homes ne ""} {db eval "CREATE VIRTUAL TABLE quire USING quire_store(home=[wl_pick $homes])"}
  db eval {
    CREATE TABLE m(tab TEXT, id INTEGER, e BLOB, a INTEGER, PRIMARY KEY(tab, id));
    CREATE TABLE live(tab TEXT PRIMARY KEY, ef INTEGER, graph INTEGER, content TEXT);
  }
}
proc wl_tables {} {db eval {SELECT tab FROM live ORDER BY tab}}
# The table whose rows are changed.
proc wl_target {tab} {
  set content [db onecolumn {SELECT content FROM live WHERE tab = :tab}]
  expr {$content in {"" pages} ? $tab : $content}
}

# One statement and its mirror, which share the variables :name. They fail together, or the run stops. A
# statement that ended the transaction (OR ROLLBACK) has undone the mirror's changes as well.
proc wl_pair {quire_sql mirror_sql vars} {
  global wl
  foreach {name value} $vars {set $name $value}
  incr wl(statements)
  set wl(last) "$quire_sql {$vars}"
  set code 0
  set inside [expr {[string match "*OR ROLLBACK*" $quire_sql] && [wl_inside db]}]
  if {$wl(quire)} {set code [catch {db eval $quire_sql} message]}
  if {$code} {
    incr wl(failed)
    if {![regexp -nocase {constraint|unique|exists} $message]} {error $message $::errorInfo}
    if {$inside && ![wl_inside db]} return
  }
  set mirror_code [catch {db eval $mirror_sql} mirror_message]
  if {$wl(quire) && $code != $mirror_code} {
    error "statement and mirror disagree: $quire_sql ($vars): [list $code $message], mirror [list $mirror_code $mirror_message]"
  }
}

# Is a transaction open? (The Tcl binding does not tell, a BEGIN that fails does.)
proc wl_inside {handle} {
  if {[catch {$handle eval BEGIN}]} {return 1}
  $handle eval COMMIT
  return 0
}

# Vectors come from few seeds: equal ones under different rowids are common. One in fifty is NULL: a row without a vector.
proc wl_change {} {
  global wl
  set tab [wl_pick [wl_tables]]
  if {$tab eq ""} {return [wl_create]}
  set id [expr {1 + [wl_rand 60]}]
  set a [wl_rand 5]
  set seed [wl_rand 25]
  set v "test_vector(:seed, 4)"
  if {[wl_chance 2]} {set v NULL}
  # A graph is asked only where there are many more rows than candidates.
  set often [expr {[db onecolumn {SELECT graph FROM live WHERE tab = :tab}] ? 25 : 10}]
  set n [expr {1 + [wl_rand [expr {[wl_chance $often] ? 200 : 15}]]}]
  set or [wl_pick $wl(conflicts)]
  set to [wl_target $tab]
  set vars [list id $id a $a seed $seed n $n tab $tab]
  set numbers "WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i + 1 < :n)"
  switch [wl_pick {insert insert row many many mixed delete delete one one vector meta key last all wrong failmany}] {
    insert {
      set next "1000 + (SELECT ifnull(max(id), 0) FROM m)"
      wl_pair "INSERT INTO $to (rowid, e, a) VALUES($next, $v, :a)" "INSERT INTO m VALUES(:tab, $next, $v, :a)" $vars
    }
    row {
      wl_pair "INSERT $or INTO $to (rowid, e, a) VALUES(:id, $v, :a)" "INSERT $or INTO m VALUES(:tab, :id, $v, :a)" $vars
    }
    many {
      wl_pair "$numbers INSERT $or INTO $to (rowid, e, a) SELECT :id + i, test_vector(:seed + i % 3, 4), :a FROM s" \
        "$numbers INSERT $or INTO m SELECT :tab, :id + i, test_vector(:seed + i % 3, 4), :a FROM s" $vars
    }
    mixed {
      # The same rowid more than once in one statement, and descending rowids.
      wl_pair "$numbers INSERT $or INTO $to (rowid, e, a) SELECT :id - i % 4, test_vector(:seed + i, 4), i FROM s" \
        "$numbers INSERT $or INTO m SELECT :tab, :id - i % 4, test_vector(:seed + i, 4), i FROM s" $vars
    }
    delete {
      wl_pair "DELETE FROM $to WHERE rowid BETWEEN :id AND :id + 8" \
        {DELETE FROM m WHERE tab = :tab AND id BETWEEN :id AND :id + 8} $vars
    }
    one {wl_pair "DELETE FROM $to WHERE rowid = :id" {DELETE FROM m WHERE tab = :tab AND id = :id} $vars}
    vector {
      wl_pair "UPDATE $to SET e = $v WHERE rowid BETWEEN :id AND :id + 3" \
        "UPDATE m SET e = $v WHERE tab = :tab AND id BETWEEN :id AND :id + 3" $vars
    }
    meta {
      wl_pair "UPDATE $to SET a = :a WHERE rowid >= :id" {UPDATE m SET a = :a WHERE tab = :tab AND id >= :id} $vars
    }
    key {
      # One row only: with several, the order in which they are visited would decide.
      if {[wl_chance 50]} {set vars [list {*}$vars to [expr {1 + [wl_rand 60]}]]} else {lappend vars to [expr {5000 + [wl_rand 50]}]}
      wl_pair "UPDATE $or $to SET rowid = :to, a = a + 1 WHERE rowid = :id" \
        "UPDATE $or m SET id = :to, a = a + 1 WHERE tab = :tab AND id = :id" $vars
    }
    last {
      wl_pair "DELETE FROM $to WHERE rowid = (SELECT max(rowid) FROM $to)" \
        {DELETE FROM m WHERE tab = :tab AND id = (SELECT max(id) FROM m WHERE tab = :tab)} $vars
    }
    all {if {[wl_chance 30]} {wl_pair "DELETE FROM $to" {DELETE FROM m WHERE tab = :tab} $vars}}
    wrong {wl_wrong $tab $to}
    failmany {
      # Fails at its last row, if :id is there.
      set key "CASE WHEN i + 1 < :n THEN 20000 + :seed * 300 + i ELSE :id END"
      wl_pair "$numbers INSERT $or INTO $to (rowid, e, a) SELECT $key, test_vector(:seed, 4), :a FROM s" \
        "$numbers INSERT $or INTO m SELECT :tab, $key, test_vector(:seed, 4), :a FROM s" $vars
    }
  }
}

proc wl_is_map {handle tab} {$handle exists {SELECT 1 FROM live WHERE tab = :tab AND graph = 4}}

# Statements that must be refused and change nothing.
proc wl_wrong {tab to} {
  global wl
  if {!$wl(quire)} return
  incr wl(failed)
  if {[wl_is_map db $tab]} {
    foreach wrong [list {VALUES(99999, zeroblob(300000), 1)} {VALUES(99998, 'fits', 1), (99999, zeroblob(300000), 1)} {VALUES('x', 'no key', 1)}] {
      set wl(last) "INSERT INTO $to (rowid, e, a) $wrong"
      if {![catch {db eval $wl(last)}]} {error "accepted by a map: $wrong"}
    }
    return
  }
  set value [wl_pick {
    {test_vector(1, 5)} {test_vector(1, 3)} {x'00'} {x'0000c07f00000000000000000000000f'} {x'0000807f000000000000000000000000'}
    {'[1, 2, 3]'} {'[1, 2, 3, x]'} {'[1, 2, 3, 4'} {''} 17
  }]
  set wl(last) "INSERT INTO $to (rowid, e) VALUES(99999, $value)"
  if {![catch {db eval "INSERT INTO $to (rowid, e) VALUES(99999, $value)"}]} {error "accepted as a vector: $value"}
  # Half of the rows are good: none of them may stay.
  set wl(last) "INSERT INTO $to (rowid, e) VALUES(99998, test_vector(1, 4)), (99999, $value)"
  if {![catch {db eval $wl(last)}]} {error "accepted as a vector: $value"}
  set wl(last) "UPDATE $to SET e = $value WHERE rowid > 10"
  set there [db onecolumn {SELECT count(*) FROM m WHERE tab = :tab AND id > 10}]
  if {![catch {db eval $wl(last)}] && $there} {error "accepted as a vector: $value"}
}

# An index that may miss rows: 1 a graph, 2 lists; with its candidates (lists: of those to visit). (3: a sparse column, which takes the same dense vectors; 4: a
# map, of which the vectors are values.)
proc wl_graph {graph ef} {
  if {$graph == 2} {return "ivf(from_rows=1, nprobe=$ef, quantizer=[wl_pick {none int8 int4 bit}][wl_pick {{} {, nlist=3}}])"}
  return "hnsw(m=4, ef_construction=8, ef_search=$ef, quantizer=[wl_pick {none int8 int4 bit}])"
}
proc wl_create {} {
  global wl wl_total
  set tab [lindex {t u w} [wl_rand 3]]
  if {$tab in [wl_tables]} return
  set wl(last) "CREATE $tab"
  set graph [wl_pick {0 0 0 1 1 2 2 3 4 4}]
  set kind [wl_pick [expr {$wl(quire) ? $wl(contents) : "rows"}]]
  if {$graph >= 3 && $kind eq "docs"} {set graph 0}
  set ef [lindex {64 8 2} $graph]
  set type [expr {$graph == 3 ? "sparse" : "float"}]
  set index [expr {$graph in {1 2} ? "INDEXED BY [wl_graph $graph $ef]" : ""}]
  set content ""
  set option ""
  switch $kind {
    pages {
      set content pages
      set option ", content=''"
    }
    docs {
      for {set i 1} {[db exists {SELECT 1 FROM sqlite_schema WHERE name = 'docs' || :i}]} {incr i} {}
      set content docs$i
      set option ", content='docs$i', content_rowid='id'"
      db eval "CREATE TABLE docs$i (id INTEGER PRIMARY KEY, e BLOB, a INTEGER)"
    }
  }
  set using "quire(e $type\[4] $index, a integer"
  if {$graph == 4} {set using "quire_map(rowid INTEGER PRIMARY KEY, e, a INTEGER"}
  if {$wl(quire)} {db eval "CREATE VIRTUAL TABLE $tab USING $using, fold_rows=$wl(fold_rows)$option)"}
  if {[string match docs* $content]} {db eval "INSERT INTO $tab ($tab) VALUES('triggers')"}
  incr wl_total(tables_of_$kind)
  incr wl_total(tables_sparse) [expr {$graph == 3}]
  incr wl_total(tables_map) [expr {$graph == 4}]
  db eval {INSERT INTO live VALUES(:tab, nullif(:ef, ''), :graph, :content)}
}

proc wl_ddl {} {
  global wl
  set tab [wl_pick [wl_tables]]
  switch [wl_pick {create create drop rename}] {
    create wl_create
    drop {
      if {[llength [wl_tables]] < 2 && [wl_chance 70]} return
      if {$tab eq ""} return
      set wl(last) "DROP $tab"
      set content [wl_target $tab]
      if {$wl(quire)} {db eval "DROP TABLE $tab"}
      if {$content ne $tab} {db eval "DROP TABLE $content"}
      db eval {DELETE FROM live WHERE tab = :tab; DELETE FROM m WHERE tab = :tab}
    }
    rename {
      if {$tab eq ""} return
      set to [wl_pick {t u w x}]
      if {$to in [wl_tables]} return
      set wl(last) "RENAME $tab TO $to"
      if {$wl(quire)} {db eval "ALTER TABLE $tab RENAME TO $to"}
      db eval {UPDATE live SET tab = :to WHERE tab = :tab; UPDATE m SET tab = :to WHERE tab = :tab}
    }
  }
}

proc wl_command {} {
  global wl
  if {!$wl(quire)} return
  set tab [wl_pick [wl_tables]]
  if {$tab eq ""} return
  # A delta of so few bytes is folded inside the transaction: bulk folds, as in a load of gigabytes.
  if {[wl_chance 20]} {
    set command bulk_bytes=[wl_pick {1 200 400 0}]
    set wl(last) "command $command"
    db eval {INSERT INTO quire(quire) VALUES(:command)}
    incr wl(commands)
    return
  }
  if {[llength $wl(homes)] > 1 && [wl_chance 35]} {
    set command home=[wl_pick $wl(homes)]
    set wl(last) "command $command"
    db eval {INSERT INTO quire(quire) VALUES(:command)}
    incr wl(commands)
    incr wl(moves)
    return
  }
  lassign [db eval {SELECT ef, graph FROM live WHERE tab = :tab}] ef graph
  set command [wl_pick {fold fold fold merge=1000 optimize rebuild options}]
  if {$command eq "options" && $graph >= 3} {set command optimize}
  if {$command eq "options"} {
    # auto() is exact for tables of this size
    set value [expr {$graph == 2 ? 1 + [wl_rand 8] : 8 + [wl_rand [expr {$graph ? 12 : 90}]]}]
    switch [wl_pick [concat {auto flat graph graph ivf} [expr {$ef eq "" ? {} : {ef ef ef ef}}]]] {
      auto {set value [expr {max($value, 8)}]; set command rebuild=auto(ef_search=$value); set graph 0}
      flat {set command rebuild=flat(); set graph 0; set value ""}
      graph {set graph 1; set value [expr {max($value, 8)}]; set command rebuild=[wl_graph $graph $value]}
      ivf {set graph 2; set value [expr {min($value, 8)}]; set command rebuild=[wl_graph $graph $value]}
      ef {set command [lindex {ef_search ef_search nprobe} $graph]=$value}
    }
    set ef $value
  }
  set wl(last) "command $command on $tab"
  db eval "INSERT INTO $tab ($tab) VALUES(:command)"
  db eval {UPDATE live SET ef = nullif(:ef, ''), graph = :graph WHERE tab = :tab AND (ef IS NOT nullif(:ef, '') OR graph <> :graph)}
  incr wl(commands)
}

# The content of m and live; "empty" without them.
proc wl_digest {handle} {
  if {![$handle exists {SELECT 1 FROM sqlite_schema WHERE name = 'live'}]} {return empty}
  set live [$handle eval {SELECT tab, ef, graph FROM live ORDER BY tab}]
  set rows [$handle eval {
    SELECT count(*), total(id), total(test_crc(tab || id || '.' || ifnull(a, 'n') || hex(ifnull(e, 'n'))) % 1000000007) FROM m
  }]
  return "$live $rows"
}

proc wl_compare {handle} {
  global wl
  if {!$wl(quire)} return
  set live [$handle eval {SELECT tab FROM live ORDER BY tab}]
  set there [$handle eval {SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE % USING quire(%' OR sql LIKE 'CREATE VIRTUAL TABLE % USING quire_map(%' ORDER BY name}]
  if {$live ne $there} {return "tables {$there} instead of {$live}"}
  foreach tab $live {
    set e [wl_vector $handle $tab]
    set wrong [$handle eval "SELECT 'extra', rowid FROM (SELECT rowid, e, a FROM $tab EXCEPT SELECT id, $e, a FROM m WHERE tab = :tab)
      UNION ALL SELECT 'missing', id FROM (SELECT id, $e, a FROM m WHERE tab = :tab EXCEPT SELECT rowid, e, a FROM $tab) LIMIT 4"]
    if {$wrong ne ""} {return "$tab: rows differ from m: $wrong"}
    if {[wl_is_map $handle $tab]} continue
    set ef [$handle onecolumn {SELECT ef FROM live WHERE tab = :tab}]
    set found [$handle eval "SELECT coalesce(ef_search, nprobe) FROM $tab WHERE e MATCH test_vector(1, 4) AND k = 1"]
    if {$found ne {} && $found ne [list $ef]} {return "$tab: ef_search or nprobe is {$found} instead of {$ef}"}
    set exact [wl_exact $handle $tab]
    foreach {seed k} {3 5 -7 1000} {
      set wrong [wl_compare_search $handle $tab $seed $k $exact ""]
      if {$wrong eq "" && $exact ne ""} {set wrong [wl_compare_graph $handle $tab $seed $k]}
      if {$wrong ne ""} {return $wrong}
    }
  }
  if {$live eq ""} return
  # Answers from the content rows are right as well: only this shows that the pages of this snapshot are whole.
  set status [$handle onecolumn {SELECT value FROM quire WHERE name = 'status'}]
  if {$status ne "ok"} {return "the page file was given up: $status"}
  return
}

# The mirror's vector as the table has it.
proc wl_vector {handle tab} {
  expr {[$handle onecolumn {SELECT graph FROM live WHERE tab = :tab}] == 3 ? "CASE WHEN e IS NOT NULL THEN vec_sparse(e) END" : "e"}
}

# What a search has to say to be exact.
proc wl_exact {handle tab} {expr {[$handle onecolumn {SELECT graph FROM live WHERE tab = :tab}] in {1 2} ? "AND exact = 1" : ""}}

# A search through a graph: as many rows as there should be, each once, with the true distance; nearest first unless it streams (`end`): then a row that a
# batch missed may come late.
proc wl_compare_graph {handle tab seed k {end "AND k = :k ORDER BY distance"}} {
  set got [$handle eval "SELECT rowid, distance FROM $tab WHERE e MATCH test_vector(:seed, 4) $end"]
  set there [$handle eval {SELECT id, vec_distance_l2(e, test_vector(:seed, 4)) FROM m WHERE tab = :tab AND e IS NOT NULL}]
  if {[string match *LIMIT* $end]} {set got [concat {*}[lsort -real -index 1 [lmap {id d} $got {list $id $d}]]]}
  set wrong [wl_bad_neighbours $got $there $k]
  if {$wrong ne ""} {return "$tab: graph search for $k of test_vector($seed, 4): $wrong: {[string range $got 0 800]}"}
  return
}

# "" or what is wrong with the answer of a search that may miss rows. there: id and distance of all rows.
proc wl_bad_neighbours {got there k} {
  set want [expr {min($k, [llength $there] / 2)}]
  if {[llength $got] != 2 * $want} {return "[expr {[llength $got] / 2}] rows instead of $want"}
  set last -1
  foreach {id distance} $got {
    if {![dict exists $there $id]} {return "row $id is not there, or came twice"}
    if {[dict get $there $id] != $distance} {return "row $id has the distance [dict get $there $id]"}
    if {$distance < $last} {return "row $id comes too late"}
    dict unset there $id
    set last $distance
  }
  return
}

# Counters, added up over connections that come and go. Looking may find the database locked.
proc wl_count {handle {prefix ""}} {
  global wl wl_total
  if {!$wl(quire)} return
  set code [catch {$handle eval {SELECT name, sum(value) AS value FROM quire_stats WHERE name IN ('folds', 'bulk_folds', 'append_only_folds', 'folds_given_up', 'pages_reused',
      'pages_extended', 'overlay_loads', 'overlay_extends', 'steps', 'graph_folds', 'graph_linked', 'graph_repairs', 'graph_searches', 'list_folds', 'list_splits', 'slots_reused', 'content_rows_paged', 'paged_vectors_read') GROUP BY name} row {
    incr wl_total($prefix$row(name)) $row(value)
  }} message options]
  if {$code && ![string match *locked* $message]} {return -options $options $message}
}
# Those of the counters that are zero.
proc wl_missing {counters} {
  global wl_total
  lmap name $counters {expr {[info exists wl_total($name)] && $wl_total($name) > 0 ? [continue] : $name}}
}
proc wl_reached {counters} {
  global wl_total
  set line {}
  foreach name [lsort [array names wl_total]] {lappend line $name=$wl_total($name)}
  puts "$tester::file: [join $line]"
  foreach name $counters {
    set value [expr {[info exists wl_total($name)] ? $wl_total($name) : 0}]
    tester::report reached.$name [expr {$value > 0}] $value "> 0"
  }
}

# What must have happened with these kinds of content.
proc wl_content_counters {{prefix ""}} {
  global wl
  set kinds [lsort -unique $wl(contents)]
  concat [lmap kind $kinds {string cat tables_of_ $kind}] [expr {"pages" in $kinds ? [list ${prefix}content_rows_paged ${prefix}paged_vectors_read] : {}}]
}

# Nearest k under a further condition, written for the quire table and for m.
proc wl_compare_search {handle tab seed k quire_where mirror_where} {
  set got [$handle eval "SELECT rowid, distance FROM $tab WHERE e MATCH test_vector(:seed, 4) AND k = :k $quire_where"]
  set want [$handle eval "SELECT id, vec_distance_l2(e, test_vector(:seed, 4)) AS d FROM m WHERE tab = :tab AND e IS NOT NULL
    $mirror_where ORDER BY d, id LIMIT :k"]
  if {[wl_same_neighbours $got $want]} return
  return "$tab: nearest $k of test_vector($seed, 4) $quire_where: {[string range $got 0 800]} instead of {[string range $want 0 800]}"
}

# Equal distances in order; equal ids, except among the last, equally far ones, where k may cut anywhere.
proc wl_same_neighbours {got want} {
  if {$got eq $want} {return 1}
  if {[llength $got] != [llength $want]} {return 0}
  set last [lindex $want end]
  set ids {}
  foreach {gid gd} $got {wid wd} $want {
    if {$gd != $wd} {return 0}
    if {$wd != $last} {
      dict incr ids $gid
      dict incr ids $wid -1
    }
  }
  foreach {id n} $ids {if {$n} {return 0}}
  return 1
}
