# powercut_lib.tcl: workloads over the VFS "powercut", and the check of every state that a cut may leave.
#
# The subject is two quire tables and their mirror, an ordinary table m(tab, id, e, a) in the same database, changed by
# the same transactions; the ordinary table live(tab) says which quire tables exist. SQLite keeps m right by itself, so that
#
#   V1  m and live are those of one commit, not older than what the settings promise, not newer than the last attempted;
#   V2  each table in live holds exactly its rows of m, no other quire table exists;
#   V3  searches give what brute force over m gives;
#   V4  PRAGMA integrity_check and 'integrity-check' of all tables find nothing, no page is lost; the page file is in use, not given up;
#   V5  one more commit works, and is there after another open;
#   V6  the order checker (order.c) finds no breach in the log of the workload.
#
# The pages are in a file, in rows of the database, or move between the two: by seed, or as PC_HOMES says.
# With wl(quire) 0 the subject is m alone: that tests SQLite, and so this VFS.
#
# Numbers: commit n is marked `attempt n` before and `ack n` after; pc(digest,n) is its content. Commit 0: no schema.
# Everything follows from a configuration, a seed and a number of commits: run_seed. Start there.

source [file join [file dirname [info script]] workload.tcl]

# --- configurations: journal mode, synchronous, sector, rule for what must survive (pc_low) ---

# name {journal synchronous sector rule options}
set pc_configs {
  wal-normal    {wal NORMAL 512 {sync *-wal} {}}
  wal-full      {wal FULL 512 last {}}
  wal-full-4k   {wal FULL 4096 last {}}
  delete-full   {delete FULL 512 dirsync {}}
  delete-extra  {delete EXTRA 512 last {}}
  truncate-full {truncate FULL 4096 last {}}
  persist-full  {persist FULL 512 last {}}
  switching     {wal FULL 512 none {switch 1}}
  sync-fails    {wal FULL 512 last {io_faults 1}}
}
# Not part of the promise; controls of the self-test.
set pc_controls {
  wal-off       {wal OFF 512 last {}}
  delete-off    {delete OFF 512 last {}}
  wal-normal-strict {wal NORMAL 512 last {}}
  delete-full-strict {delete FULL 512 last {}}
}

proc pc_init {} {
  catch {ctl close}
  sqlite3 ctl :memory:
  load_library ctl [testvfs_lib]
}
proc pc_ {call args} {
  set marks {}
  foreach i [lrange {a b c d e f} 0 [expr {[llength $args] - 1}]] v $args {
    set $i $v
    lappend marks :$i
  }
  ctl onecolumn "SELECT pc_${call}([join $marks ,])"
}

proc pc_open {handle} {
  global pc wl
  catch {$handle close}
  sqlite3 $handle test.db -vfs powercut
  load_library $handle [testfuncs_lib]
  if {$wl(quire)} {load_library $handle [quire_lib]}
  $handle timeout 0
}

proc pc_pragmas {handle} {
  global pc wl
  $handle eval "PRAGMA synchronous = $pc(sync)"
  $handle eval "PRAGMA wal_autocheckpoint = $pc(checkpoint)"
  $handle eval "PRAGMA cache_size = $pc(cache)"
  # TRUNCATE and PERSIST are not remembered by the file.
  if {!$pc(switch) && $pc(journal) ne "wal"} {$handle eval "PRAGMA journal_mode = $pc(journal)"}
}

# --- the workload ---

# Changes with savepoints among them, some rolled back; a savepoint opened before the tables are touched, too.
proc pc_body {depth} {
  set steps [expr {1 + [wl_rand 4]}]
  for {set i 0} {$i < $steps} {incr i} {
    set r [wl_rand 100]
    if {$r < 20 && $depth < 3} {
      set name s$depth
      db eval "SAVEPOINT $name"
      pc_body [expr {$depth + 1}]
      if {[wl_chance 45]} {
        db eval "ROLLBACK TO $name"
        if {[wl_chance 50]} {pc_body [expr {$depth + 1}]}
      }
      db eval "RELEASE $name"
    } elseif {$r < 28} {
      wl_ddl
    } elseif {$r < 38} {
      wl_command
    } else {
      wl_change
    }
  }
}

# 0 if an I/O fault ended the transaction; any other error is a finding.
proc pc_try_body {depth} {
  if {![catch {pc_body $depth} message options]} {return 1}
  if {!$::pc(io_faults) || ![regexp {disk I/O|full|locked} $message]} {return -options $options $message}
  catch {db eval ROLLBACK}
  return 0
}

proc pc_attempt {} {
  global pc wl
  incr pc(n)
  set pc(digest,$pc(n)) [wl_digest db]
  set pc(attempt_op) [pc_ ops]
  pc_ mark attempt $pc(n)
}

# End the transaction. BUSY leaves it open and is tried again once the reader is gone.
proc pc_commit {sql} {
  global pc wl
  pc_attempt
  set code [catch {db eval $sql} message]
  if {$code && [string match *locked* $message]} {
    incr pc(busy)
    pc_release_reader
    if {[wl_chance 40] && ![pc_try_body 1]} return
    pc_attempt
    unset -nocomplain pc(digest,[expr {$pc(n) - 1}])
    set code [catch {db eval $sql} message]
  }
  if {$code} {
    if {!$pc(io_faults)} {error "commit failed: $message"}
    incr pc(failed_commits)
    catch {db eval ROLLBACK}
  } else {
    pc_ mark ack $pc(n)
    incr pc(commits)
    pc_note_root
  }
}

# Tell the order checker which pages the commit needs, if they are others than before.
proc pc_note_root {} {
  global pc wl
  if {!$wl(quire)} return
  if {[pc_ check_writes $pc(attempt_op) [pc_ ops] *-quire 0 [expr {1 << 50}]]} {incr pc(folds)}
  if {![db exists {SELECT 1 FROM sqlite_schema WHERE name = 'quire_state'}]} return
  lassign [db eval {SELECT gen, pages, owner FROM quire_state}] gen pages owner
  if {$gen eq $pc(gen)} return
  set pc(gen) $gen
  if {$owner} { ;# its pages are rows, which SQLite puts in order
    incr pc(inline_roots)
    return
  }
  incr pc(roots)
  pc_ root $pc(n) $pages [db eval {SELECT first, count FROM quire_free WHERE first > 0}]
}

# V6. Where the rule is none, what holds for the mode just switched to is not known: then only the newest commit and readers count.
proc pc_check_order {} {
  global pc
  set rule [expr {$pc(rule) eq "none" ? "last" : $pc(rule)}]
  set breach [pc_ check_order *-quire [lindex $rule 0] [lindex $rule 1]]
  if {$breach ne ""} {error "order: $breach"}
}

proc pc_transaction {} {
  switch [wl_pick {begin begin immediate savepoint savepoint}] {
    begin {db eval BEGIN; set end COMMIT}
    immediate {db eval {BEGIN IMMEDIATE}; set end COMMIT}
    savepoint {db eval {SAVEPOINT outer_one}; set end {RELEASE outer_one}}
  }
  if {![pc_try_body 0]} return
  if {[wl_chance 15]} {
    if {$end ne "COMMIT"} {
      # ROLLBACK TO of the savepoint that is the transaction: it goes on.
      db eval {ROLLBACK TO outer_one}
      if {![pc_try_body 1]} return
    } else {
      db eval ROLLBACK
      return
    }
  }
  pc_commit $end
}

# A second connection that holds its snapshot while the first goes on, and must see it unchanged.
proc pc_hold_reader {} {
  global pc wl
  if {$pc(reader)} return
  pc_open db2
  db2 eval {BEGIN; SELECT count(*) FROM m}
  set pc(reader) 1
  set pc(reader_digest) [wl_digest db2]
  pc_ mark hold [pc_ last ack [pc_ ops]]
}
proc pc_release_reader {} {
  global pc wl
  if {!$pc(reader)} return
  set pc(reader) 0
  if {[wl_digest db2] ne $pc(reader_digest)} {error "the reader's snapshot moved"}
  set wrong [wl_compare db2]
  pc_ mark release 0
  db2 eval COMMIT
  pc_count db2
  db2 close
  if {$wrong ne ""} {error "reader in an old snapshot: $wrong"}
  incr pc(readers)
}

proc pc_other_event {} {
  global pc wl
  switch [wl_pick "vacuum checkpoint checkpoint checkpoint reopen reader reader [expr {$pc(switch) ? {switch switch switch} : {}}]"] {
    vacuum {
      pc_release_reader
      if {![catch {db eval VACUUM} message options]} {
        incr pc(vacuums)
      } elseif {!$pc(io_faults) || ![regexp {disk I/O} $message]} {
        return -options $options $message
      }
    }
    checkpoint {catch {db eval "PRAGMA wal_checkpoint([wl_pick {PASSIVE FULL RESTART TRUNCATE}])"}}
    reopen {
      if {[wl_chance 50]} pc_release_reader
      pc_count db
      db close
      pc_open db
      pc_pragmas db
    }
    reader pc_hold_reader
    switch {
      pc_release_reader
      db eval "PRAGMA journal_mode = [wl_pick {wal wal delete truncate persist}]"
      incr pc(switches)
    }
  }
}

# Record a workload: fills pc(digest,*) and the log.
proc pc_record {config seed commits} {
  global pc wl
  set all [concat $::pc_configs $::pc_controls]
  lassign [dict get $all $config] pc(journal) pc(sync) sector pc(rule) options
  wl_start [expr {$seed * 64 + [lsearch -exact [dict keys $all] $config]}]
  array unset pc digest,*
  array set pc {switch 0 reader 0 n 0 digest,0 empty io_faults 0 gen {}}
  array set pc $options
  foreach handle {db db2} {catch {$handle close}}
  pc_ config sector $sector
  pc_ config psow [expr {$sector == 512}]
  pc_ fault_off
  pc_ reset
  pc_ seed [expr {$seed + 1}]
  set pc(checkpoint) [wl_pick {8 30 1000}]
  # Not so small in WAL mode that pages are spilled: SQLite 3.40.1 loses commits by it, without Quire. When a savepoint is rolled back
  # to before the first frame that was overwritten, the frames appended next keep no checksum (Wal.iReCksum stays
  # behind the end of the log), and recovery ends at them.
  set pc(cache) [expr {$pc(journal) eq "wal" ? -8000 : [wl_pick {-2000 -2000 10}]}]
  pc_open db
  pc_pragmas db
  db eval "PRAGMA journal_mode = $pc(journal)"
  db eval BEGIN
  wl_schema [env_or PC_HOMES [wl_pick {file inline {file inline}}]]
  if {[wl_chance 70]} wl_create
  pc_commit COMMIT
  while {$pc(n) < $commits} {
    if {[wl_chance 30]} pc_other_event
    if {$pc(io_faults) && [wl_chance 25]} {pc_ fault sync [expr {1 + [wl_rand 2]}] 0 [wl_pick {*-quire *-quire *-wal}]}
    if {$pc(reader) && [wl_chance 25]} pc_release_reader
    pc_transaction
  }
  pc_release_reader
  pc_ fault_off
  pc_count db
  db close
  pc_check_order
}

# Where faults are injected, looking may fail as well.
proc pc_count {handle} {
  if {[catch {wl_count $handle} message options] && !$::pc(io_faults)} {return -options $options $message}
}

# --- verification ---

# The state of the files now must be a commit in [low, high]. Gives "" or what is wrong. With `write`, V5 too.
proc pc_verify {low high write} {
  set code [catch {pc_verify_open $low $high $write} message options]
  catch {wl_count db after_}
  catch {db close}
  if {$code} {return "error: $message ([string range [lindex [split [dict get $options -errorinfo] \n] 2] 0 200])"}
  return $message
}

proc pc_verify_open {low high write} {
  global pc wl
  pc_open db
  set check [db eval {PRAGMA integrity_check}]
  if {$check ne "ok"} {return "integrity_check: [string range $check 0 300]"}
  set digest [wl_digest db]
  set found -1
  for {set n $high} {$n >= 0 && $n >= $low} {incr n -1} {
    if {[info exists pc(digest,$n)] && $pc(digest,$n) eq $digest} {
      set found $n
      break
    }
  }
  if {$found < 0} {
    foreach {key value} [array get pc digest,*] {
      if {$value eq $digest} {return "state is commit [string range $key 7 end], allowed $low to $high"}
    }
    return "state is no commit: {$digest}, allowed $low to $high"
  }
  if {$digest eq "empty"} {return}
  set wrong [pc_soundness]
  if {$wrong ne ""} {return $wrong}
  if {!$write} {return}
  return [pc_write_more]
}

# V2 to V4 of the open database.
proc pc_soundness {} {
  global pc wl
  set wrong [wl_compare db]
  if {$wrong ne "" || !$wl(quire)} {return $wrong}
  if {[wl_tables] ne ""} {db eval {INSERT INTO quire(quire) VALUES('integrity-check')}}
  return
}

# V5: one commit that folds, another open.
proc pc_write_more {} {
  global pc wl
  db eval BEGIN
  foreach tab [wl_tables] {
    wl_pair "INSERT INTO [wl_target $tab] (rowid, e, a) VALUES(777777, test_vector(77, 4), 7)" \
      {INSERT INTO m VALUES(:tab, 777777, test_vector(77, 4), 7)} [list tab $tab]
    if {$wl(quire)} {db eval "INSERT INTO $tab ($tab) VALUES('fold')"}
  }
  if {[wl_tables] eq ""} {db eval {INSERT INTO m VALUES('none', 777777, x'', 7)}}
  set digest [wl_digest db]
  db eval COMMIT
  set wrong [pc_soundness]
  if {$wrong ne ""} {return "after one more commit: $wrong"}
  wl_count db after_
  pc_open db
  if {[wl_digest db] ne $digest} {return "after one more commit and open: other content"}
  set wrong [pc_soundness]
  if {$wrong ne ""} {return "after one more commit and open: $wrong"}
  return
}

# --- cuts ---

proc pc_choice {k} {
  set pending [pc_ pending $k]
  if {$pending == 0} {return {none 0}}
  if {$pending <= 6 && [wl_chance 60]} {return [list mask [wl_rand [expr {1 << $pending}]]]}
  set mode [wl_pick {none all but only torn torn random random random}]
  switch $mode {
    none - all {return [list $mode 0]}
    random {return [list random [wl_rand 1000000]]}
    default {return [list $mode [wl_rand $pending]]}
  }
}

# The commits allowed at a cut at k: {low high}.
proc pc_allowed {k} {
  global pc wl
  set high [pc_ last attempt $k]
  set low [pc_ low ack $k {*}$pc(rule)]
  return [list [expr {max($low, 0)}] [expr {max($high, 0)}]]
}

proc pc_failed {where wrong} {
  global pc wl
  incr pc(failures)
  if {$pc(failures) <= 5 && !$pc(quiet)} {
    puts "FAILED state $where"
    puts "  $wrong"
    puts "  repeat: PC_CONFIGS=$pc(config) PC_SEED=$pc(seed) PC_SEEDS=1 PC_COMMITS=$pc(goal) PC_STATES=$pc(per_seed)\
 PC_QUIRE=$wl(quire) tclsh test/$tester::file"
    flush stdout
  }
}

# A cut during the first open after a cut: record the recovery, cut it too.
proc pc_nested {where low high} {
  global pc wl
  pc_ push
  set code [catch {
    pc_open db
    wl_digest db
    if {[wl_digest db] ne "empty"} {wl_compare db}
  } message]
  catch {db close}
  set ops [pc_ ops]
  for {set i 0} {$i < 3 && $ops > 0} {incr i} {
    set k [expr {1 + [wl_rand $ops]}]
    lassign [pc_choice $k] mode arg
    set words [pc_ restore $k $mode $arg]
    incr pc(states)
    incr pc(nested)
    set wrong [pc_verify $low $high 0]
    if {$wrong ne ""} {pc_failed "$where, then $words" $wrong}
  }
  pc_ pop
}

# Check about `count` cuts of the recorded workload, in order.
proc pc_cut {count} {
  global pc wl
  set ops [pc_ ops]
  set cuts {}
  for {set i 0} {$i < $count} {incr i} {lappend cuts [expr {1 + [wl_rand $ops]}]}
  foreach k [lsort -integer $cuts] {
    lassign [pc_choice $k] mode arg
    lassign [pc_allowed $k] low high
    set words [pc_ restore $k $mode $arg]
    incr pc(states)
    set nested [wl_chance 8]
    set wrong [pc_verify $low $high [expr {!$nested}]]
    if {$wrong ne ""} {
      pc_failed $words $wrong
      if {$pc(failures) >= $pc(max_failures)} return
    } elseif {$nested} {
      pc_ restore $k $mode $arg
      pc_nested $words $low $high
    }
  }
}

# One workload and its cuts. A mistake found while it is recorded counts as a failure too.
proc run_seed {config seed commits states} {
  global pc wl
  set pc(config) $config
  set pc(seed) $seed
  set pc(goal) $commits
  set pc(per_seed) $states
  if {[catch {pc_record $config $seed $commits} message options]} {
    foreach handle {db db2} {catch {$handle close}}
    pc_failed "none: while recording" "$message\n[dict get $options -errorinfo]"
    return
  }
  incr pc(ops) [pc_ ops]
  incr pc(workloads)
  pc_cut $states
}

proc pc_start {} {
  global pc wl
  array set pc {states 0 nested 0 failures 0 workloads 0 ops 0 commits 0 busy 0 failed_commits 0
    readers 0 vacuums 0 switches 0 folds 0 roots 0 inline_roots 0 max_failures 20 quiet 0}
  pc_init
}
