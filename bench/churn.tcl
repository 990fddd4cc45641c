# churn.tcl: how long the page file is while rows come and go, in sizes of a freshly built one, and what the folds cost.
#
#   tclsh churn.tcl EXTENSION TESTFUNCS FOLDER ?ROWS? ?DIM? ?INDEX ...?
#
# Each table's rows are all replaced twice, at random (or the oldest first), a two hundredth in each commit; WAL, synchronous=NORMAL, automatic checkpoints,
# default options. Then, without any command:
#   after     the size after 400 more commits, each of a 250th as many rows: fewer changes than make a fold, and enough for SQLite to checkpoint three times
#   reopened  and after the database was closed, opened, and changed by ten of these
# Then rounds of checkpoint and 'merge', as in idle moments (merged). At the end: count and integrity-check. Commits: worst and the 99th of a hundred, of the
# 400; written: bytes of pages for each row that was replaced by these.
package require sqlite3
set args [lassign $argv extension testfuncs folder rows dim]
if {$rows eq ""} {set rows 100000}
if {$dim eq ""} {set dim 64}
set indexes [expr {[llength $args] ? $args : {flat() ivf() hnsw()}}]
cd $folder

proc open {handle file} {
  global extension testfuncs
  sqlite3 $handle $file
  $handle enable_load_extension 1
  $handle eval {SELECT load_extension($extension), load_extension($testfuncs); PRAGMA journal_mode = wal; PRAGMA synchronous = normal}
}
proc fill {handle rows dim index} {
  $handle eval "CREATE VIRTUAL TABLE t USING quire(e float\[$dim] INDEXED BY $index);
    WITH s(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM s WHERE i < $rows) INSERT INTO t(rowid, e) SELECT i, test_gauss(i, $dim) FROM s; INSERT INTO t(t) VALUES('fold')"
}
proc size {} {file size churn.db-quire}
proc written {} {db onecolumn {SELECT 4096 * value FROM quire WHERE name = 'pages_written'}}
# Replace `count` rows in one commit; gives how long that took, in microseconds.
proc replace {count order dim} {
  global ids next at_oldest rows
  db eval BEGIN
  for {set k 0} {$k < $count} {incr k} {
    set at [expr {$order eq "oldest" ? $at_oldest : int(rand() * $rows)}]
    set at_oldest [expr {($at_oldest + 1) % $rows}]
    incr next
    db eval "DELETE FROM t WHERE rowid = [lindex $ids $at]; INSERT INTO t(rowid, e) VALUES($next, test_gauss($next, $dim))"
    lset ids $at $next
  }
  lindex [time {db eval COMMIT}] 0
}

puts "$rows rows of $dim dimensions, all replaced twice; page file in sizes of a fresh one"
puts [format "%-8s %-6s %10s %6s %7s %6s %6s %8s %6s %7s %6s %6s %13s" index order "fresh, MB" mean longest end after reopened merged "rows/s" "worst" "p99" "written/row"]
foreach index $indexes {
  foreach order {random oldest} {
    foreach f [glob -nocomplain churn.db*] {file delete $f}
    open db churn.db
    fill db $rows $dim $index
    set fresh [size]
    set share [expr {max($rows / 200, 1)}]
    set few [expr {max($share / 250, 1)}]
    set ids {}
    for {set i 1} {$i <= $rows} {incr i} {lappend ids $i}
    expr {srand(7)}
    set next $rows
    set at_oldest 0
    set sizes {}
    set commits {}
    set bytes [written]
    set start [clock microseconds]
    for {set round 0} {$round < 400} {incr round} {
      lappend commits [replace $share $order $dim]
      lappend sizes [size]
    }
    set seconds [expr {([clock microseconds] - $start) / 1e6}]
    set bytes [expr {([written] - $bytes) / (400 * $share)}]
    set result [list [expr {[tcl::mathop::+ {*}$sizes] / 400}] [tcl::mathfunc::max {*}$sizes] [size]]
    for {set i 0} {$i < 400} {incr i} {replace $few $order $dim}
    lappend result [size]
    db close
    open db churn.db
    for {set i 0} {$i < 10} {incr i} {replace $few $order $dim}
    lappend result [size]
    for {set i 0} {$i < 6} {incr i} {db eval {PRAGMA wal_checkpoint; INSERT INTO quire(quire) VALUES('merge=100000')}}
    lappend result [size]
    set commits [lsort -integer -decreasing $commits]
    puts [format "%-8s %-6s %10.1f %6.2f %7.2f %6.2f %6.2f %8.2f %6.2f %7.0f %6.0f %6.0f %13d" $index $order [expr {$fresh / 1e6}] {*}[lmap size $result {expr {double($size) / $fresh}}] \
      [expr {400 * $share / $seconds}] [expr {[lindex $commits 0] / 1000.0}] [expr {[lindex $commits 3] / 1000.0}] $bytes]
    flush stdout
    db eval {INSERT INTO t(t) VALUES('integrity-check')}
    if {[db onecolumn {SELECT count(*) FROM t}] != $rows} {error "rows are missing"}
    db close
  }
}
foreach f [glob -nocomplain churn.db*] {file delete $f}
