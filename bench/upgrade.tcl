# upgrade.tcl: a table of the real sqlite-vec, read where it is and upgraded: seconds, and searches a second by both libraries.
#
#   make bench-upgrade [ROWS=100000] [DIM=128]      after make sqlite-vec; medians of 5 searches
package require sqlite3
fconfigure stdout -buffering line
lassign $argv quire sqlite_vec testfuncs directory rows dim
set file [file join $directory upgrade.db]

proc open_db {args} {
  sqlite3 db $::file
  foreach library $args {
    db enable_load_extension 1
    db eval {SELECT load_extension($library)}
  }
  db eval {PRAGMA journal_mode = WAL}
}
proc timed {script} {
  set start [clock microseconds]
  uplevel $script
  return [expr {([clock microseconds] - $start) / 1e6}]
}
proc search {where} {
  set times {}
  for {set i 1} {$i <= 5} {incr i} {
    lappend times [timed {db eval "SELECT rowid, distance FROM t WHERE e MATCH test_vector(-$i, $::dim) AND k = 10 $where"}]
  }
  return [lindex [lsort -real $times] 2]
}
proc searches {who} {puts [format "%-40s %8.4f s, with a condition %8.4f s" "search, $who" [search ""] [search "AND year = 2000"]]}
proc line {what seconds} {puts [format "%-40s %8.4f s" $what $seconds]}
proc megabytes {} {
  set sum 0
  foreach f [glob -nocomplain $::file $::file-quire] {incr sum [file size $f]}
  return [format "%.1f MB" [expr {$sum / 1e6}]]
}

file delete {*}[glob -nocomplain $file*]
open_db $sqlite_vec $testfuncs
db eval {PRAGMA cache_size = -65536}
db eval "CREATE VIRTUAL TABLE t USING vec0(e float\[$dim\], year integer, lang text, +body text)"
line "insert $rows x $dim, sqlite-vec" [timed {
  db eval {BEGIN;
    WITH RECURSIVE s(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM s WHERE i < $rows + 0)
      INSERT INTO t(rowid, e, year, lang, body) SELECT i, test_vector(i, $dim + 0), 1990 + i % 40, 'lang ' || (i % 7), 'body ' || i FROM s;
    COMMIT}
}]
searches "sqlite-vec"
db close
puts "size: [megabytes]"

open_db $quire $testfuncs
searches "Quire, not upgraded"
line "integrity-check, not upgraded" [timed {db eval {INSERT INTO t(t) VALUES('integrity-check')}}]
line "upgrade" [timed {db eval {INSERT INTO t(t) VALUES('upgrade')}}]
searches "Quire, upgraded"
db eval {PRAGMA wal_checkpoint(TRUNCATE)}
puts "size: [megabytes], after VACUUM [db eval VACUUM][db eval {PRAGMA wal_checkpoint(TRUNCATE); SELECT ''}][megabytes]"
db close
file delete {*}[glob -nocomplain $file*]
