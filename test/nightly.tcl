# nightly.tcl: the long share of all test programmes, scaled to a budget.
#
#   tclsh test/nightly.tcl MINUTES      (make nightly BUDGET=minutes)
#
# A programme is a row of the table below. Programmes with a weight go first with a chunk each, so that all have had a turn however short the
# budget; then those that run once; then the weights share the rest of the time, in chunks of about a minute with new seeds each, two at a time.
# RELIABILITY's nightly counts are the goals; the summary says which share of them this run has reached, so that runs add up. A chunk that fails
# prints the command that repeats it, and its output is kept.
#
#   NIGHTLY_SEED   the first seed (default: from the clock; printed)
#   NIGHTLY_ONLY   names of programmes: only those
#   NIGHTLY_JOBS   chunks at a time (default 2)
#
# $BUILD/nightly/summary.jsonl has a JSON object a line: {"run"} first, a {"chunk"} for each chunk as it ends, at the end {"programme"} for
# each programme and {"total"}. The last line printed is `N passed, N failed`, of chunks.

# name {weight minutes needs command counts}
#   weight   share of the time; 0: once, if the budget has at least so many `minutes`
#   needs    a file, or make:TARGET; without it the programme is left out, and the summary says so
#   command  NAME=value words first. %n: the size of a chunk, which starts at the number after it and is fitted to a minute; %seed: a new seed
#   counts   unit goal pattern, repeated: what the output says was done; without a pattern it is %n; no counts: `passed`
set programmes {
  power-cut    {30 0 test/powercut.test {PC_SEED=%seed PC_STATES=%n900 tclsh test/powercut.test}
                {states 1000000 {power cut: (\d+) states} nested 200000 {states \((\d+) nested\)} order-checked-roots 0 {(\d+) roots whose}}}
  kills        {12 0 test/processes.test {PROCESSES_PARTS=kills PROCESSES_SEED=%seed PROCESSES_KILLS=%n40 tclsh test/processes.test}
                {kills 50000 {kills: (\d+) kills} acknowledged 0 {kills, (\d+) acknowledged}}}
  concurrency  {8 0 test/processes.test {PROCESSES_PARTS=readers PROCESSES_SECONDS=%n10 tclsh test/processes.test}
                {seconds 3600 {} snapshots 0 {readers: (\d+) snapshots}}}
  malloc       {12 0 test/faults.test {FAULTS_KINDS=malloc FAULTS_PLACES=1 FAULTS_SEED=%seed FAULTS_MAX=%n30 tclsh test/faults.test}
                {injections 100000 {faults: (\d+) injections}}}
  io           {10 0 test/faults.test {FAULTS_KINDS=io FAULTS_SEED=%seed FAULTS_MAX=%n10 tclsh test/faults.test}
                {injections 100000 {faults: (\d+) injections}}}
  model        {14 0 test/model.test {MODEL_SEED=%seed MODEL_SEEDS=%n5 tclsh test/model.test}
                {operations 20000000 {model: (\d+) steps}}}
  connections  {10 0 test/connections.test {CONNECTIONS_SEED=%seed CONNECTIONS_PROGRAMS=%n40 tclsh test/connections.test}
                {operations 1000000 {connections: (\d+) steps}}}
  corruption   {8 0 test/corrupt.test {CORRUPT_SEED=%seed CORRUPT_PERMILLE=%n2 tclsh test/corrupt.test}
                {permille 1000 {} cases 0 {corrupt: (\d+) cases}}}
  fuzz         {10 0 make:fuzz {make fuzz FUZZ_SECONDS=%n20} {seconds 3600 {}}}
  defects      {0 20 test/defects.tcl {make defects} {}}
  defensive    {0 20 test/run.tcl {QUIRE_TEST_DEFENSIVE=1 QUIRE_TEST_UNTRUSTED=1 make test TESTS=quick} {}}
  rollback     {0 20 test/run.tcl {QUIRE_TEST_JOURNAL=delete QUIRE_TEST_ENCODING=UTF-16le make test TESTS=quick} {}}
  sanitizers   {0 30 make:asan {QUIRE_TEST_SANITIZED=all make asan TESTS=quick} {}}
  recall       {0 20 test/recall.test {RECALL_ONE_IN=1 tclsh test/recall.test} {}}
  tsan         {0 30 make:tsan {make tsan} {}}
  valgrind     {0 60 make:valgrind {make valgrind} {}}
  builds       {0 60 make:builds {make builds} {}}
  coverage     {0 90 make:coverage {make coverage} {}}
}

set root [file dirname [file dirname [file normalize [info script]]]]
cd $root
proc env_or {name default} {
  if {[info exists ::env($name)] && $::env($name) ne ""} {return $::env($name)}
  return $default
}
set dir [file join $root [env_or BUILD build] nightly]
file mkdir $dir
set json [open [file join $dir summary.jsonl] w]
set chunk_seconds 60

# --- output ---

proc quote {text} {
  set out ""
  foreach c [split $text ""] {
    scan $c %c code
    append out [expr {$c in {\" \\} ? "\\$c" : $code < 32 || $code > 126 ? [format \\u%04x $code] : $c}]
  }
  return "\"$out\""
}
# {name value ...} as a JSON object; numbers stay numbers, objects objects.
proc object {pairs} {
  set out {}
  foreach {name value} $pairs {
    if {![string is double -strict $value] && [string index $value 0] ne "\u007b"} {set value [quote $value]}
    lappend out "[quote $name]: $value"
  }
  return "\u007b[join $out {, }]\u007d"
}
proc emit {kind pairs} {
  puts $::json [object [list kind $kind {*}$pairs]]
  flush $::json
}

# --- programmes ---

proc target_exists {name} {
  set f [open Makefile]
  set found [regexp -line "^$name:" [read $f]]
  close $f
  return $found
}
proc available {needs} {
  if {[string match make:* $needs]} {return [target_exists [string range $needs 5 end]]}
  return [file exists $needs]
}

proc add_programme {name row} {
  global p names missing minutes
  lassign $row weight least needs command counts
  if {![available $needs]} {lappend missing "$name (no $needs)"; return}
  if {$weight == 0 && $minutes < $least} {lappend missing "$name (from $least minutes on)"; return}
  lappend names $name
  set p($name,weight) $weight
  set p($name,command) $command
  set p($name,counts) $counts
  set p($name,size) [expr {[regexp {%n(\d+)} $command -> n] ? $n : 1}]
  foreach what {seconds chunks failed passed running} {set p($name,$what) 0}
  set p($name,seeds) {}
  foreach {unit goal pattern} $counts {set p($name,done,$unit) 0}
}

# Seeds of chunks are far enough apart that programmes which count up from theirs do not meet.
proc next_seed {} {
  global seed
  incr seed 10000
  return $seed
}

# --- chunks ---

proc time_left {} {expr {($::deadline - [clock milliseconds]) / 1000.0}}

# What is to run next: a programme that has had no turn, else the one that has had the least of its share. "" if the time is up.
proc choose {} {
  global p names
  foreach name $names {
    if {!$p($name,chunks) && !$p($name,running)} {return $name}
  }
  if {[time_left] < 10} return
  set best ""
  foreach name $names {
    if {$p($name,weight) == 0} continue
    if {$p($name,running) && [string match "make *" $p($name,command)]} continue ;# two of them would build in one folder
    set had [expr {($p($name,seconds) + $p($name,running) * $::chunk_seconds) / double($p($name,weight))}]
    if {$best eq "" || $had < $least} {set best $name; set least $had}
  }
  return $best
}

proc start_chunk {name} {
  global p chunk running dir deadline
  set size $p($name,size)
  set chunk_seed [next_seed]
  set command [regsub -all {%n\d+} [string map [list %seed $chunk_seed] $p($name,command)] $size]
  set words [lmap word $command {expr {$word eq "tclsh" ? [info nameofexecutable] : $word}}]
  if {$p($name,weight)} {set words [list timeout -k 10 [expr {int(max([time_left], 30) + 300)}] env {*}$words]} else {set words [list env {*}$words]}
  set channel [open |[list {*}$words < /dev/null 2>@1] r]
  fconfigure $channel -blocking 0 -encoding iso8859-1
  set chunk($channel) [list $name $chunk_seed $size $command [clock milliseconds]]
  set chunk($channel,text) ""
  incr p($name,running)
  incr running
  fileevent $channel readable [list collect $channel]
}

proc collect {channel} {
  global chunk running
  append chunk($channel,text) [read $channel]
  if {![eof $channel]} return
  fconfigure $channel -blocking 1
  set failed [catch {close $channel}]
  end_chunk {*}$chunk($channel) $chunk($channel,text) $failed
  unset chunk($channel) chunk($channel,text)
  incr running -1
  fill
}

proc end_chunk {name seed size command start text failed} {
  global p dir
  set seconds [expr {([clock milliseconds] - $start) / 1000.0}]
  set log ""
  if {$failed} {
    set log [file join $dir $name.$seed.log]
    set f [open $log w]
    puts -nonewline $f $text
    close $f
  }
  set done {}
  foreach {unit goal pattern} $p($name,counts) {
    set n [expr {$pattern eq "" ? $size : 0}]
    if {$pattern ne ""} {regexp $pattern $text -> n}
    incr p($name,done,$unit) $n
    lappend done $unit $n
  }
  if {[regexp {.*\m(\d+) passed, (\d+) failed} $text -> passed]} {incr p($name,passed) $passed; lappend done passed $passed}
  incr p($name,running) -1
  incr p($name,chunks)
  incr p($name,failed) $failed
  set p($name,seconds) [expr {$p($name,seconds) + $seconds}]
  lappend p($name,seeds) $seed
  emit chunk [list programme $name seed $seed size $size seconds [format %.1f $seconds] failed $failed counts [object $done] command $command log $log]
  if {$failed} {
    puts "FAILED $name: $command"
    set repeat [lindex [regexp -all -inline -line {repeat: .*$} $text] 0]
    puts "  [expr {$repeat ne "" ? $repeat : "repeat: $command"}]"
    puts "  output: $log"
  } else {
    puts [format "%7.0f s left  %-12s %6.1f s  %s" [time_left] $name $seconds $done]
  }
  flush stdout
  # Fit the next chunk to a minute, or to what is left.
  set want [expr {min($::chunk_seconds, max(5, [time_left]))}]
  set p($name,size) [expr {max(1, int($size * min(8.0, $want / max(0.5, $seconds))))}]
}

proc fill {} {
  global running jobs over
  while {$running < $jobs} {
    set name [choose]
    if {$name eq ""} break
    start_chunk $name
  }
  if {$running == 0} {set over 1}
}

# --- the run ---

set minutes [lindex $argv 0]
if {![string is double -strict $minutes]} {puts "usage: nightly.tcl MINUTES"; exit 2}
set seed [env_or NIGHTLY_SEED [expr {[clock seconds] % 100000 * 1000}]]
set jobs [env_or NIGHTLY_JOBS 2]
set names {}
set missing {}
set running 0
foreach {name row} $programmes {
  if {$name in [env_or NIGHTLY_ONLY [dict keys $programmes]]} {add_programme $name $row}
}
set commit "unknown"
catch {set commit [exec git describe --always --dirty]}
set begin [clock milliseconds]
set deadline [expr {$begin + int($minutes * 60000)}]
set sqlite [exec [info nameofexecutable] << {package require sqlite3; sqlite3 db :memory:; puts [db onecolumn {SELECT sqlite_version()}]}]
emit run [list commit $commit sqlite $sqlite minutes $minutes seed $seed]
puts "nightly: $minutes minutes, commit $commit, SQLite $sqlite, seed $seed, [llength $names] programmes"
fill
if {$running} {vwait over}

puts ""
puts [format "%-12s %8s %7s %7s  %s" programme seconds chunks failed "done (share of the nightly goal)"]
set chunks 0
set failed 0
foreach name $names {
  set shares {}
  set pairs {}
  foreach {unit goal pattern} $p($name,counts) {
    set n $p($name,done,$unit)
    lappend shares "$n $unit[expr {$goal ? [format { (%.2f %%)} [expr {100.0 * $n / $goal}]] : {}}]"
    lappend pairs $unit $n
    if {$goal} {lappend pairs ${unit}_goal $goal}
  }
  if {$p($name,counts) eq {}} {lappend shares "$p($name,passed) passed"}
  lappend pairs passed $p($name,passed)
  puts [format "%-12s %8.0f %7d %7d  %s; seeds %s to %s" $name $p($name,seconds) $p($name,chunks) $p($name,failed) [join $shares {, }] \
    [lindex $p($name,seeds) 0] [lindex $p($name,seeds) end]]
  emit programme [list programme $name seconds [format %.1f $p($name,seconds)] chunks $p($name,chunks) failed $p($name,failed) \
    first_seed [lindex $p($name,seeds) 0] last_seed [lindex $p($name,seeds) end] counts [object $pairs]]
  incr chunks $p($name,chunks)
  incr failed $p($name,failed)
}
foreach name $missing {puts "left out: $name"}
set seconds [expr {([clock milliseconds] - $begin) / 1000.0}]
emit total [list seconds [format %.1f $seconds] chunks $chunks failed $failed left_out [join $missing {, }]]
close $json
puts [format "%.0f s; [file join $dir summary.jsonl]" $seconds]
puts "[expr {$chunks - $failed}] passed, $failed failed"
exit [expr {$failed || $chunks == 0}]
