# run.tcl: run the test files, each in a process of its own, two at a time.
#
#   tclsh test/run.tcl ?file or pattern ...?
#
# Arguments are names of test files, with or without .test, or glob patterns; none means all. The word `quick` sets
# QUIRE_TEST_QUICK. A file fails if a test of it fails, if it ends without its summary line (crash, sanitizer, error)
# or if it takes longer than QUIRE_TEST_TIMEOUT seconds (default 900).
# QUIRE_TEST_JOBS: how many at a time. QUIRE_TEST_PRELOAD: LD_PRELOAD for the test processes only.
# The last line is `N passed, N failed`; the exit code is 0 if nothing failed.

set test_dir [file dirname [file normalize [info script]]]

proc env_or {name default} {
  if {[info exists ::env($name)] && $::env($name) ne ""} {return $::env($name)}
  return $default
}

# These take longest, in this order. They start first, else one of them may be left alone at the end.
set long {faults permutations recall corrupt powercut hnsw storage_rules model pages connections home space rowmap demo}

proc in_order {files} {
  set first {}
  foreach name $::long {
    foreach file [lsearch -all -inline $files */$name.test] {lappend first $file}
  }
  return [concat $first [lmap file $files {expr {$file in $first ? [continue] : $file}}]]
}

proc select_files {patterns} {
  set all [lsort [glob -nocomplain -directory $::test_dir *.test]]
  if {$patterns eq {}} {return $all}
  set chosen {}
  foreach pattern $patterns {
    set pattern [regsub {\.test$} [file tail $pattern] {}]
    set found 0
    foreach file $all {
      if {[string match $pattern [file rootname [file tail $file]]]} {
        if {$file ni $chosen} {lappend chosen $file}
        incr found
      }
    }
    if {!$found} {puts "no test file matches '$pattern'"; set ::failed 1}
  }
  return $chosen
}

proc start {file} {
  global output started tclsh env
  set command [list $tclsh $file]
  if {[env_or QUIRE_TEST_PRELOAD ""] ne ""} {
    set command [list env LD_PRELOAD=$env(QUIRE_TEST_PRELOAD) {*}$command]
  }
  set command [list timeout -k 10 [env_or QUIRE_TEST_TIMEOUT 900] {*}$command]
  set channel [open |[list {*}$command < /dev/null 2>@1] r]
  fconfigure $channel -blocking 0 -translation lf -encoding iso8859-1
  set output($channel) ""
  set started($channel) [clock milliseconds]
  incr ::running
  fileevent $channel readable [list collect $file $channel]
}

proc collect {file channel} {
  global output started
  append output($channel) [read $channel]
  if {![eof $channel]} return
  fconfigure $channel -blocking 1
  set status 0
  if {[catch {close $channel} message options]} {
    set status $message
    set code [dict get $options -errorcode]
    if {[lindex $code 0] eq "CHILDSTATUS"} {set status "exit code [lindex $code 2]"}
  }
  finished $file $output($channel) $status [expr {([clock milliseconds] - $started($channel)) / 1000.0}]
  unset output($channel) started($channel)
  incr ::running -1
  next
}

proc finished {file text status seconds} {
  global passed failed failed_files
  set name [file tail $file]
  set summary [regexp -all -inline -line {^\S+: (\d+) passed, (\d+) failed$} $text]
  if {[llength $summary] == 3 && ($status eq "0" || [lindex $summary 2] > 0)} {
    incr passed [lindex $summary 1]
    incr failed [lindex $summary 2]
    set bad [expr {[lindex $summary 2] > 0}]
  } else {
    incr failed
    set bad 1
    append text "$name: no summary, $status\n"
  }
  if {$bad} {
    lappend failed_files $name
    if {[string length $text] > 20000} {
      set text "[string range $text 0 10000]\n...\n[string range $text end-10000 end]"
    }
    puts "--- $name"
  }
  puts -nonewline [expr {$bad ? $text : [regsub {\n$} $text ""]}]
  puts [format { (%.1f s)} $seconds]
  flush stdout
}

proc next {} {
  global queue running jobs done
  while {$running < $jobs && $queue ne {}} {
    set queue [lassign $queue file]
    start $file
  }
  if {$running == 0} {set done 1}
}

set passed 0
set failed 0
set failed_files {}
set running 0
set jobs [env_or QUIRE_TEST_JOBS 2]
set tclsh [info nameofexecutable]
set patterns {}
foreach word $argv {
  if {$word eq "quick"} {set env(QUIRE_TEST_QUICK) 1} else {lappend patterns $word}
}
set env(TMPDIR) [exec mktemp -d [file join [env_or TMPDIR /tmp] quire-run-XXXXXX]]
file attributes $env(TMPDIR) -permissions 0755 ;# missing_file.test opens files in it as another user
set queue [in_order [select_files $patterns]]
next
if {!([info exists done])} {vwait done}
catch {exec chmod -R u+rwX $env(TMPDIR)}
file delete -force $env(TMPDIR)
if {$failed_files ne {}} {puts "failed: $failed_files"}
puts "$passed passed, $failed failed"
exit [expr {$failed || $passed == 0}]
