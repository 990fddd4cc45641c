# tester.tcl: the test harness. A test file sources it, tests, and ends with finish_test.
#
# Sourcing opens `db` on a new test.db in a new directory (which becomes the current one and is removed at the end), with the
# extension and the helper functions loaded. Each test is one named comparison:
#
#   do_execsql_test NAME SQL RESULT        all values of all rows, as one list
#   do_catchsql_test NAME SQL {code msg}   code 0: msg is the list of values; 1: the error message
#   do_test NAME SCRIPT RESULT             the value of a Tcl script
#   do_eqp_test NAME SQL LINES             the detail lines of EXPLAIN QUERY PLAN
#   do_counter_check NAME COUNTERS         each counter of the table `quire` is above zero
#   do_recall_test NAME TABLE ...          see below
#
# A RESULT written /.../ is a regular expression that must match the result, ~/.../ one that must not.
#
# SQL functions for tests are in testfuncs.c: test_vector(seed, dim), test_gauss(seed, dim), test_clustered(seed, dim), test_scale(v, x),
# test_crc(blob), test_drop_module(name).
#
# Environment, so that one suite runs under several settings:
#   QUIRE_LIB             the extension (default: quire.so in the repository's root)
#   QUIRE_TESTFUNCS       testfuncs.so (default: build/testfuncs.so)
#   QUIRE_TEST_QUICK=1    small counts: tests ask [quick SMALL LARGE]; files with `slow_test` are left out
#   QUIRE_TEST_SANITIZED=all   a quick run under sanitizers is not made smaller still
#   QUIRE_TEST_JOURNAL    journal mode of test.db (default: wal)
#   QUIRE_TEST_ENCODING   encoding of test.db (default: UTF-8)
#   QUIRE_TEST_DEFENSIVE=1, QUIRE_TEST_UNTRUSTED=1   SQLITE_DBCONFIG_DEFENSIVE on; trusted_schema off
#   QUIRE_TEST_FILTER     glob pattern: only tests with such names count (all are run)
#   QUIRE_TEST_KEEP=1     leave the directory there and print its name
#   QUIRE_TEST_VERBOSE=1  name each test

package require sqlite3

namespace eval tester {
  variable passed 0 failed 0 finished 0
  variable file [file tail [info script]]
  if {[info exists ::argv0]} {set file [file tail $::argv0]}
  variable test_dir [file dirname [file normalize [info script]]]
  variable root [file dirname $test_dir]
  variable start_dir [pwd]
  variable work_dir ""
}

proc env_or {name default} {
  if {[info exists ::env($name)] && $::env($name) ne ""} {return $::env($name)}
  return $default
}

# The smaller number in a quick run, else the larger. `sanitized`: for a quick run under sanitizers, where all takes several times as long.
proc quick {small large {sanitized ""}} {
  set value $large
  if {[env_or QUIRE_TEST_QUICK 0]} {
    set value $small
    if {$sanitized ne "" && [info exists ::env(ASAN_OPTIONS)] && [env_or QUIRE_TEST_SANITIZED ""] ne "all"} {set value $sanitized}
  }
  # a number is one for SQLite, too, where it is bound: i < '3000' holds for every integer
  return [expr {[string is double -strict $value] ? $value + 0 : $value}]
}

proc absolute_path {path} {
  if {[file pathtype $path] eq "absolute"} {return $path}
  return [file join $tester::start_dir $path]
}

proc library_name {stem} {return $stem.[expr {$::tcl_platform(os) eq "Darwin" ? "dylib" : "so"}]}
proc quire_lib {} {absolute_path [env_or QUIRE_LIB [file join $tester::root [library_name quire]]]}
proc testfuncs_lib {} {absolute_path [env_or QUIRE_TESTFUNCS [file join $tester::root build testfuncs.so]]}
proc testvfs_lib {} {absolute_path [env_or QUIRE_TESTVFS [file join $tester::root build testvfs.so]]}

# --- connections ---

proc load_library {handle path} {
  $handle enable_load_extension 1
  $handle eval {SELECT load_extension($path)}
}

# Load the extension and the helpers into a connection and apply the settings that belong to a connection.
proc load_quire {handle} {
  load_library $handle [quire_lib]
  if {[file exists [testfuncs_lib]]} {load_library $handle [testfuncs_lib]}
  if {[env_or QUIRE_TEST_DEFENSIVE 0]} {$handle config defensive 1}
  if {[env_or QUIRE_TEST_UNTRUSTED 0]} {$handle config trusted_schema 0}
  $handle timeout 0
}

# Open connection `handle` on a file. A new database gets the encoding and the journal mode of the run. Further
# arguments go to [sqlite3], for instance -vfs faults or -readonly 1.
proc open_db {handle {filename test.db} args} {
  catch {$handle close}
  set fresh [expr {$filename ne ":memory:" && (![file exists $filename] || [file size $filename] == 0)}]
  sqlite3 $handle $filename {*}$args
  load_quire $handle
  if {$fresh} {
    set encoding [env_or QUIRE_TEST_ENCODING ""]
    if {$encoding ne ""} {$handle eval "PRAGMA encoding = '$encoding'"}
    $handle eval "PRAGMA journal_mode = [env_or QUIRE_TEST_JOURNAL wal]"
  }
  return $handle
}

# Close `db` and open the same file again.
proc reopen {{handle db} {filename test.db} args} {
  catch {$handle close}
  open_db $handle $filename {*}$args
  return
}

# Start over: an empty test.db, no page file.
proc reset_db {} {
  catch {db close}
  foreach f [glob -nocomplain test.db*] {file delete -force $f}
  open_db db
  return
}

proc execsql {sql {handle db}} {uplevel [list $handle eval $sql]}
proc catchsql {sql {handle db}} {
  set code [catch {uplevel [list $handle eval $sql]} msg]
  return [list $code $msg]
}

# The detail lines of EXPLAIN QUERY PLAN.
proc eqp {sql {handle db}} {
  set lines {}
  uplevel [list $handle eval "EXPLAIN QUERY PLAN $sql" tester_row {lappend tester_lines $tester_row(detail)}]
  upvar tester_lines found tester_row row
  if {[info exists found]} {set lines $found}
  unset -nocomplain found row
  return $lines
}

# --- tests ---

proc tester::report {name ok got expected} {
  variable passed
  variable failed
  if {![string match [env_or QUIRE_TEST_FILTER *] $name]} return
  if {$ok} {
    incr passed
    if {[env_or QUIRE_TEST_VERBOSE 0]} {puts "ok $name"}
  } else {
    incr failed
    puts "FAILED $name"
    puts "  expected: [string range $expected 0 3000]"
    puts "  got:      [string range $got 0 3000]"
    flush stdout
  }
}

proc tester::matches {got expected} {
  if {[regexp {^\s*/(.*)/\s*$} $expected -> re]} {return [regexp -- $re $got]}
  if {[regexp {^\s*~/(.*)/\s*$} $expected -> re]} {return [expr {![regexp -- $re $got]}]}
  return [expr {$got eq $expected}]
}

proc tester::as_list {text} {
  if {[regexp {^\s*~?/.*/\s*$} $text]} {return $text}
  set list {}
  foreach item $text {lappend list $item}
  return $list
}

proc do_test {name script expected} {
  if {[catch {uplevel #0 $script} got]} {
    tester::report $name 0 "error: $got\n$::errorInfo" $expected
    return
  }
  tester::report $name [tester::matches $got $expected] $got $expected
}

proc do_execsql_test {name sql {expected {}}} {
  if {[catch {uplevel #0 [list db eval $sql]} got]} {
    tester::report $name 0 "error: $got" $expected
    return
  }
  set want [tester::as_list $expected]
  tester::report $name [tester::matches $got $want] $got $want
}

proc do_catchsql_test {name sql expected} {
  set code [catch {uplevel #0 [list db eval $sql]} msg]
  set got [list $code $msg]
  if {![regexp {^\s*(\d)\s+(~?/.*/)\s*$} $expected -> want_code want_msg]} {lassign $expected want_code want_msg}
  if {$want_code == 0} {set want_msg [tester::as_list $want_msg]}
  tester::report $name [expr {$code == $want_code && [tester::matches $msg $want_msg]}] $got $expected
}

# Expected: the exact list of detail lines, or /regular expression/ over the lines joined by newlines.
proc do_eqp_test {name sql expected} {
  if {[catch {uplevel #0 [list eqp $sql]} lines]} {
    tester::report $name 0 "error: $lines" $expected
    return
  }
  if {[regexp {^\s*~?/} $expected]} {
    set got [join $lines \n]
    tester::report $name [tester::matches $got $expected] $got $expected
  } else {
    set want [tester::as_list $expected]
    tester::report $name [expr {$lines eq $want}] $lines $want
  }
}

# Fails unless every counter named stands above zero: that a test came through the paths it is there for.
proc do_counter_check {name counters {handle db}} {
  set zero {}
  if {[catch {
    foreach counter $counters {
      set value [$handle onecolumn {SELECT max(value) FROM quire WHERE name = $counter}]
      if {$value eq "" || $value <= 0} {lappend zero $counter=[expr {$value eq "" ? "missing" : $value}]}
    }
  } msg]} {lappend zero "error: $msg"}
  tester::report $name [expr {$zero eq {}}] $zero {}
}

# The nearest k of TABLE by brute force over the vectors as SQL gives them back: list of rowid distance ...
proc brute_force {table query k args} {
  array set opt {-column e -distance vec_distance_l2 -where 1 -handle db}
  array set opt $args
  $opt(-handle) eval "SELECT rowid, $opt(-distance)($opt(-column), \$query) AS d FROM $table
    WHERE $opt(-column) IS NOT NULL AND ($opt(-where)) ORDER BY d, rowid LIMIT \$k"
}

# Mean share of the true nearest k that MATCH finds, over seeded queries, at least -min.
#   do_recall_test NAME TABLE ?-k 10? ?-queries 50? ?-min 0.95? ?-dim N? ?-column e? ?-distance vec_distance_l2?
proc do_recall_test {name table args} {
  array set opt {-k 10 -queries 50 -min 0.95 -dim 8 -column e -distance vec_distance_l2}
  array set opt $args
  set k $opt(-k)
  set hits 0
  set wanted 0
  if {[catch {
    for {set i 1} {$i <= $opt(-queries)} {incr i} {
      set seed [expr {-1000 - $i}]
      set dim $opt(-dim)
      set query [db onecolumn {SELECT test_vector($seed, $dim)}]
      set got [db eval "SELECT rowid FROM $table WHERE $opt(-column) MATCH \$query AND k = \$k"]
      foreach {rowid d} [brute_force $table $query $k -column $opt(-column) -distance $opt(-distance)] {
        incr wanted
        if {$rowid in $got} {incr hits}
      }
    }
  } msg]} {
    tester::report $name 0 "error: $msg" "recall >= $opt(-min)"
    return
  }
  set recall [expr {$wanted ? double($hits) / $wanted : 1.0}]
  tester::report $name [expr {$recall >= $opt(-min)}] "recall $recall" "recall >= $opt(-min)"
}

# --- beginning and end ---

proc tester::remove_work_dir {} {
  variable work_dir
  variable start_dir
  if {$work_dir eq ""} return
  cd $start_dir
  if {[env_or QUIRE_TEST_KEEP 0]} {
    puts "files kept in $work_dir"
  } else {
    catch {exec chmod -R u+rwX $work_dir}
    catch {file delete -force $work_dir}
  }
  set work_dir ""
}

# Print the summary and leave. A run without this line counts as failed.
proc finish_test {} {
  foreach handle [info commands db*] {
    if {[regexp {^db\d*$} $handle]} {catch {$handle close}}
  }
  tester::remove_work_dir
  puts "$tester::file: $tester::passed passed, $tester::failed failed"
  flush stdout
  exit [expr {$tester::failed ? 1 : 0}]
}

# At the head of a file that a quick run leaves out.
proc slow_test {} {
  if {[env_or QUIRE_TEST_QUICK 0]} finish_test
}

set tester::work_dir [exec mktemp -d [file join [env_or TMPDIR /tmp] quire-test-XXXXXX]]
cd $tester::work_dir
if {![info exists tester_no_db] && [catch {open_db db} tester_message tester_options]} {
  tester::remove_work_dir
  return -options $tester_options $tester_message
}
