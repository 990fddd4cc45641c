# quantizers.tcl: recall@10 and queries a second by index, quantizer, oversample, dimension and form of the data, through SQL.
#
#   make bench-quantizers [ROWS=4000] [DIMS="128 768 1536"] [FORMS="unit raw outliers"] [METRICS=l2] [INDEXES="hnsw ivf"] [RECALL=0.98]
#
# Rows and queries are test_clustered() of test/testfuncs.c; forms: unit (of norm 1), raw, outliers (one row in 50 forty times as long). Recall is against exact
# searches; `lost` is how much less it is than with full vectors (quantizer=none) in the same index. Speed is by processor time, the median of three passes over
# QUERIES queries. A search visits a third of the lists, or keeps the default ef_search of candidates; of graphs another line has the least ef_search of some that
# finds RECALL of them. `bytes` are those of the page file in use, by rows: vectors, what is kept beside them for exact searches, and the index.
package require sqlite3
lassign $argv lib testfuncs dir rows dims forms metrics indexes target
fconfigure stdout -buffering line
set queries 200

array set form {
  unit     {vec_normalize(v)}
  raw      {v}
  outliers {test_scale(v, CASE WHEN id % 50 = 7 THEN 40 ELSE 1 END)}
}
file mkdir $dir
set path [file join $dir quantizers.db]
foreach f [glob -nocomplain $path*] {file delete $f}
sqlite3 db $path
db enable_load_extension 1
db eval {SELECT load_extension($lib); SELECT load_extension($testfuncs)}
db eval {PRAGMA journal_mode = wal}

# Seconds of processor time of this process.
proc cpu {} {
  set f [open /proc/self/stat]
  set fields [split [lindex [split [read $f] )] end]]
  close $f
  expr {([lindex $fields 12] + [lindex $fields 13]) / 100.0}
}
proc ask {query more} {db eval "SELECT rowid FROM t WHERE e MATCH \$query AND k = 10 $more"}

proc recall {more} {
  global wanted asked queries
  set hits 0
  foreach query $asked want $wanted {
    set got [ask $query $more]
    foreach rowid $want {incr hits [expr {$rowid in $got}]}
  }
  expr {$hits / 10.0 / $queries}
}
proc rate {more} {
  global asked queries
  set rates {}
  for {set run 0} {$run < 3} {incr run} {
    set start [cpu]
    set done 0
    while {[cpu] - $start < 0.2} {
      foreach query $asked {ask $query $more}
      incr done $queries
    }
    lappend rates [expr {$done / ([cpu] - $start)}]
  }
  lindex [lsort -real $rates] 1
}
# {} where none of them is enough.
proc least_ef {target} {
  foreach ef {8 12 16 24 32 48 64 96 128 192 256 384 512} {
    if {[recall "AND ef_search = $ef"] >= $target} {return $ef}
  }
}
proc bytes_a_row {} {
  set used [db onecolumn {SELECT (SELECT value FROM quire WHERE name = 'pages') - (SELECT value FROM quire WHERE name = 'free_pages')}]
  expr {$used * 4096 / $::rows}
}
proc report {quantizer effort more} {
  upvar dim dim shape shape metric metric index index full full
  set recall [recall $more]
  if {$quantizer eq "none" && $effort eq "default"} {set full $recall}
  puts [format "%-5d %-9s %-6s %-6s %-10s %-15s  %.4f  %7.4f  %7.0f  %6d" $dim $shape $metric $index $quantizer $effort $recall [expr {$full - $recall}] [rate $more] [bytes_a_row]]
}

puts "rows $rows"
puts "dim   data      metric index  quantizer  effort           recall    lost     QPS   bytes (QPS by processor time)"
foreach dim $dims {
  db eval "DROP TABLE IF EXISTS source; CREATE TABLE source(id INTEGER PRIMARY KEY, v BLOB);
    WITH n(i) AS (SELECT -$queries UNION ALL SELECT i + 1 FROM n WHERE i < $rows) INSERT INTO source SELECT i, test_clustered(i, $dim) FROM n WHERE i <> 0"
  foreach shape $forms {
    set asked [db eval "SELECT $form($shape) FROM source WHERE id < 0"]
    foreach metric $metrics {
      set wanted {}
      foreach {index options quantizers} [list hnsw "" {none int8 int4 bit} ivf ", from_rows=1, nprobe=[expr {int(sqrt($rows) / 3)}]" {none int8 int4 bit}] {
        if {$index ni $indexes} continue
        foreach quantizer $quantizers {
          db eval "DROP TABLE IF EXISTS t; CREATE VIRTUAL TABLE t USING quire(e float\[$dim] INDEXED BY ${index}(quantizer=$quantizer$options) distance_metric=$metric, fold_rows=10000000);
            INSERT INTO t(rowid, e) SELECT id, $form($shape) FROM source WHERE id > 0; INSERT INTO t(t) VALUES('fold')"
          if {$wanted eq ""} {foreach query $asked {lappend wanted [ask $query {AND exact = 1}]}}
          report $quantizer default ""
          foreach oversample [expr {$quantizer eq "none" ? {} : {2 5 10}}] {report $quantizer "oversample $oversample" "AND oversample = $oversample"}
          if {$index eq "hnsw" && [set ef [least_ef $target]] ne ""} {report $quantizer "ef_search $ef" "AND ef_search = $ef"}
        }
      }
    }
  }
}
db close
