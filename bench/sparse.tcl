# sparse.tcl: a sparse column beside a scan by vec_distance_dot() and beside an inverted table in plain SQL: load, size, searches; every answer compared with brute force.
#
#   make bench-sparse [ROWS=100000]      seconds are those of the processor where the system tells them, so that others' work counts little
#
# Rows: the lines of QUIRE_DATA/sparse_ids_5K.txt.gz, about 76 ids each, over and over, with the ids of each further copy moved by a shift that is drawn for each id among
# those of about its frequency, so that rows differ and frequencies stay. Weights are inverse document frequencies among all rows. Queries: rows of one more copy.
package require sqlite3
fconfigure stdout -buffering line
lassign $argv quire directory data rows
set file [file join $directory sparse.db]
set queries 100
set k 10

# Of this process, in steps of 1/100: what is timed takes longer than that.
proc seconds {} {
  if {[catch {open /proc/self/stat} f]} {return [expr {[clock microseconds] / 1e6}]}
  set line [read $f]
  close $f
  set fields [lrange [string range $line [string last ) $line]+1 end] 11 12]
  return [expr {[tcl::mathop::+ {*}$fields] / 100.0}]
}
proc timed {script} {
  set start [seconds]
  uplevel $script
  return [expr {max([seconds] - $start, 0.005)}]
}
proc forget {} {
  catch {db close}
  file delete {*}[glob -nocomplain $::file*]
}
proc load {handle} {
  $handle enable_load_extension 1
  $handle eval {SELECT load_extension($::quire)}
}

# --- data ---
if {![file exists $data]} {
  puts "bench-sparse: no data at $data (QUIRE_DATA)"
  exit 1
}
set in [open "|gzip -dc [list $data]"]
set lines [split [string trim [read $in]] \n]
close $in
foreach line $lines {foreach id $line {dict incr frequency $id}}
set ids [lsort -integer -index 1 -stride 2 $frequency]
set ids [dict keys $ids]
set number 0
foreach id $ids {dict set rank $id $number; incr number}
set dim $number
expr {srand(7)}
# A copy's ids: ranks, exchanged within groups of 16 of about the same frequency.
proc permute {copy} {
  global dim moved
  set moved {}
  for {set from 0} {$from < $dim} {incr from 16} {
    set group {}
    for {set i $from} {$i < min($from + 16, $dim)} {incr i} {lappend group [list [expr {rand()}] $i]}
    foreach pair [expr {$copy ? [lsort -real -index 0 $group] : $group}] {lappend moved [lindex $pair 1]}
  }
}
forget
sqlite3 db $file
load db
db eval {PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -262144; CREATE TEMP TABLE source(i INTEGER PRIMARY KEY, e BLOB)}
set all 0
set copy -1
set total {}
while {[llength $total] < $rows + $queries} {
  permute [incr copy]
  foreach line $lines {
    if {[llength $total] == $rows + $queries} break
    set row {}
    foreach id $line {lappend row [lindex $moved [dict get $rank $id]]}
    lappend total [lsort -integer -unique $row]
  }
}
for {set i 0} {$i < $rows} {incr i} {foreach id [lindex $total $i] {incr count($id)}}
for {set i 0} {$i < $dim} {incr i} {
  if {![info exists count($i)]} {set count($i) 1}
  set weight($i) [format %.5f [expr {log(($rows + 1.0) / $count($i)) + 0.001}]]
}
set i 0
set values 0
db eval BEGIN
foreach row $total {
  set weights {}
  foreach id $row {lappend weights $weight($id)}
  incr values [llength $row]
  set text "{\"dim\":$dim,\"indices\":\[[join $row ,]\],\"values\":\[[join $weights ,]\]}"
  db eval {INSERT INTO source VALUES(:i, vec_sparse(:text))}
  incr i
}
db eval COMMIT
unset total lines
puts [format "%d rows of %.1f values among %d, %d queries, k = %d" $rows [expr {double($values) / ($rows + $queries)}] $dim $queries $k]

# --- ours ---
set result {}
proc note {what words value} {lappend ::result [format "%-66s %12s" "$what: $words" $value]; puts [lindex $::result end]}
set wanted {}
foreach metric {dot cosine l2} {
  set seconds [timed {
    db eval "CREATE VIRTUAL TABLE t USING quire(e sparse\[$dim] distance_metric=$metric, kind integer)"
    db eval {BEGIN; INSERT INTO t(rowid, e, kind) SELECT i, e, i % 100 FROM source WHERE i < $rows; COMMIT; INSERT INTO t(t) VALUES('fold')}
  }]
  note $metric "loaded and indexed, rows/s" [format %.0f [expr {$rows / $seconds}]]
  note $metric "pages, MB" [format %.1f [expr {[db onecolumn {SELECT sum(CASE name WHEN 'pages' THEN value ELSE -value END) FROM quire WHERE name IN ('pages', 'free_pages')}] * 4096 / 1e6}]]
  for {set q 0} {$q < $queries} {incr q} {
    set got($metric,$q) [db eval {SELECT rowid, distance FROM t WHERE e MATCH (SELECT e FROM source WHERE i = $rows + $q) ORDER BY distance LIMIT $k}]
  }
  set fast [expr {[timed {for {set i 0} {$i < 5 * $queries} {incr i} {
    set q [expr {$i % $queries}]
    db eval {SELECT rowid, distance FROM t WHERE e MATCH (SELECT e FROM source WHERE i = $rows + $q) ORDER BY distance LIMIT $k}
  }}] / 5}]
  note $metric "searches per second" [format %.0f [expr {$queries / $fast}]]
  set seconds [timed {for {set q 0} {$q < $queries} {incr q} {db eval {SELECT rowid, distance FROM t WHERE e MATCH (SELECT e FROM source WHERE i = $rows + $q) AND kind = 7 ORDER BY distance LIMIT $k}}}]
  note $metric "with a filter that lets 1 % through" [format %.0f [expr {$queries / $seconds}]]
  set some [expr {min($queries, 10)}]
  set seconds [timed {for {set q 0} {$q < $some} {incr q} {
    set want [db eval {SELECT rowid, distance FROM t WHERE e MATCH (SELECT e FROM source WHERE i = $rows + $q) AND exact = 1 ORDER BY distance LIMIT $k}]
    if {$want ne $got($metric,$q)} {error "$metric, query $q: $got($metric,$q) instead of $want"}
  }}]
  note $metric "all rows compared in the pages (exact = 1), per second" [format "%.1f" [expr {$some / $seconds}]]
  note $metric "times as fast as that" [format %.0f [expr {($seconds / $some) / ($fast / $queries)}]]
  set some [expr {min($queries, 5)}]
  set function vec_distance_[string map {l2 L2} $metric]
  set seconds [timed {for {set q 0} {$q < $some} {incr q} {
    set want [db eval "SELECT i, $function (e, (SELECT e FROM source WHERE i = $rows + $q)) AS d FROM source WHERE i < $rows ORDER BY d, i LIMIT $k"]
    if {$want ne $got($metric,$q)} {error "$metric, query $q: $got($metric,$q) instead of $want"}
  }}]
  note $metric "brute force by $function, per second" [format "%.1f" [expr {$some / $seconds}]]
  note $metric "times as fast as that by the function" [format %.0f [expr {($seconds / $some) / ($fast / $queries)}]]
  db eval {DROP TABLE t; DROP TABLE quire}
}

# --- an inverted table ---
set seconds [timed {
  db eval {CREATE TABLE posting(term INTEGER, doc INTEGER, weight REAL, PRIMARY KEY(term, doc)) WITHOUT ROWID;
    BEGIN; INSERT INTO posting SELECT v.rowid, i, value FROM source, vec_each(e) AS v WHERE i < $rows ORDER BY 1, 2; COMMIT}
}]
note "SQL" "loaded and indexed, rows/s" [format %.0f [expr {$rows / $seconds}]]
note "SQL" "database, MB of it" [format %.1f [expr {[db onecolumn {SELECT sum(pgsize) FROM dbstat WHERE name = 'posting'}] / 1e6}]]
set some [expr {min($queries, 5)}]
set differs 0
set seconds [timed {for {set q 0} {$q < $some} {incr q} {
  set sql [db eval {SELECT doc FROM (SELECT doc, sum(weight * value) AS score FROM vec_each((SELECT e FROM source WHERE i = $rows + $q)) AS v
    JOIN posting ON term = v.rowid GROUP BY doc) ORDER BY score DESC, doc LIMIT $k}]
  foreach doc $sql {rowid distance} $got(dot,$q) {incr differs [expr {$doc != $rowid}]}
}}]
note "SQL" "searches per second (dot, GROUP BY)" [format %.1f [expr {$some / $seconds}]]
if {$differs} {puts "SQL: $differs of [expr {$some * $k}] rows are others, of equal scores but for rounding"}
forget
