-- Everything that quire_create made under a name; triggers and indexes go with their tables.
DROP VIEW IF EXISTS "{schema}"."{view}";
DROP TABLE IF EXISTS "{schema}"."{table}";
DROP TABLE IF EXISTS "{schema}"."{name}_pending";
DROP TABLE IF EXISTS "{schema}"."{name}_data";
DROP TABLE IF EXISTS "{schema}"."{name}_snapshots";
DROP TABLE IF EXISTS "{schema}"."{name}_state";
DROP TABLE IF EXISTS "{schema}"."{name}_floors";
DROP TABLE IF EXISTS "{schema}"."{name}_meta";
