# coverage.tcl: what the suite reached, from lcov's tracefile: totals by directory against the goals, then every branch that was not taken.
#
#   tclsh test/coverage.tcl TRACEFILE ?REASONS?
#
# REASONS (default: test/coverage.txt) says why branches are left. Its lines, after the comments:
#
#   path function: text of the source line
#     why
#
# Text and function stay when lines move. A reason holds for all branches of such a line in that function. One that no line needs any more
# is an error, as is a directory below its goal; a branch without a reason is listed as such. Two forms are for many lines at once:
#
#   path function: *           the whole function, which was never entered: another processor's
#   ~N path function: text     regular expressions, each of the whole: a class of lines of which outcome N (as gcov counts, from 0) alone is left. What
#                              else is left of such lines, or of others, wants a reason of its own
#
# Of `if (a)` outcome 0 is true, 1 is false; of `if (a && b)` 1 is a false, 2 b true; of `if (a || b)` 1 is a true; of a loop's `a && b` 3 is b false.
# gcov counts an edge for each outcome of each operand of && and ||, of ?:, of loops and of each case. What is counted out is counted out
# in the code: ALWAYS and NEVER (wal_shim/base.h). Nothing is counted out here.

set goals {wal_shim 95 total 90}
set root [file dirname [file dirname [file normalize [info script]]]]

proc percent {part whole} {expr {$whole ? 100.0 * $part / $whole : 100.0}}

# --- the tracefile: taken(FILE) LINE -> {count count ...}, hits(FILE) LINE -> count, start(FILE) {{line name} ...} ---

proc read_trace {path} {
  global branches hits functions root
  set in [open $path]
  while {[gets $in line] >= 0} {
    switch -glob $line {
      SF:* {
        set file [string range $line 3 end]
        if {[string first $root/ $file] == 0} {set file [string range $file [string length $root/] end]}
        if {![info exists hits($file)]} {set hits($file) {}; set branches($file) {}; set functions($file) {}}
      }
      FN:* {if {[regexp {^FN:(\d+),(.*)$} $line -> n name]} {lappend functions($file) [list $n $name]}}
      BRDA:* {
        lassign [split [string range $line 5 end] ,] n block branch count
        dict lappend branches($file) $n [expr {$count eq "-" ? -1 : $count}]
      }
      DA:* {
        lassign [split [string range $line 3 end] ,] n count
        dict set hits($file) $n $count
      }
    }
  }
  close $in
  # A test may compile a function under a longer name (kernels_test.c): of names at one line the shortest counts, which is the last here.
  set longest_first {apply {{a b} {expr {[string length $b] - [string length $a]}}}}
  foreach file [array names functions] {
    set functions($file) [lsort -integer -index 0 -unique [lsort -command $longest_first $functions($file)]]
  }
}

proc function_at {file line} {
  set found -
  foreach start $::functions($file) {
    lassign $start n name
    if {$n > $line} break
    set found $name
  }
  return $found
}

proc source_lines {file} {
  set in [open [file join $::root $file]]
  set lines [split [read $in] \n]
  close $in
  return $lines
}

# --- reasons ---

proc read_reasons {path} {
  global reason classes
  array set reason {}
  set classes {}
  if {![file exists $path]} return
  set in [open $path]
  set key ""
  while {[gets $in line] >= 0} {
    if {[string match #* $line] || [string trim $line] eq ""} continue
    if {[regexp {^\s+(.*)$} $line -> why]} {
      if {$key eq ""} {error "$path: a reason without a line: $why"}
      append reason($key) [expr {$reason($key) eq "" ? "" : " "}] $why
    } elseif {[regexp {^(?:~(\d+) )?(\S+) (\S+): (.*)$} $line -> class file function text]} {
      set key [list {*}$class $file $function [string trim $text]]
      if {$class ne ""} {lappend classes $key}
      set reason($key) ""
    } else {
      error "$path: neither a line nor a reason: $line"
    }
  }
  close $in
}

# The key of the reason for a line, or "".
proc reason_of {file function text counts entered} {
  global reason classes
  set key [list $file $function $text]
  if {[info exists reason($key)]} {return $key}
  if {!$entered && [info exists reason([list $file $function *])]} {return [list $file $function *]}
  set left [lsearch -all -regexp $counts {^(0|-1)$}]
  foreach class $classes {
    lassign $class outcome path name line
    if {$left eq $outcome && [regexp ^(?:$path)$ $file] && [regexp ^(?:$name)$ $function] && [regexp ^(?:$line)$ $text]} {return $class}
  }
  return
}

# --- report ---

lassign $argv trace reasons
if {$reasons eq ""} {set reasons [file join $root test coverage.txt]}
read_trace $trace
read_reasons $reasons

set table {}
foreach file [lsort [array names hits]] {
  set directory [file dirname $file]
  set lines [dict values $hits($file)]
  set counts [concat {*}[dict values $branches($file)]]
  set row [list [llength $lines] [llength [lsearch -all -not -exact $lines 0]] \
    [llength $counts] [llength [lsearch -all -not -integer -regexp $counts {^(0|-1)$}]]]
  lappend table [list $file {*}$row]
  foreach name [list $directory total] {
    if {![info exists sum($name)]} {set sum($name) {0 0 0 0}}
    set sum($name) [lmap a $sum($name) b $row {expr {$a + $b}}]
  }
}

puts [format "%-28s %8s %8s   %8s %8s %8s" file lines reached branches taken left]
foreach row [concat $table [lmap name [lsort [array names sum]] {list $name {*}$sum($name)}]] {
  lassign $row name lines reached all taken
  if {$name eq "ext"} {puts ""}
  puts [format "%-28s %8d %7.1f%%   %8d %7.1f%% %8d" $name $lines [percent $reached $lines] $all [percent $taken $all] [expr {$all - $taken}]]
}

set unexplained 0
set explained 0
puts "\nBranches not taken: of a line, how many of how many; * never reached at all; ? without a reason"
foreach file [lsort [array names branches]] {
  set source [source_lines $file]
  foreach n [lsort -integer [dict keys $branches($file)]] {
    set counts [dict get $branches($file) $n]
    set left [llength [lsearch -all -regexp $counts {^(0|-1)$}]]
    if {!$left} continue
    set text [string trim [lindex $source $n-1]]
    set function [function_at $file $n]
    set never [expr {[llength [lsearch -all -exact $counts -1]] == [llength $counts]}]
    set key [reason_of $file $function $text $counts [expr {!$never}]]
    set known [expr {$key ne ""}]
    if {$known} {set used($key) 1; incr explained $left} else {incr unexplained $left}
    set mark [expr {$known ? " " : "?"}][expr {$never ? "*" : " "}]
    puts "$mark $file:$n $function: $left of [llength $counts]: $text"
    if {$known} {puts "     $reason($key)"}
  }
}

set failed 0
puts "\n$explained branches left with a reason, $unexplained without"
foreach key [lsort [array names reason]] {
  if {![info exists used($key)] && [lindex $key end] ne "*"} {puts "not needed any more: [lrange $key 0 end-1]: [lindex $key end]"; set failed 1}
}
foreach {name goal} $goals {
  if {![info exists sum($name)]} continue
  lassign $sum($name) - - all taken
  set share [percent $taken $all]
  set ok [expr {$share >= $goal}]
  if {!$ok} {set failed 1}
  puts [format "%s: %.1f %% of branches, goal %d %%: %s" $name $share $goal [expr {$ok ? "reached" : "not reached"}]]
}
exit $failed
