# defects.tcl: mistakes made on purpose, one build for each; each must be found by the test programme.
#
#   tclsh test/defects.tcl ?name ...?      (make defects; DEFECTS="name ..." for some of them)
#
# A defect is a line with DEFECT(name) in the sources. Its row here says what it is and which share of which test file finds it: the test file with
# its environment, seeds and bounds fixed. It is found if the test fails; the table says after how many states or steps. Each share is run
# first with the sound extension and must pass there, else finding means nothing.
#   DEFECTS_JOBS      how many at a time (default 2)
#   DEFECTS_TIMEOUT   seconds for a run of a share (default 600)
# The last line is `N passed, N failed`.

# share: test file, environment
# PC_HOMES: most of the defects are of the page file, which stores that are inline have not.
set shares {
  cut-wal       {powercut.test {PC_HOMES file PC_CONFIGS wal-full PC_SEED 1 PC_SEEDS 4 PC_STATES 150}}
  cut-delete    {powercut.test {PC_HOMES file PC_CONFIGS delete-full PC_SEED 1 PC_SEEDS 4 PC_STATES 150}}
  cut-sync      {powercut.test {PC_HOMES file PC_CONFIGS sync-fails PC_SEED 1 PC_SEEDS 20 PC_STATES 150}}
  cut-failed    {powercut.test {PC_HOMES file PC_CONFIGS sync-fails PC_SEED 130 PC_SEEDS 10 PC_STATES 50}}
  model         {model.test {MODEL_SEED 1 MODEL_SEEDS 40 MODEL_STEPS 150}}
  rules         {storage_rules.test {}}
}

# defect: share, what is wrong
set defects {
  pages_not_synced          {cut-wal      "a fold does not sync its pages"}
  reuse_without_horizon     {cut-wal      "freed pages are written again at once"}
  cut_without_horizon       {rules        "the file is cut where the newest root ends, whoever reads"}
  reuse_before_durable      {cut-delete   "pages are written again before the commit that freed them is durable"}
  written_in_place          {cut-wal      "the root is written where the last one is"}
  sync_before_last_page     {cut-wal      "the sync comes before the last page"}
  n_plus_one                {cut-delete   "a fold's number is that of the state row + 1, not that of the transaction's base + 1"}
  gen_not_checked           {model        "what is cached is believed if the fold's number is the same"}
  savepoint_minus_one_ignored {model      "ROLLBACK TO with a savepoint number below 0 is ignored"}
  overlay_not_cut_back      {model        "ROLLBACK TO leaves the overlay as it is"}
  half_done_update          {model        "xUpdate changes the delta before it knows that the content takes the row"}
  deletion_in_destroy       {model        "DROP TABLE erases a page"}
  rollback_trusted          {cut-failed   "pages of a commit that failed are written again"}
  hidden_commit_missed      {rules        "another connection writes pages of a commit that failed again"}
  newer_root_used           {model        "a root newer than the snapshot is kept"}
  growth_not_synced         {rules        "the page count takes in growth that a failed sync may have lost"}
  creation_not_synced       {cut-wal      "the page file's directory entry is not made durable"}
  growth_from_count         {rules        "new pages start at the state row's count, not at the file's end"}
  failed_sync_retried       {cut-sync     "a sync that failed is tried again"}
  busy_statements_ignored   {rules        "pages are written again under open cursors"}
  tags_not_compared         {rules        "an overlay is believed if its last delta row has the same number"}
  old_copies_kept           {rules        "copies of pages are kept over another connection's fold, where files are not mapped"}
  checksums_not_compared    {rules        "pages are not compared with the checksums that their parents keep"}
}

set test_dir [file dirname [file normalize [info script]]]
set root [file dirname $test_dir]
proc env_or {name default} {
  if {[info exists ::env($name)] && $::env($name) ne ""} {return $::env($name)}
  return $default
}
set build [file join $root [env_or BUILD build]]
set extension [expr {$tcl_platform(os) eq "Darwin" ? "dylib" : "so"}]

# Names in the sources and names here must be the same.
proc check_names {} {
  set there {}
  foreach file [glob -directory $::root -types f */*.c */*.h] {
    set f [open $file]
    foreach {- name} [regexp -all -inline {DEFECT\(([a-z0-9_]+)\)} [read $f]] {if {$name ne "name"} {dict set there $name 1}}
    close $f
  }
  foreach name [dict keys $there] {if {![dict exists $::defects $name]} {error "DEFECT($name) has no row in defects.tcl"}}
  foreach name [dict keys $::defects] {if {![dict exists $there $name]} {error "no source file has DEFECT($name)"}}
}

# One run of a share with a library: {failed output seconds}.
proc run_share {share library} {
  global shares test_dir
  lassign [dict get $shares $share] file environment
  set start [clock milliseconds]
  set command [list env QUIRE_LIB=$library QUIRE_TEST_QUICK= PC_MAX_FAILURES=1]
  foreach {name value} $environment {lappend command $name=$value}
  set failed [catch {exec {*}$command timeout -k 10 [env_or DEFECTS_TIMEOUT 600] [info nameofexecutable] [file join $test_dir $file] 2>@1} output]
  return [list $failed $output [expr {([clock milliseconds] - $start) / 1000.0}]]
}

# How far a failing run came, in words.
proc progress {output} {
  if {[regexp {FAILED state ([^\n]*)\n\s*([^\n]*)} $output -> where wrong]} {
    regexp {(\d+) states .*?from (\d+) workloads} $output -> states workloads
    if {![info exists states]} {return $wrong}
    if {[string match "none: while recording*" $where]} {return "while recording, workload [expr {$workloads + 1}], state $states: $wrong"}
    return "workload $workloads, state $states: $wrong"
  }
  if {[regexp {model: (\d+) steps} $output -> steps]} {set after "step $steps"}
  if {[regexp {connections: (\d+) steps} $output -> steps]} {set after "step $steps"}
  if {![info exists after]} {regexp {FAILED (\S+)} $output -> after}
  if {![info exists after]} {return "the test ended early: [string range [lindex [split $output \n] end] 0 100]"}
  regexp {got: +([^\n]*)} $output -> got
  return "$after: [expr {[info exists got] ? $got : ""}]"
}

proc hunt {name} {
  global defects build extension
  lassign [dict get $defects $name] share what
  set library [file join $build defect-$name quire.$extension]
  lassign [run_share $share $library] found output seconds
  puts [format "%-28s %-12s %5.1f s  %s" $name $share $seconds [expr {$found ? "found, [string range [progress $output] 0 150]" : "NOT FOUND: $what"}]]
  flush stdout
  return $found
}

# Workers for the hunt: this script again, for one name each.
if {[lindex $argv 0] eq "-one"} {exit [expr {[hunt [lindex $argv 1]] ? 0 : 1}]}
if {[lindex $argv 0] eq "-sound"} {
  lassign [run_share [lindex $argv 1] [file join $root [env_or QUIRE_LIB quire.$extension]]] failed output seconds
  puts [format "%-28s %-12s %5.1f s  %s" "(sound extension)" [lindex $argv 1] $seconds [expr {$failed ? "FAILS" : "passes"}]]
  if {$failed} {puts $output}
  exit $failed
}

proc start {} {
  global queue running failed passed
  while {$running < [env_or DEFECTS_JOBS 2] && $queue ne {}} {
    set queue [lassign $queue job]
    set channel [open |[list [info nameofexecutable] [info script] {*}$job 2>@1] r]
    fconfigure $channel -blocking 0
    set ::text($channel) ""
    fileevent $channel readable [list collect $channel]
    incr running
  }
  if {$running == 0} {set ::done 1}
}
proc collect {channel} {
  global running failed passed text
  append text($channel) [read $channel]
  if {![eof $channel]} return
  fconfigure $channel -blocking 1
  if {[catch {close $channel}]} {incr failed} else {incr passed}
  puts -nonewline $text($channel)
  flush stdout
  incr running -1
  start
}

check_names
set names [expr {$argv eq {} ? [dict keys $defects] : $argv}]
foreach name $names {if {![dict exists $defects $name]} {puts "no such defect: $name"; exit 2}}
set libraries [lmap name $names {format %s/defect-$name/quire.$extension [env_or BUILD build]}]
if {[catch {exec {*}[env_or MAKE make] -C $root -j2 --no-print-directory BUILD=[env_or BUILD build] {*}$libraries 2>@1} output]} {
  puts $output
  exit 2
}
set queue {}
set used {}
foreach name $names {
  set share [lindex [dict get $defects $name] 0]
  if {$share ni $used} {lappend used $share; lappend queue [list -sound $share]}
}
foreach name $names {lappend queue [list -one $name]}
set running 0
set passed 0
set failed 0
start
if {$running} {vwait done}
puts "defects: [llength $names] hunted"
puts "$passed passed, $failed failed"
exit [expr {$failed > 0}]
