# content.tcl: the same vectors with content='' and by default: seconds to load, to commit one by one, to read and to search; bytes on disk.
#
#   make bench-content [ROWS=100000] [DIM=128]      each figure the median of 3 runs, the two by turns; a flat() index
package require sqlite3
fconfigure stdout -buffering line
lassign $argv quire testfuncs directory rows dim
set file [file join $directory content.db]
set singly [expr {min($rows, 20000)}]

proc timed {script} {
  set start [clock microseconds]
  uplevel $script
  return [expr {([clock microseconds] - $start) / 1e6}]
}
proc forget {} {
  catch {db close}
  file delete {*}[glob -nocomplain $::file*]
}
proc open_new {option} {
  forget
  sqlite3 db $::file
  foreach library [list $::quire $::testfuncs] {
    db enable_load_extension 1
    db eval {SELECT load_extension($library)}
  }
  db eval {PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536}
  db eval "CREATE VIRTUAL TABLE t USING quire(e float\[$::dim] INDEXED BY flat()$option)"
  db eval "CREATE TEMP TABLE source AS WITH RECURSIVE s(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM s WHERE i < $::rows)
    SELECT i, test_vector(i, $::dim) AS e FROM s"
}
proc note {what option value} {lappend ::got($what,$option) $value}
proc median {what option} {
  set sorted [lsort -real $::got($what,$option)]
  lindex $sorted [expr {[llength $sorted] / 2}]
}

foreach run {1 2 3} {
  foreach option {"" ", content=''"} {
    open_new $option
    note load $option [timed {db eval {BEGIN; INSERT INTO t(rowid, e) SELECT i, e FROM source; COMMIT}}]
    db eval {INSERT INTO t(t) VALUES('fold'); PRAGMA wal_checkpoint(TRUNCATE)}
    note pages $option [expr {[file size $file-quire] / 1e6}]
    note point $option [timed {db eval "SELECT sum(length(e)) FROM t WHERE rowid IN (SELECT i FROM source LIMIT 20000)"}]
    note search $option [timed {for {set i 1} {$i <= 50} {incr i} {db eval "SELECT rowid, distance FROM t WHERE e MATCH test_vector(-$i, $dim) AND k = 10"}}]
    if {[db onecolumn {SELECT count(*) FROM t JOIN source ON i = t.rowid WHERE t.e = source.e}] != $rows} {error "vectors are not those that were inserted"}
    note grown $option [expr {[file size $file] / 1e6}]
    db eval {VACUUM; PRAGMA wal_checkpoint(TRUNCATE)}
    note database $option [expr {[file size $file] / 1e6}]
    open_new $option
    note singly $option [timed {db eval {SELECT i, e FROM source LIMIT $singly} row {db eval {INSERT INTO t(rowid, e) VALUES(:row(i), :row(e))}}}]
  }
}
forget
puts [format "%-52s %12s %12s" "$rows x $dim float32" default "content=''"]
foreach {what words divide} [list load "loaded in one transaction, rows/s" $rows singly "one row per commit, rows/s, $singly rows" $singly point "20,000 vectors by rowid, rows/s" [expr {min($rows, 20000)}] \
                               search "exact searches, k = 10, per second" 50 database "database, MB, after VACUUM" 0 grown "database, MB, after the load" 0 pages "page file, MB" 0] {
  set values [lmap option {"" ", content=''"} {
    set value [median $what $option]
    expr {$divide ? $divide / $value : $value}
  }]
  puts [format "%-52s %12.[expr {$divide ? 0 : 1}]f %12.[expr {$divide ? 0 : 1}]f" $words {*}$values]
}
