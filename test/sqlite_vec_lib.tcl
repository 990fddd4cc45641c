# sqlite_vec_lib.tcl: run the statements of sqlite_vec_cases.tcl with one library, and compare answers. After tester.tcl.

source [file join $tester::test_dir sqlite_vec_cases.tcl]

# The real sqlite-vec, or "": QUIRE_SQLITE_VEC, else what `make sqlite-vec` fetched.
proc sv_library {} {
  set path [env_or QUIRE_SQLITE_VEC [file join $tester::root build sqlite-vec [library_name vec0]]]
  if {$path eq ""} {return ""}
  set path [absolute_path $path]
  if {[file exists $path]} {return $path}
  if {[env_or QUIRE_SQLITE_VEC ""] ne ""} {error "QUIRE_SQLITE_VEC names no file: $path"}
  return ""
}

# A group's statements, each a dict: sql, and where they are given: version (since), ours, reason.
proc sv_statements {text} {
  set list {}
  set sql {}
  foreach line [split $text \n] {
    set line [string trimright $line]
    if {$line eq "" && $sql eq {}} continue
    switch -regexp -- $line {
      {^-> } {set item [lindex $list end]; dict set item ours [lindex [string range $line 3 end] 0]; lset list end $item}
      {^-- } {set item [lindex $list end]; dict set item reason [string range $line 3 end]; lset list end $item}
      {^@ } {set item [lindex $list end]; dict set item version [string range $line 2 end]; lset list end $item}
      default {
        lappend sql $line
        if {![string match {*;} $line] || ![sqlite3_complete [join $sql \n]]} continue
        lappend list [dict create sql [join $sql \n]]
        set sql {}
      }
    }
  }
  if {$sql ne {}} {error "no end: $sql"}
  return $list
}
proc sqlite3_complete {sql} {
  if {![llength [info commands sv_complete]]} {sqlite3 sv_complete :memory:}
  sv_complete complete $sql
}

# The answers of one library: a dict group -> list of {0 values} or {1 message result-code}. A crash is the test's.
proc sv_answers {library} {
  set answers {}
  foreach {group text} $::cases {
    sqlite3 sv :memory:
    load_library sv $library
    set list {}
    foreach item [sv_statements $text] {
      set code [catch {sv eval [dict get $item sql]} result]
      if {$code} {lappend list [list 1 $result [sv errorcode]]} else {lappend list [list 0 $result]}
    }
    sv close
    dict set answers $group $list
  }
  return $answers
}

# Equal, numbers within float32's precision: sqlite-vec sums in float32, we in double precision.
proc sv_equal {a b} {
  if {$a eq $b} {return 1}
  if {[string is double -strict $a] && [string is double -strict $b]} {
    return [expr {abs($a - $b) <= 1e-6 * max(abs($a), abs($b)) + 2e-7}]
  }
  if {[regexp {^\[[-0-9.eE+,]*\]$} $a] && [regexp {^\[[-0-9.eE+,]*\]$} $b]} {
    set x [split [string trim $a {[]}] ,]
    set y [split [string trim $b {[]}] ,]
    if {[llength $x] != [llength $y]} {return 0}
    foreach v $x w $y {if {![sv_equal $v $w]} {return 0}}
    return 1
  }
  return 0
}
proc sv_same {a b} {
  if {[lindex $a 0] != [lindex $b 0]} {return 0}
  if {[lindex $a 0] == 1} {return [string equal $a $b]}
  set a [lindex $a 1]
  set b [lindex $b 1]
  if {[llength $a] != [llength $b]} {return 0}
  foreach v $a w $b {if {![sv_equal $v $w]} {return 0}}
  return 1
}

# The recorded answers (test/golden/sqlite_vec.tcl).
proc sv_recorded_file {} {file join $tester::test_dir golden sqlite_vec.answers.gz}
proc sv_write_answers {answers} {
  set f [open [sv_recorded_file] wb]
  puts -nonewline $f [zlib gzip [encoding convertto utf-8 $answers] -level 9]
  close $f
}
proc sv_recorded {} {
  set f [open [sv_recorded_file] rb]
  set text [encoding convertfrom utf-8 [zlib gunzip [read $f]]]
  close $f
  return $text
}
