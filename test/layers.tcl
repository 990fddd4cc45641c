# layers.tcl: the include directions of the source, each header alone, and where SQLite's types may stand.
#
#   L1  ext includes ext, vtab, vector and of wal_shim base.h, bytes.h and store.h; vtab includes vtab, vector, wal_shim;
#       vector includes vector, wal_shim; wal_shim includes itself alone.
#   L2  Each header compiles by itself.
#   L3  A .c includes its own header first, if it has one, or the module's `_int.h`, which includes it.
#   L4  sqlite3_stmt, sqlite3_value, sqlite3_context and sqlite3_vtab do not occur in vector/, and in wal_shim/ only in the files
#       that run statements. `sqlite3 *` itself may pass through headers of wal_shim/ as an argument.
#   L5  The pure files of vector/ include nothing of wal_shim but base.h, bytes.h and cpu.h.
#   L6  No printf, abort or clock below ext/; no malloc but SQLite's anywhere in the library.
# Prints each offence and `N passed, N failed`.

set root [file dirname [file dirname [file normalize [info script]]]]
cd $root
set passed 0
set failed 0

proc env_or {name default} {
  if {[info exists ::env($name)] && $::env($name) ne ""} {return $::env($name)}
  return $default
}
proc check {ok message} {
  if {$ok} {incr ::passed} else {incr ::failed; puts "layers: $message"}
}
proc read_file {path} {
  set f [open $path]
  set text [read $f]
  close $f
  return $text
}
# Comments and string literals blanked, lines kept.
proc code_of {text} {
  set text [regsub -all {"(\\.|[^"\\\n])*"} $text {""}]
  set out ""
  while {[set start [string first /* $text]] >= 0} {
    set end [string first */ $text $start]
    if {$end < 0} break
    append out [string range $text 0 $start-1] [regsub -all {[^\n]} [string range $text $start $end] ""]
    set text [string range $text $end+2 end]
  }
  return [regsub -all -line {//.*$} $out$text ""]
}
proc includes {text} {
  set found {}
  foreach {all name} [regexp -all -inline -line {^\s*#\s*include\s+"([^"]+)"} $text] {lappend found $name}
  return $found
}

array set below {ext {ext vtab vector wal_shim} vtab {vtab vector wal_shim} vector {vector wal_shim} wal_shim {wal_shim}}
set statement_files {store*.c store*.h catalog.c catalog.h table.c content_mode.c options.c check.c home_file.c home_inline.c home_memory.c horizon.c space.c fold.c backup.c}
set pure {elem.* distance*.* codes*.* wide*.* sq4*.* walk8*.* topk.* kmeans.* learned.*}

proc matches_any {name patterns} {
  foreach p $patterns {if {[string match $p $name]} {return 1}}
  return 0
}

foreach layer {ext vtab vector wal_shim} {
  foreach path [lsort [glob -nocomplain $layer/*.c $layer/*.h]] {
    set text [read_file $path]
    set code [code_of $text]
    set name [file tail $path]
    set names [includes $text]
    foreach include $names {
      set target [file normalize [file join $layer $include]]
      set parts [lrange [file split $target] [llength [file split $root]] end]
      set into [lindex $parts 0]
      if {![file exists $target] && ![string match *.inc $include]} continue
      check [expr {$into in $below($layer) || $into eq "sql" || $into eq "build"}] "$path includes $include (L1)"
      if {$layer eq "ext" && $into eq "wal_shim"} {
        check [expr {[lindex $parts end] in {base.h bytes.h store.h}}] "$path includes $include (L1)"
      }
      if {$layer eq "vector" && $into eq "wal_shim" && [matches_any $name $pure]} {
        check [expr {[lindex $parts end] in {base.h bytes.h cpu.h}}] "$path includes $include (L5)"
      }
    }
    if {[file extension $path] eq ".c" && [file exists [file rootname $path].h]} {
      check [expr {[lindex $names 0] in [list "[file rootname $name].h" "[file rootname $name]_int.h"]}] "$path does not include its own header first (L3)"
    }
    if {$layer in {vector wal_shim} && !($layer eq "wal_shim" && [matches_any $name $statement_files])} {
      foreach type {sqlite3_stmt sqlite3_value sqlite3_context sqlite3_vtab sqlite3_vfs sqlite3_file} {
        check [expr {![regexp "\\m$type\\M" $code]}] "$path mentions $type (L4)"
      }
    }
    foreach word {malloc calloc realloc free strdup} {
      check [expr {![regexp "\\m$word\\s*\\(" $code]}] "$path calls $word (L6)"
    }
    if {$layer ne "ext"} {
      foreach word {printf fprintf puts abort exit time clock gettimeofday clock_gettime rand srand} {
        check [expr {![regexp "\\m$word\\s*\\(" $code]}] "$path calls $word (L6)"
      }
    }
    if {[file extension $path] eq ".h"} {
      set command [list {*}[env_or CC cc] -std=c11 -Wall -Wextra -Wshadow -Werror -fsyntax-only -x c $path]
      if {[catch {exec {*}$command 2>@1} output] && ![string match "*pragma once*" $output]} {
        check 0 "$path does not compile alone (L2):\n$output"
      } else {
        check 1 ""
      }
    }
  }
}
puts "$passed passed, $failed failed"
exit [expr {$failed > 0}]
