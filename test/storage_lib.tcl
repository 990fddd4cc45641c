# storage_lib.tcl: what the tests of storage share: making databases, looking at the page file, judging a store.
#
#   sl_fresh ?journal?           an empty test.db in `db` with that journal mode; no other file
#   sl_rows TABLE FROM TO ?SALT? insert rows FROM..TO in one statement; the vector of row i is test_vector(i + SALT, dim)
#   sl_exact ?tables? ?handle?   "" or how searches differ from brute force over the rows as SQL gives them
#   sl_sound ?tables? ?handle?   the same, and the page file is in use and integrity-check finds nothing
#   sl_status, sl_counter        lines of the table `quire`
#   sl_pages, sl_changed_pages   the page file's bytes, and which pages that were in use have changed
#
# Searches that fall back to the content rows are exact as well; only sl_sound tells that the pages are right.

source [file join [file dirname [info script]] workload.tcl]

proc sl_fresh {{journal wal}} {
  foreach handle [info commands db*] {
    if {[regexp {^db\d*$} $handle]} {catch {$handle close}}
  }
  foreach f [glob -nocomplain test.db*] {file delete -force $f}
  open_db db
  db eval "PRAGMA journal_mode = $journal"
  return
}

proc sl_rows {table from to {salt 0} {dim 4} {handle db}} {
  $handle eval "WITH RECURSIVE s(i) AS (SELECT $from UNION ALL SELECT i + 1 FROM s WHERE i < $to)
    INSERT INTO $table (rowid, e) SELECT i, test_vector(i + $salt, $dim) FROM s WHERE i <= $to"
  return
}

proc sl_exact {{tables t} {handle db} {dim 4}} {
  foreach table $tables {
    if {[$handle exists {SELECT 1 FROM sqlite_schema WHERE name = $table AND sql LIKE '% quire_map(%'}]} continue ;# nothing to search
    foreach {seed k} {-1 1 -2 7 -3 40 5 1000} {
      set query [$handle onecolumn {SELECT test_vector($seed, $dim)}]
      set exact "AND exact = 1"
      if {[$handle exists {SELECT 1 FROM sqlite_schema WHERE name = $table AND sql LIKE '% sparse[%'}]} {
        set query [$handle onecolumn {SELECT vec_sparse($query)}]
        set exact "" ;# it is without
      }
      set got [$handle eval "SELECT rowid, distance FROM $table WHERE e MATCH \$query AND k = $k $exact"]
      set want [brute_force $table $query $k -handle $handle]
      if {![wl_same_neighbours $got $want]} {
        return "$table: nearest $k of $seed: {[string range $got 0 500]} instead of {[string range $want 0 500]}"
      }
    }
  }
  return
}

proc sl_sound {{tables t} {handle db} {dim 4} {quire quire}} {
  set wrong [sl_exact $tables $handle $dim]
  if {$wrong ne ""} {return $wrong}
  set status [sl_status $handle $quire]
  if {$status ne "ok"} {return "status: $status"}
  if {[catch {$handle eval "INSERT INTO $quire (quire) VALUES('integrity-check')"} message]} {return $message}
  return
}

# Both at once from a connection that remembers nothing.
proc sl_sound_anew {{tables t} {dim 4}} {
  open_db db9
  set code [catch {sl_sound $tables db9 $dim} message]
  db9 close
  if {$code} {return "error: $message"}
  return $message
}

proc sl_status {{handle db} {quire quire}} {$handle onecolumn "SELECT value FROM $quire WHERE name = 'status'"}
proc sl_counter {name {handle db} {quire quire}} {$handle onecolumn "SELECT value FROM $quire WHERE name = '$name' AND \"table\" IS NULL"}
proc sl_integrity {{handle db}} {
  set code [catch {$handle eval {INSERT INTO quire(quire) VALUES('integrity-check')}} message]
  return [list $code $message]
}

# Counters of connections that are closed on the way add up here; sl_counters_reached judges them at the end.
proc sl_note {{handle db}} {
  global sl_total
  foreach name {folds bulk_folds append_only_folds folds_given_up pages_reused overlay_loads overlay_extends times_degraded content_rows_skipped} {
    incr sl_total($name) [sl_counter $name $handle]
  }
}
proc sl_counters_reached {name counters} {
  global sl_total
  set zero {}
  set line {}
  foreach counter [lsort [array names sl_total]] {lappend line $counter=$sl_total($counter)}
  puts "$tester::file: [join $line]"
  foreach counter $counters {
    if {![info exists sl_total($counter)] || $sl_total($counter) <= 0} {lappend zero $counter}
  }
  tester::report $name [expr {$zero eq {}}] "never reached: $zero" {}
}

# --- the page file ---

proc sl_read {file} {
  set f [open $file rb]
  set bytes [read $f]
  close $f
  return $bytes
}
proc sl_write {file bytes} {
  set f [open $file wb]
  puts -nonewline $f $bytes
  close $f
}
# Change bytes in place, without a new inode.
proc sl_poke {file at bytes} {
  set f [open $file r+b]
  seek $f $at
  puts -nonewline $f $bytes
  close $f
}
proc sl_flip {file at} {
  binary scan [string index [sl_read $file] $at] cu old
  sl_poke $file $at [binary format c [expr {$old ^ 0x5a}]]
}
# Page pgno of the file gets eight bytes that differ from what it had.
proc sl_damage {pgno {file test.db-quire} {at 2048}} {
  binary scan [string range [sl_read $file] [expr {$pgno * 4096 + $at}] [expr {$pgno * 4096 + $at + 7}]] cu8 old
  set new {}
  foreach b $old {lappend new [expr {$b ^ 0xa5}]}
  sl_poke $file [expr {$pgno * 4096 + $at}] [binary format c8 $new]
}

# pages in use by the committed root: {bytes of the file, list of page numbers}
proc sl_pages {{handle db} {file test.db-quire}} {
  set count [sl_counter pages $handle]
  array unset free
  foreach {first n} [$handle eval {SELECT first, count FROM quire_free WHERE first > 0}] {
    for {set i 0} {$i < $n} {incr i} {set free([expr {$first + $i}]) 1}
  }
  set used {}
  for {set i 0} {$i < $count} {incr i} {
    if {![info exists free($i)]} {lappend used $i}
  }
  return [list [sl_read $file] $used]
}
# Those of the pages in use then that are different now.
proc sl_changed_pages {before {file test.db-quire}} {
  lassign $before bytes used
  set now [sl_read $file]
  set changed {}
  foreach pgno $used {
    set a [expr {$pgno * 4096}]
    set b [expr {$a + 4095}]
    if {[string range $bytes $a $b] ne [string range $now $a $b]} {lappend changed $pgno}
  }
  return $changed
}
# kind of a structure page (0: the head page; -: bulk or unused)
proc sl_kind {bytes pgno} {
  if {$pgno == 0} {return head}
  binary scan $bytes @[expr {$pgno * 4096 + 4}]cu kind
  binary scan $bytes @[expr {$pgno * 4096}]iu crc
  if {$kind in {1 2 3 4} && [db onecolumn {SELECT 1}] == 1} {return [lindex {- root catalog table array} $kind]}
  return bulk
}
