# churn.tcl: how long the page file is while rows come and go, in sizes of a freshly built one, and what the folds cost.
#
#   tclsh churn.tcl EXTENSION TESTFUNCS FOLDER ?ROWS? ?DIM? ?INDEX ...?
#
# Each table's rows are all replaced twice, at random (or the oldest first), a two hundredth in each commit; WAL, synchronous=NORMAL, automatic checkpoints,
# default options. Then rounds of checkpoint and 'merge', as in idle moments. At the end: count and integrity-check.
package require sqlite3
set args [lassign $argv extension testfuncs folder rows dim]
if {$rows eq ""} {set rows 100000}
if {$dim eq ""} {set dim 64}
set indexes [expr {[llength $args] ? $args : {flat() ivf() hnsw()}}]
cd $folder

proc open {handle file index dim} {
  global extension testfuncs
  sqlite3 $handle $file
  $handle enable_load_extension 1
  $handle eval {SELECT load_extension($extension), load_extension($testfuncs)}
  $handle eval "PRAGMA journal_mode = wal; PRAGMA synchronous = normal; CREATE VIRTUAL TABLE t USING quire(e float\[$dim] INDEXED BY $index)"
}
proc fill {handle rows dim} {
  $handle eval "WITH s(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM s WHERE i < $rows) INSERT INTO t(rowid, e) SELECT i, test_gauss(i, $dim) FROM s; INSERT INTO t(t) VALUES('fold')"
}
proc times {size fresh} {format %.2f [expr {double($size) / $fresh}]}

puts "$rows rows of $dim dimensions, all replaced twice; page file in sizes of a fresh one"
puts [format "%-8s %-6s %10s %6s %6s %6s %7s %10s %10s" index order "fresh, MB" mean peak end merged "rows/s" "worst, ms"]
foreach index $indexes {
  foreach order {random oldest} {
    foreach f [glob -nocomplain churn.db*] {file delete $f}
    open db churn.db $index $dim
    fill db $rows $dim
    set fresh [file size churn.db-quire]
    set share [expr {max($rows / 200, 1)}]
    set ids {}
    for {set i 1} {$i <= $rows} {incr i} {lappend ids $i}
    expr {srand(7)}
    set next $rows
    set sum 0
    set peak 0
    set worst 0
    set start [clock microseconds]
    for {set round 0} {$round < 400} {incr round} {
      db eval BEGIN
      for {set k 0} {$k < $share} {incr k} {
        set at [expr {$order eq "oldest" ? ($round * $share + $k) % $rows : int(rand() * $rows)}]
        incr next
        db eval "DELETE FROM t WHERE rowid = [lindex $ids $at]; INSERT INTO t(rowid, e) VALUES($next, test_gauss($next, $dim))"
        lset ids $at $next
      }
      set worst [expr {max($worst, [lindex [time {db eval COMMIT}] 0])}]
      set size [file size churn.db-quire]
      incr sum $size
      set peak [expr {max($peak, $size)}]
    }
    set seconds [expr {([clock microseconds] - $start) / 1e6}]
    for {set i 0} {$i < 6} {incr i} {db eval {PRAGMA wal_checkpoint; INSERT INTO quire(quire) VALUES('merge=100000')}}
    puts [format "%-8s %-6s %10.1f %6s %6s %6s %7s %10.0f %10.0f" $index $order [expr {$fresh / 1e6}] [times [expr {$sum / 400}] $fresh] [times $peak $fresh] [times $size $fresh] \
      [times [file size churn.db-quire] $fresh] [expr {400 * $share / $seconds}] [expr {$worst / 1000.0}]]
    db eval {INSERT INTO t(t) VALUES('integrity-check')}
    if {[db onecolumn {SELECT count(*) FROM t}] != $rows} {error "rows are missing"}
    db close
  }
}
foreach f [glob -nocomplain churn.db*] {file delete $f}
