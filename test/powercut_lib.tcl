# powercut_lib.tcl: workloads over the VFS "powercut", and the check of every state that a cut may leave.
#
# The subject is two quire tables and their mirror, an ordinary table m(tab, id, e, a) in the same database, changed by
# the same transactions; the ordinary table live(tab) says which quire tables exist. SQLite keeps m right by itself, so that
#
#   V1  m and live are those of one commit, not older than what the settings promise, not newer than the last attempted;
#   V2  each table in live holds exactly its rows of m, no other quire table exists;
#   V3  searches give what brute force over m gives;
#   V4  PRAGMA integrity_check and 'integrity-check' find nothing; the page file is in use, not given up;
#   V5  one more commit works, and is there after another open.
#
# With pc(quire) 0 the subject is m alone: that tests SQLite, and so this VFS.
#
# Numbers: commit n is marked `attempt n` before and `ack n` after; pc(digest,n) is its content. Commit 0: no schema.
# Everything follows from a configuration, a seed and a number of commits: run_seed. Start there.

# --- seeded choices ---

proc pc_rand {n} {
  upvar #0 pc_state s
  set s [expr {($s * 6364136223846793005 + 1442695040888963407) & 0xffffffffffffffff}]
  return [expr {($s >> 33) % $n}]
}
proc pc_chance {percent} {expr {[pc_rand 100] < $percent}}
proc pc_pick {list} {
  if {$list eq {}} return
  lindex $list [pc_rand [llength $list]]
}

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
}
# Not part of the promise; controls of the self-test.
set pc_controls {
  wal-off       {wal OFF 512 last {}}
  delete-off    {delete OFF 512 last {}}
  wal-normal-strict {wal NORMAL 512 last {}}
  delete-full-strict {delete FULL 512 last {}}
}

array set pc {quire 1 keep_going 0 fold_rows 6}

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
  global pc
  catch {$handle close}
  sqlite3 $handle test.db -vfs powercut
  load_library $handle [testfuncs_lib]
  if {$pc(quire)} {load_library $handle [quire_lib]}
  $handle timeout 0
}

proc pc_pragmas {handle} {
  global pc
  $handle eval "PRAGMA synchronous = $pc(sync)"
  $handle eval "PRAGMA wal_autocheckpoint = $pc(checkpoint)"
  $handle eval "PRAGMA cache_size = $pc(cache)"
  # TRUNCATE and PERSIST are not remembered by the file.
  if {!$pc(switch) && $pc(journal) ne "wal"} {$handle eval "PRAGMA journal_mode = $pc(journal)"}
}

# --- the workload ---

# A content digest of m and live; "empty" before the first commit.
proc pc_digest {handle} {
  if {![$handle exists {SELECT 1 FROM sqlite_schema WHERE name = 'live'}]} {return empty}
  set live [$handle eval {SELECT tab FROM live ORDER BY tab}]
  set rows [$handle eval {
    SELECT count(*), total(id), total(test_crc(tab || id || '.' || ifnull(a, 'n') || hex(e)) % 1000000007) FROM m
  }]
  return "$live $rows"
}

proc pc_tables {} {db eval {SELECT tab FROM live ORDER BY tab}}

# One statement and its mirror. They fail together or the run stops.
proc pc_pair {tab quire_sql mirror_sql {vars {}}} {
  global pc
  foreach {name value} $vars {set $name $value}
  set code 0
  if {$pc(quire)} {set code [catch {db eval $quire_sql} message]}
  set mirror [catch {db eval $mirror_sql} mirror_message]
  if {$pc(quire) && $code != $mirror} {
    error "statement and mirror disagree: $quire_sql: [list $code $message] against [list $mirror $mirror_message]"
  }
  incr pc(statements)
}

# Vectors come from few seeds: equal ones under different rowids are common.
proc pc_change {} {
  global pc
  set tab [pc_pick [pc_tables]]
  if {$tab eq ""} {return [pc_create]}
  set id [expr {1 + [pc_rand 60]}]
  set a [pc_rand 5]
  set seed [pc_rand 25]
  set n [expr {1 + [pc_rand [expr {[pc_chance 10] ? 200 : 15}]]}]
  set vars [list id $id a $a seed $seed n $n tab $tab]
  set numbers "WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i + 1 < :n)"
  switch [pc_pick {insert insert many many delete delete one one vector meta key replace last all fail failmany}] {
    insert {
      pc_pair $tab "INSERT INTO $tab (rowid, e, a) VALUES(1000 + (SELECT ifnull(max(id), 0) FROM m), test_vector(:seed, 4), :a)" \
        {INSERT INTO m VALUES(:tab, 1000 + (SELECT ifnull(max(id), 0) FROM m), test_vector(:seed, 4), :a)} $vars
    }
    many {
      pc_pair $tab "$numbers INSERT OR REPLACE INTO $tab (rowid, e, a) SELECT :id + i, test_vector(:seed + i % 3, 4), :a FROM s" \
        "$numbers INSERT OR REPLACE INTO m SELECT :tab, :id + i, test_vector(:seed + i % 3, 4), :a FROM s" $vars
    }
    delete {
      pc_pair $tab "DELETE FROM $tab WHERE rowid BETWEEN :id AND :id + 8" \
        {DELETE FROM m WHERE tab = :tab AND id BETWEEN :id AND :id + 8} $vars
    }
    one {
      pc_pair $tab "DELETE FROM $tab WHERE rowid = :id" {DELETE FROM m WHERE tab = :tab AND id = :id} $vars
    }
    vector {
      pc_pair $tab "UPDATE $tab SET e = test_vector(:seed, 4) WHERE rowid BETWEEN :id AND :id + 3" \
        {UPDATE m SET e = test_vector(:seed, 4) WHERE tab = :tab AND id BETWEEN :id AND :id + 3} $vars
    }
    meta {
      pc_pair $tab "UPDATE $tab SET a = :a WHERE rowid >= :id" {UPDATE m SET a = :a WHERE tab = :tab AND id >= :id} $vars
    }
    key {
      pc_pair $tab "UPDATE $tab SET rowid = rowid + 5000 + :n WHERE rowid = :id" \
        {UPDATE m SET id = id + 5000 + :n WHERE tab = :tab AND id = :id} $vars
    }
    replace {
      pc_pair $tab "REPLACE INTO $tab (rowid, e, a) VALUES(:id, test_vector(:seed, 4), :a)" \
        {REPLACE INTO m VALUES(:tab, :id, test_vector(:seed, 4), :a)} $vars
    }
    last {
      pc_pair $tab "DELETE FROM $tab WHERE rowid = (SELECT max(rowid) FROM $tab)" \
        {DELETE FROM m WHERE tab = :tab AND id = (SELECT max(id) FROM m WHERE tab = :tab)} $vars
    }
    all {
      if {[pc_chance 30]} {pc_pair $tab "DELETE FROM $tab" {DELETE FROM m WHERE tab = :tab} $vars}
    }
    fail {
      # A vector of five dimensions; a row that is there: neither changes anything.
      if {$pc(quire)} {
        if {![catch {db eval "INSERT INTO $tab (rowid, e) VALUES(99999, test_vector(:seed, 5))"}]} {
          error "a vector of the wrong dimension was accepted"
        }
        set there [db onecolumn {SELECT min(id) FROM m WHERE tab = :tab}]
        if {$there ne "" && ![catch {db eval "INSERT INTO $tab (rowid, e) VALUES(:there, test_vector(:seed, 4))"}]} {
          error "a rowid was accepted twice"
        }
      }
    }
    failmany {
      # Fails at its last row, if :id is there.
      pc_pair $tab "$numbers INSERT INTO $tab (rowid, e, a) SELECT CASE WHEN i + 1 < :n THEN 20000 + :seed * 300 + i ELSE :id END,
          test_vector(:seed, 4), :a FROM s" \
        "$numbers INSERT INTO m SELECT :tab, CASE WHEN i + 1 < :n THEN 20000 + :seed * 300 + i ELSE :id END,
          test_vector(:seed, 4), :a FROM s" $vars
    }
  }
}

proc pc_create {} {
  global pc
  set tab [lindex {t u w} [pc_rand 3]]
  if {$tab in [pc_tables]} return
  if {$pc(quire)} {db eval "CREATE VIRTUAL TABLE $tab USING quire(e float\[4], a integer, fold_rows=$pc(fold_rows))"}
  db eval {INSERT INTO live VALUES(:tab)}
}

proc pc_ddl {} {
  global pc
  set tab [pc_pick [pc_tables]]
  switch [pc_pick {create create drop rename}] {
    create pc_create
    drop {
      if {[llength [pc_tables]] < 2} return
      if {$pc(quire)} {db eval "DROP TABLE $tab"}
      db eval {DELETE FROM live WHERE tab = :tab; DELETE FROM m WHERE tab = :tab}
    }
    rename {
      if {$tab eq ""} return
      set to [pc_pick {t u w x}]
      if {$to in [pc_tables]} return
      if {$pc(quire)} {db eval "ALTER TABLE $tab RENAME TO $to"}
      db eval {UPDATE live SET tab = :to WHERE tab = :tab; UPDATE m SET tab = :to WHERE tab = :tab}
    }
  }
}

proc pc_command {} {
  global pc
  if {!$pc(quire)} return
  set tab [pc_pick [pc_tables]]
  if {$tab eq ""} return
  set command [pc_pick {fold fold fold optimize rebuild}]
  db eval "INSERT INTO $tab ($tab) VALUES(:command)"
  incr pc(commands)
}

# Changes with savepoints among them, some rolled back; a savepoint opened before the tables are touched, too.
proc pc_body {depth} {
  set steps [expr {1 + [pc_rand 4]}]
  for {set i 0} {$i < $steps} {incr i} {
    set r [pc_rand 100]
    if {$r < 20 && $depth < 3} {
      set name s$depth
      db eval "SAVEPOINT $name"
      pc_body [expr {$depth + 1}]
      if {[pc_chance 45]} {
        db eval "ROLLBACK TO $name"
        if {[pc_chance 50]} {pc_body [expr {$depth + 1}]}
      }
      db eval "RELEASE $name"
    } elseif {$r < 28} {
      pc_ddl
    } elseif {$r < 38} {
      pc_command
    } else {
      pc_change
    }
  }
}

proc pc_attempt {} {
  global pc
  incr pc(n)
  set pc(digest,$pc(n)) [pc_digest db]
  pc_ mark attempt $pc(n)
}

# End the transaction. BUSY leaves it open and is tried again once the reader is gone.
proc pc_commit {sql} {
  global pc
  pc_attempt
  set code [catch {db eval $sql} message]
  if {$code && [string match *locked* $message]} {
    incr pc(busy)
    pc_release_reader
    if {[pc_chance 40]} {pc_body 1}
    pc_attempt
    unset -nocomplain pc(digest,[expr {$pc(n) - 1}])
    set code [catch {db eval $sql} message]
  }
  if {$code} {
    incr pc(failed_commits)
    catch {db eval ROLLBACK}
  } else {
    pc_ mark ack $pc(n)
    incr pc(commits)
  }
}

proc pc_transaction {} {
  switch [pc_pick {begin begin immediate savepoint savepoint}] {
    begin {db eval BEGIN; set end COMMIT}
    immediate {db eval {BEGIN IMMEDIATE}; set end COMMIT}
    savepoint {db eval {SAVEPOINT outer_one}; set end {RELEASE outer_one}}
  }
  set code [catch {pc_body 0} message options]
  if {$code} {
    # An I/O fault may have ended the transaction; anything else is a finding.
    if {$::pc(io_faults) && [regexp {disk I/O|full|locked} $message]} {
      catch {db eval ROLLBACK}
      return
    }
    return -options $options $message
  }
  if {[pc_chance 15]} {
    if {$end ne "COMMIT"} {
      # ROLLBACK TO of the savepoint that is the transaction: it goes on.
      db eval {ROLLBACK TO outer_one}
      pc_body 1
    } else {
      db eval ROLLBACK
      return
    }
  }
  pc_commit $end
}

# A second connection that holds its snapshot while the first goes on, and must see it unchanged.
proc pc_hold_reader {} {
  global pc
  if {$pc(reader)} return
  pc_open db2
  db2 eval {BEGIN; SELECT count(*) FROM m}
  set pc(reader) 1
  set pc(reader_digest) [pc_digest db2]
}
proc pc_release_reader {} {
  global pc
  if {!$pc(reader)} return
  set pc(reader) 0
  if {[pc_digest db2] ne $pc(reader_digest)} {error "the reader's snapshot moved"}
  set wrong [pc_compare db2]
  db2 eval COMMIT
  db2 close
  if {$wrong ne ""} {error "reader in an old snapshot: $wrong"}
  incr pc(readers)
}

proc pc_other_event {} {
  global pc
  switch [pc_pick {vacuum checkpoint checkpoint checkpoint reopen reader reader switch}] {
    vacuum {pc_release_reader; db eval VACUUM; incr pc(vacuums)}
    checkpoint {catch {db eval "PRAGMA wal_checkpoint([pc_pick {PASSIVE FULL RESTART TRUNCATE}])"}}
    reopen {
      if {[pc_chance 50]} pc_release_reader
      db close
      pc_open db
      pc_pragmas db
    }
    reader pc_hold_reader
    switch {
      if {!$pc(switch)} return
      pc_release_reader
      db eval "PRAGMA journal_mode = [pc_pick {wal wal delete truncate persist}]"
      incr pc(switches)
    }
  }
}

# Record a workload: fills pc(digest,*) and the log.
proc pc_record {config seed commits} {
  global pc pc_state
  set all [concat $::pc_configs $::pc_controls]
  lassign [dict get $all $config] pc(journal) pc(sync) sector pc(rule) options
  set pc_state [expr {($seed * 0x9e3779b97f4a7c15) & 0xffffffffffffffff}]
  pc_rand 2
  array unset pc digest,*
  array set pc {switch 0 reader 0 n 0 digest,0 empty io_faults 0}
  array set pc $options
  foreach handle {db db2} {catch {$handle close}}
  pc_ config sector $sector
  pc_ config psow [expr {$sector == 512}]
  pc_ fault_off
  pc_ reset
  pc_ seed [expr {$seed + 1}]
  set pc(checkpoint) [pc_pick {8 30 1000}]
  set pc(cache) [pc_pick {-2000 -2000 10}]
  pc_open db
  pc_pragmas db
  db eval "PRAGMA journal_mode = $pc(journal)"
  db eval BEGIN
  db eval {
    CREATE TABLE m(tab TEXT, id INTEGER, e BLOB, a INTEGER, PRIMARY KEY(tab, id));
    CREATE TABLE live(tab TEXT PRIMARY KEY);
  }
  if {[pc_chance 70]} pc_create
  pc_commit COMMIT
  while {$pc(n) < $commits} {
    if {[pc_chance 20]} pc_other_event
    if {$pc(io_faults) && [pc_chance 25]} {pc_ fault sync [expr {1 + [pc_rand 2]}] 0 *-quire}
    if {$pc(reader) && [pc_chance 25]} pc_release_reader
    pc_transaction
  }
  pc_release_reader
  pc_ fault_off
  if {$pc(quire)} pc_note_counters
  db close
}

proc pc_note_counters {} {
  global pc_counter
  catch {
    db eval {SELECT name, value FROM quire} {
      if {[string is entier -strict $value]} {
        if {![info exists pc_counter($name)] || $value > $pc_counter($name)} {set pc_counter($name) $value}
      }
    }
  }
}

# --- verification ---

# V2, V3 and the vector side of V4, on an open connection: "" or what is wrong.
proc pc_compare {handle} {
  global pc
  if {!$pc(quire)} return
  set live [$handle eval {SELECT tab FROM live ORDER BY tab}]
  set there [$handle eval {SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE % USING quire(%' ORDER BY name}]
  if {$live ne $there} {return "tables {$there} instead of {$live}"}
  foreach tab $live {
    set wrong [$handle eval "SELECT 'extra', rowid FROM (SELECT rowid, e, a FROM $tab EXCEPT SELECT id, e, a FROM m WHERE tab = :tab)
      UNION ALL SELECT 'missing', id FROM (SELECT id, e, a FROM m WHERE tab = :tab EXCEPT SELECT rowid, e, a FROM $tab) LIMIT 4"]
    if {$wrong ne ""} {return "$tab: rows differ from m: $wrong"}
    foreach {seed k} {3 5 -7 1000} {
      set got [$handle eval "SELECT rowid, distance FROM $tab WHERE e MATCH test_vector(:seed, 4) AND k = :k"]
      set want [$handle eval {SELECT id, vec_distance_l2(e, test_vector(:seed, 4)) AS d FROM m WHERE tab = :tab AND e IS NOT NULL
        ORDER BY d, id LIMIT :k}]
      if {![pc_same_neighbours $got $want]} {return "$tab: search gives {$got} instead of {$want}"}
    }
  }
  return
}

# Equal distances in order; equal ids, except among the last, equally far ones, which k may cut anywhere.
proc pc_same_neighbours {got want} {
  if {$got eq $want} {return 1}
  if {[llength $got] != [llength $want]} {return 0}
  set last [lindex $want end]
  set ids {}
  foreach {gid gd} $got {wid wd} $want {
    if {$gd != $wd} {return 0}
    if {$wd != $last} {
      dict incr ids $gid
      dict incr ids $wid -1
    }
  }
  foreach {id n} $ids {if {$n} {return 0}}
  return 1
}

# The state of the files now must be a commit in [low, high]. Gives "" or what is wrong. With `write`, V5 too.
proc pc_verify {low high write} {
  set code [catch {pc_verify_open $low $high $write} message options]
  catch {db close}
  if {$code} {return "error: $message ([string range [lindex [split [dict get $options -errorinfo] \n] 2] 0 200])"}
  return $message
}

proc pc_verify_open {low high write} {
  global pc
  pc_open db
  set check [db eval {PRAGMA integrity_check}]
  if {$check ne "ok"} {return "integrity_check: [string range $check 0 300]"}
  set digest [pc_digest db]
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
  global pc
  set wrong [pc_compare db]
  if {$wrong ne "" || !$pc(quire)} {return $wrong}
  foreach tab [pc_tables] {db eval "INSERT INTO $tab ($tab) VALUES('integrity-check')"}
  if {[pc_tables] eq ""} return
  set degraded [db eval {SELECT name, value FROM quire WHERE name IN ('degraded', 'damaged') AND value > 0}]
  if {$degraded ne ""} {return "the page file was given up: $degraded"}
  return
}

# V5: one commit that folds, another open.
proc pc_write_more {} {
  global pc
  db eval BEGIN
  foreach tab [pc_tables] {
    pc_pair $tab "INSERT INTO $tab (rowid, e, a) VALUES(777777, test_vector(77, 4), 7)" \
      {INSERT INTO m VALUES(:tab, 777777, test_vector(77, 4), 7)} [list tab $tab]
    if {$pc(quire)} {db eval "INSERT INTO $tab ($tab) VALUES('fold')"}
  }
  if {[pc_tables] eq ""} {db eval {INSERT INTO m VALUES('none', 777777, x'', 7)}}
  set digest [pc_digest db]
  db eval COMMIT
  set wrong [pc_soundness]
  if {$wrong ne ""} {return "after one more commit: $wrong"}
  pc_open db
  if {[pc_digest db] ne $digest} {return "after one more commit and open: other content"}
  set wrong [pc_soundness]
  if {$wrong ne ""} {return "after one more commit and open: $wrong"}
  return
}

# --- cuts ---

proc pc_choice {k} {
  set pending [pc_ pending $k]
  if {$pending == 0} {return {none 0}}
  if {$pending <= 6 && [pc_chance 60]} {return [list mask [pc_rand [expr {1 << $pending}]]]}
  set mode [pc_pick {none all but only torn torn random random random}]
  switch $mode {
    none - all {return [list $mode 0]}
    random {return [list random [pc_rand 1000000]]}
    default {return [list $mode [pc_rand $pending]]}
  }
}

# The commits allowed at a cut at k: {low high}.
proc pc_allowed {k} {
  global pc
  set high [pc_ last attempt $k]
  set low [pc_ low ack $k {*}$pc(rule)]
  return [list [expr {max($low, 0)}] [expr {max($high, 0)}]]
}

proc pc_failed {where wrong} {
  global pc
  incr pc(failures)
  if {$pc(failures) <= 5 && !$pc(quiet)} {
    puts "FAILED state $where"
    puts "  $wrong"
    puts "  repeat: PC_CONFIGS=$pc(config) PC_SEED=$pc(seed) PC_SEEDS=1 PC_COMMITS=$pc(goal) PC_STATES=$pc(per_seed)\
 PC_QUIRE=$pc(quire) tclsh test/$tester::file"
    flush stdout
  }
}

# A cut during the first open after a cut: record the recovery, cut it too.
proc pc_nested {where low high} {
  global pc
  pc_ push
  set code [catch {
    pc_open db
    pc_digest db
    if {[pc_digest db] ne "empty"} {pc_compare db}
  } message]
  catch {db close}
  set ops [pc_ ops]
  for {set i 0} {$i < 3 && $ops > 0} {incr i} {
    set k [expr {1 + [pc_rand $ops]}]
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
  global pc
  set ops [pc_ ops]
  set cuts {}
  for {set i 0} {$i < $count} {incr i} {lappend cuts [expr {1 + [pc_rand $ops]}]}
  foreach k [lsort -integer $cuts] {
    lassign [pc_choice $k] mode arg
    lassign [pc_allowed $k] low high
    set words [pc_ restore $k $mode $arg]
    incr pc(states)
    set nested [pc_chance 8]
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
  global pc
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
  global pc
  array set pc {states 0 nested 0 failures 0 workloads 0 ops 0 statements 0 commands 0 commits 0 busy 0 failed_commits 0
    readers 0 vacuums 0 switches 0 max_failures 20 quiet 0}
  pc_init
}
